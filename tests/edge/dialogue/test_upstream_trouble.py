"""What clients get while an upstream is missing things, failing, lying or dead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.dialogue.stage import WEBP, Stage, stage, until


@pytest.fixture(scope="module")
def fleeting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An edge that asks again for everything, every time."""
    settings = {"edge": {"revalidate": 0, "negative": 0, "stall_timeout": 0.5, "head_timeout": 0.5}}
    with stage(tmp_path_factory.mktemp("fleeting"), settings) as playing:
        yield playing


def test_a_404_is_kept_briefly_and_a_creation_shows(edge: Stage) -> None:
    answers = [edge.get("/media/new.bin") for _ in range(3)]
    assert [answer.status for answer in answers] == [404] * 3
    assert answers[0]["Cache-Control"] == "public, max-age=1"
    assert answers[0]["Access-Control-Allow-Origin"] == "*"
    assert answers[0].problem["detail"]
    assert edge.origin.count("/media/new.bin") == 1
    edge.origin.on("/media/new.bin", b"now there", "text/plain", etag='"new"')
    edge.origin.publish("media", "new.bin")
    until(lambda: edge.get("/media/new.bin").status == 200, "the creation never showed", 1)


def test_a_404_without_news_is_asked_for_again_after_its_seconds(edge: Stage) -> None:
    assert edge.get("/media/late.bin").status == 404
    edge.origin.on("/media/late.bin", b"now there", "text/plain", etag='"late"')
    until(lambda: edge.get("/media/late.bin").status == 200, "the 404 was kept too long", 3)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_a_bucket_refuses_is_404(edge: Stage, status: int) -> None:
    body = b"<Error><Code>AccessDenied</Code></Error>"
    edge.origin.on(f"/media/{status}.jpg", body, "application/xml", status=status)
    answer = edge.get(f"/media/{status}.jpg")
    assert answer.status == 404
    assert b"AccessDenied" not in answer.body


def test_a_refused_edge_key_is_no_404(edge: Stage) -> None:
    body = b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
    edge.origin.on("/media/key.jpg", body, "application/xml", status=403)
    assert edge.get("/media/key.jpg").status == 502
    assert edge.events("the upstream refuses the edge's key")


def test_an_upstream_that_fails_gives_502_once_for_all_who_wait(edge: Stage) -> None:
    edge.origin.on("/media/fails.jpg", b"oops", "text/plain", status=500)
    answer = edge.get("/media/fails.jpg")
    assert (answer.status, answer["Cache-Control"]) == (502, "no-store")
    assert "detail=upstream-error" in answer.cache
    assert answer.problem["detail"]
    edge.origin.on("/media/fails.jpg", b"well", "text/plain", etag='"well"')
    assert edge.get("/media/fails.jpg").body == b"well"


def test_a_redirect_of_a_bucket_is_not_followed(edge: Stage) -> None:
    edge.origin.on("/media/moved.jpg", b"", status=307, headers={"Location": "http://127.0.0.1:1/"})
    assert edge.get("/media/moved.jpg").status == 502


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_breaks_off_is_neither_stored_nor_passed_as_whole(edge: Stage, chunked: bool) -> None:
    target = f"/media/broken-{chunked}.mp4"
    body = b"x" * 500_000
    edge.origin.on(target, body, "video/mp4", etag='"broken"', sent=300_000, chunked=chunked)
    broken = edge.get(target)
    assert broken.status == 502 or not broken.whole
    edge.origin.on(target, body, "video/mp4", etag='"broken"', chunked=chunked)
    whole = edge.get(target)
    assert (whole.whole, whole.body) == (True, body)
    assert not whole.hit


def test_a_picture_that_breaks_off_is_never_rendered(edge: Stage, photo: bytes) -> None:
    edge.origin.on("/media/broken.jpg", photo, etag='"b"', identity="21" * 32, sent=len(photo) // 2)
    assert edge.get("/media/broken.jpg?w=64").status == 502
    edge.origin.on("/media/broken.jpg", photo, etag='"b"', identity="21" * 32)
    assert edge.get("/media/broken.jpg?w=64").status == 200


def test_an_upstream_that_says_nothing_or_stands_still_is_504(fleeting: Stage) -> None:
    gate = threading.Event()
    try:
        fleeting.origin.on("/media/silent.jpg", b"x", etag='"x"', pause=gate)
        silent = fleeting.get("/media/silent.jpg")
        assert silent.status == 504
        assert "detail=upstream-head-timeout" in silent.cache
        fleeting.origin.on("/media/stalls.mp4", b"x" * 100_000, "video/mp4", etag='"x"', body_pause=gate)
        assert not fleeting.get("/media/stalls.mp4").whole
    finally:
        gate.set()


def test_a_changed_object_is_fetched_and_an_unchanged_one_confirmed(fleeting: Stage) -> None:
    fleeting.origin.on("/media/page.txt", b"one", "text/plain", etag='"one"')
    assert fleeting.get("/media/page.txt").body == b"one"
    confirmed = fleeting.get("/media/page.txt")
    assert confirmed.body == b"one"
    assert {"fwd=stale", "fwd-status=304"} <= confirmed.cache
    assert fleeting.origin.asked[-1].headers["if-none-match"] == '"one"'
    fleeting.origin.on("/media/page.txt", b"two", "text/plain", etag='"two"')
    assert fleeting.get("/media/page.txt").body == b"two"


def test_a_dead_upstream_leaves_what_is_stored(fleeting: Stage, photo: bytes) -> None:
    fleeting.origin.on("/media/kept.jpg", photo, etag='"kept"', identity="22" * 32)
    rendering = fleeting.get("/media/kept.jpg?w=80", accept=WEBP)
    fleeting.origin.die()
    try:
        for _ in range(8):  # beyond what opens the breaker
            stale = fleeting.get("/media/kept.jpg?w=80", accept=WEBP)
            assert (stale.status, stale.body) == (200, rendering.body)
            assert "detail=stale" in stale.cache
        missing = fleeting.get("/media/unknown.jpg")
        assert missing.status in (502, 503)
        assert missing.problem["detail"]
        assert missing["Access-Control-Allow-Origin"] == "*"
    finally:
        fleeting.origin.start()
    until(lambda: fleeting.get("/media/kept.jpg").status == 200, "the upstream was never asked again", 5)
    until(lambda: "fwd-status=304" in fleeting.get("/media/kept.jpg").cache, "the breaker never closed", 5)


def test_what_must_be_revalidated_is_not_given_stale(fleeting: Stage) -> None:
    control = "max-age=0, must-revalidate"
    fleeting.origin.on("/media/strict.txt", b"strict", "text/plain", etag='"s"', cache_control=control)
    assert fleeting.get("/media/strict.txt").status == 200
    fleeting.origin.die()
    try:
        assert fleeting.get("/media/strict.txt").status in (502, 503)
    finally:
        fleeting.origin.start()
    until(lambda: fleeting.get("/media/strict.txt").status == 200, "the breaker never closed", 5)


def test_an_answer_for_one_client_is_never_given_to_another(edge: Stage) -> None:
    edge.origin.on("/media/private.txt", b"first", "text/plain", cache_control="private, max-age=60")
    assert edge.get("/media/private.txt").body == b"first"
    edge.origin.on("/media/private.txt", b"second", "text/plain", cache_control="no-store")
    answer = edge.get("/media/private.txt")
    assert answer.body == b"second"
    assert answer["Cache-Control"] == "no-store"
    assert edge.origin.count("/media/private.txt") == 2


def test_a_source_over_the_limit_passes_through_and_is_not_rendered(tmp_path: Path, photo: bytes) -> None:
    with stage(tmp_path, {"edge": {"max_source": 10_000}}) as small:
        small.origin.on("/media/big.jpg", photo, etag='"big"', identity="23" * 32)
        plain = small.get("/media/big.jpg", accept=WEBP)
        assert (plain.status, plain.body) == (200, photo)
        assert "detail=pass-too-large" in plain.cache
        changed = small.get("/media/big.jpg?w=10")
        assert changed.status == 413
        assert not small.renders()
