"""Fast first, better later: what is given at once, what takes its place, and who must not notice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from demo import pictures
from tests.edge.dialogue.client import Answer
from tests.edge.dialogue.stage import CHROME, Stage, stage, until

QUERY = "?w=400"


@pytest.fixture(scope="module")
def large() -> bytes:
    """A photo-like JPEG, upright 600 × 800."""
    return pictures.photo(600, 800)


def _age_at_clients(answer: Answer) -> int:
    return int(answer["Cache-Control"].partition("max-age=")[2].partition(",")[0])


def _metric(edge: Stage, name: str) -> float:
    text = edge.metrics()
    return sum(float(value) for value in re.findall(rf"^facet_edge_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


def test_what_is_hot_gets_smaller_and_nobody_fetches_it_twice(tmp_path: Path, large: bytes) -> None:
    with stage(tmp_path, {"render": {"hot": 3}}) as edge:
        edge.origin.on("/media/hot.jpg", large, etag='"hot"', identity="1e" * 32)
        first = edge.get(f"/media/hot.jpg{QUERY}", accept=CHROME)
        assert (first.status, first["Content-Type"]) == (200, "image/avif")
        assert "detail=provisional" in first.cache
        assert 0 < _age_at_clients(first) <= 60
        same = edge.get(f"/media/hot.jpg{QUERY}", accept=CHROME, if_none_match=first["ETag"])
        assert (same.status, same["ETag"]) == (304, first["ETag"])

        def replaced() -> Answer | None:
            answer = edge.get(f"/media/hot.jpg{QUERY}", accept=CHROME)
            assert answer.status == 200
            return answer if answer["ETag"] != first["ETag"] else None

        until(replaced, "no better rendering came")
        final = replaced()
        assert final is not None
        assert final["Content-Type"] == "image/avif"
        assert len(final.body) <= 0.9 * len(first.body)
        assert "detail=provisional" not in final.cache
        assert _age_at_clients(final) > 60
        # Whoever has the first one keeps it, under its own tag, so that no two bodies are ever mixed.
        held = edge.get(f"/media/hot.jpg{QUERY}", accept=CHROME, if_none_match=first["ETag"])
        assert (held.status, held["ETag"], held.body) == (304, first["ETag"], b"")
        part = edge.get(f"/media/hot.jpg{QUERY}", accept=CHROME, range="bytes=5-", if_range=first["ETag"])
        assert (part.status, part.body) == (200, final.body)
        assert edge.get(f"/media/hot.jpg{QUERY}", accept=CHROME, if_none_match=final["ETag"]).status == 304
        assert _metric(edge, "rerender_saved_bytes_total") == len(first.body) - len(final.body)
        until(lambda: _metric(edge, "spared_bytes_total") > 0, "what hits were spared is not counted")

        edge.keeper.stop()
        edge.restart_keeper()
        until(lambda: edge.get(f"/media/hot.jpg{QUERY}", accept=CHROME).hit, "nothing is known after a restart")
        assert edge.get(f"/media/hot.jpg{QUERY}", accept=CHROME)["ETag"] == final["ETag"]
        held = edge.get(f"/media/hot.jpg{QUERY}", accept=CHROME, if_none_match=first["ETag"])
        assert (held.status, held["ETag"]) == (304, first["ETag"])


def test_a_budget_of_nothing_always_makes_the_best(tmp_path: Path, large: bytes) -> None:
    with stage(tmp_path, {"render": {"budget": 0, "hot": 0}}) as edge:
        edge.origin.on("/media/best.jpg", large, etag='"best"', identity="1f" * 32)
        answer = edge.get(f"/media/best.jpg{QUERY}", accept=CHROME)
        assert answer["Content-Type"] == "image/avif"
        assert "detail=provisional" not in answer.cache
        assert _age_at_clients(answer) > 60


def test_a_small_budget_gives_a_cheaper_format_that_the_client_named(tmp_path: Path, large: bytes) -> None:
    with stage(tmp_path, {"render": {"budget": 0.01}}) as edge:
        edge.origin.on("/media/dear.jpg", large, etag='"dear"', identity="2f" * 32)
        dear = edge.get("/media/dear.jpg?w=300", accept=CHROME)
        assert dear["Content-Type"] != "image/avif"
        assert "detail=provisional" in dear.cache
        only = edge.get("/media/dear.jpg?w=300&format=avif", accept=CHROME)
        assert only["Content-Type"] == "image/avif"
        again = edge.get("/media/dear.jpg?w=300", accept=CHROME)
        assert (again.body, again["Content-Type"]) == (dear.body, dear["Content-Type"])


def test_every_url_that_comes_to_a_provisional_rendering_says_so(tmp_path: Path, large: bytes) -> None:
    with stage(tmp_path, {"render": {"hot": 100}}) as edge:
        edge.origin.on("/media/wide.jpg", large, etag='"wide"', identity="3f" * 32)
        answers = [edge.get(f"/media/wide.jpg{query}", accept=CHROME) for query in ("?w=8192", "", "?w=600", "?h=900")]
        assert len({answer["ETag"] for answer in answers}) == 1
        for answer in answers:
            assert "detail=provisional" in answer.cache
            assert _age_at_clients(answer) <= 60
