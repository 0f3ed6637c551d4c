"""Large sources in slices: a seek moves what it needs, and one version only is ever put together."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.edge.dialogue import client
from tests.edge.dialogue.origin import Scene
from tests.edge.dialogue.stage import Stage, stage, until

SLICE = 64 * 1024
FILM = random.Random(7).randbytes(20 * SLICE + 1234)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("slices"), {"edge": {"slice": SLICE}}, servers=2) as playing:
        yield playing


def film(node: Stage, name: str, body: bytes = FILM, **scene: object) -> tuple[str, Scene]:
    target = f"/media/{name}.mp4"
    return target, node.origin.on(target, body, "video/mp4", etag=f'"{name}"', ranges=True, **scene)


def slices_asked(node: Stage, target: str) -> list[str]:
    """The ranges that reached the origin."""
    return [
        asked.headers["range"] for asked in node.origin.asked if asked.target == target and "range" in asked.headers
    ]


def test_a_seek_into_a_cold_film_moves_only_the_slices_it_needs(node: Stage) -> None:
    target, _ = film(node, "seek")
    answer = node.get(target, range=f"bytes={10 * SLICE + 5}-{11 * SLICE + 9}")
    assert (answer.status, answer.body) == (206, FILM[10 * SLICE + 5 : 11 * SLICE + 10])
    assert answer["Content-Range"] == f"bytes {10 * SLICE + 5}-{11 * SLICE + 9}/{len(FILM)}"
    assert slices_asked(node, target) == [
        f"bytes={10 * SLICE}-{11 * SLICE - 1}",
        f"bytes={11 * SLICE}-{12 * SLICE - 1}",
    ]
    again = node.get(target, range=f"bytes={10 * SLICE}-{10 * SLICE}")
    assert again.hit
    assert again.body == FILM[10 * SLICE : 10 * SLICE + 1]
    assert len(slices_asked(node, target)) == 2


def test_every_range_of_a_sliced_source_is_that_of_the_whole(node: Stage) -> None:
    target, _ = film(node, "ranges")
    size = len(FILM)
    for first, last in ((0, 0), (SLICE - 1, SLICE), (3 * SLICE, 4 * SLICE - 1), (size - 1, size - 1), (0, size - 1)):
        answer = node.get(target, range=f"bytes={first}-{last}")
        assert (answer.status, answer.body) == (206, FILM[first : last + 1])
    assert node.get(target, range="bytes=-100").body == FILM[-100:]
    assert node.get(target, range=f"bytes={size}-").status == 416
    whole = node.get(target)
    assert (whole.status, whole.body, whole["Content-Length"]) == (200, FILM, str(size))
    assert len(slices_asked(node, target)) == 21


def test_a_head_of_a_large_source_moves_none_of_it(node: Stage) -> None:
    target, _ = film(node, "headed")
    head = node.head(target)
    assert (head.status, head["Content-Length"], head["Accept-Ranges"]) == (200, str(len(FILM)), "bytes")
    assert slices_asked(node, target) == []
    assert node.get(target, if_none_match=head["ETag"]).status == 304


def test_many_viewers_fetch_each_slice_once(node: Stage) -> None:
    target, _ = film(node, "viewers")
    with ThreadPoolExecutor(24) as viewers:
        answers = list(viewers.map(lambda _: node.get(target).body == FILM, range(24)))
    assert all(answers)
    asked = slices_asked(node, target)
    assert len(asked) == len(set(asked)) == 21


def test_a_source_that_changes_is_never_put_together_with_what_it_was(node: Stage) -> None:
    target, _ = film(node, "changing")
    assert node.get(target, range="bytes=0-9").body == FILM[:10]
    other = bytes(byte ^ 0xFF for byte in FILM)
    node.origin.on(target, other, "video/mp4", etag='"changed"', ranges=True)
    answer = node.get(target, range=f"bytes={5 * SLICE}-{5 * SLICE + 9}")
    assert (answer.status, answer.body) == (206, other[5 * SLICE : 5 * SLICE + 10])
    answer = node.get(target)
    assert answer.body == other


def test_a_source_that_changes_midway_breaks_the_answer_off(node: Stage) -> None:
    target, scene = film(node, "midway")
    with client.connect(node.port) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        until(lambda: slices_asked(node, target), "nothing was fetched")
        scene.headers["ETag"] = '"another"'
        answer = client.read_answer(connection)
    assert answer.whole or FILM.startswith(answer.body)
    assert node.get(target).whole


@pytest.mark.parametrize(
    "lie", ["bytes 0-65535/65536", "bytes 1-65536/1311954", "bytes 0-65535/*", "items 0-65535/9", ""]
)
def test_an_upstream_that_answers_with_other_bytes_is_not_believed(node: Stage, lie: str) -> None:
    target, _ = film(node, f"lie-{len(lie)}-{lie[:7].replace(' ', '')}", content_range=lie)
    answer = node.get(target, range="bytes=0-9")
    assert answer.status == 502
    assert answer.problem["detail"]


def test_what_says_nothing_of_ranges_or_of_its_version_is_fetched_whole(node: Stage) -> None:
    node.origin.on("/media/plain.mp4", FILM, "video/mp4", etag='"plain"')
    node.origin.on("/media/weak.mp4", FILM, "video/mp4", etag='W/"weak"', ranges=True)
    for target in ("/media/plain.mp4", "/media/weak.mp4"):
        assert node.get(target, range=f"bytes={9 * SLICE}-{9 * SLICE + 5}").body == FILM[9 * SLICE : 9 * SLICE + 6]
        assert (node.origin.count(target), slices_asked(node, target)) == (1, [])


def test_a_purge_takes_all_slices_with_it(node: Stage) -> None:
    target, _ = film(node, "purged", cache_control="max-age=3600")
    assert node.get(target).body == FILM
    bodies = node.data / "edge" / "bodies"
    before = sum(1 for file in bodies.rglob("*") if file.is_file())
    other = bytes(reversed(FILM))
    node.origin.on(target, other, "video/mp4", etag='"purged-2"', ranges=True)
    node.origin.publish("media", "purged.mp4")
    until(lambda: sum(1 for file in bodies.rglob("*") if file.is_file()) <= before - 21, "slices stayed")
    assert node.get(target).body == other


def test_slices_outlive_the_keeper(node: Stage) -> None:
    target, _ = film(node, "kept", cache_control="max-age=3600")
    assert node.get(target).body == FILM
    asked = node.origin.count(target)
    node.keeper.kill()
    node.restart_keeper()
    node._settle()
    assert node.get(target).body == FILM
    assert node.origin.count(target) <= asked + 1  # at most asked whether it has changed
    assert len(slices_asked(node, target)) == 21


def test_pictures_that_are_rendered_are_never_sliced(node: Stage) -> None:
    node.origin.on("/media/huge.jpg", FILM, "image/jpeg", etag='"huge"', ranges=True)
    assert node.get("/media/huge.jpg").body == FILM
    assert slices_asked(node, "/media/huge.jpg") == []
