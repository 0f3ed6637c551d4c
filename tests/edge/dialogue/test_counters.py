"""What a site's counters say, against what was sent and what reached the origin."""

from __future__ import annotations

import re
import urllib.request

from tests.edge.dialogue.stage import WEBP, Stage, until


def counters(edge: Stage, site: str) -> dict[str, float]:
    """A site's counters by name and further labels."""
    with urllib.request.urlopen(f"{edge.keeper.ready['admin']}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    found = {}
    for line in lines:
        said = re.fullmatch(r"facet_edge_(\w+)_total\{(.*)\} (\S+)", line)
        if said is not None and f'site="{site}"' in said[2]:
            others = re.sub(rf',?site="{site}",?', "", said[2])
            found[f"{said[1]} {others}".strip()] = float(said[3])
    return found


def test_hits_fills_renders_saved_bytes_and_stale_answers_are_counted_by_site(edge: Stage, photo: bytes) -> None:
    before = counters(edge, "default")
    edge.origin.on("/media/counted.jpg", photo, etag='"counted"', cache_control="max-age=0, stale-if-error=600")
    small = edge.get("/media/counted.jpg?w=50", accept=WEBP)
    edge.origin.on("/media/kept.jpg", photo, etag='"kept"', cache_control="max-age=600")
    kept = edge.get("/media/kept.jpg?w=60", accept=WEBP)
    for _ in range(3):
        assert edge.get("/media/kept.jpg?w=60", accept=WEBP).hit
    edge.origin.on("/media/counted.jpg", status=503)
    assert edge.get("/media/counted.jpg?w=50", accept=WEBP).body == small.body
    expected = {
        'hits tier="memory"': 3,
        'renders outcome="made"': 2,
        'fills outcome="stored"': 2,
        "fill_bytes": 2 * len(photo),
        "saved_bytes": 3 * (len(photo) - len(kept.body)),
        "stale": 1,
    }

    def counted() -> dict[str, float]:
        now = counters(edge, "default")
        return {name: now.get(name, 0) - before.get(name, 0) for name in expected}

    until(lambda: counted() == expected, "what was counted is not what happened")
