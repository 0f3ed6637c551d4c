"""Whether renderings have changed under the keys of old ones."""

from __future__ import annotations

import json

from tests.edge.render import fingerprints

AGAIN = "record with python -m tests.edge.render.fingerprints"


def test_renderings_change_only_with_the_number_of_the_pipeline() -> None:
    recorded = json.loads(fingerprints.RECORD.read_text())
    assert recorded["version"] == fingerprints.version(), AGAIN
    found = fingerprints.measured()
    assert found.keys() == recorded["renderings"].keys(), AGAIN
    for name, (length, *means) in found.items():
        old_length, *old_means = recorded["renderings"][name]
        same = abs(length - old_length) <= max(8, fingerprints.LENGTH * old_length)
        same &= all(abs(new - old) <= fingerprints.PIXELS for new, old in zip(means, old_means, strict=True))
        assert same, f"{name} is another picture now: raise edge.policy.plan.PIPELINE, then {AGAIN}"
