"""What changes at the origin, or is purged by hand, shows at the next lookup of every server process."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from demo import pictures
from tests.edge.dialogue.stage import WEBP, Stage, stage, until

SECRET = "correct horse"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    sites = [{"name": "files", "host": "files.test", "bucket": "media", "purge_secret": SECRET}]
    with stage(tmp_path_factory.mktemp("node"), {"sites": sites}, servers=2) as playing:
        yield playing


def test_an_overwrite_shows_everywhere_within_a_second(node: Stage, photo: bytes) -> None:
    other = pictures.photo(200, 100)
    node.origin.on("/media/over.jpg", photo, etag='"1"', identity="41" * 32)
    before = [node.get(f"/media/over.jpg{query}", accept=WEBP).body for query in ("", "?w=60")]
    node.origin.on("/media/over.jpg", other, etag='"2"', identity="42" * 32)
    node.origin.publish("media", "over.jpg")
    for query, old in zip(("", "?w=60"), before, strict=True):
        target = f"/media/over.jpg{query}"
        until(lambda target=target, old=old: node.get(target, accept=WEBP).body != old, "the overwrite never showed", 1)
        new = node.get(target, accept=WEBP).body
        assert all(node.get(target, accept=WEBP).body == new for _ in range(8))


def test_an_object_made_private_disappears_with_its_renderings(node: Stage, photo: bytes) -> None:
    node.origin.on("/media/secret.jpg", photo, etag='"s"', identity="43" * 32)
    assert node.get("/media/secret.jpg?w=60").status == 200
    node.origin.on("/media/secret.jpg", b"<Error><Code>AccessDenied</Code></Error>", status=403)
    node.origin.publish("media", "secret.jpg", "object.acl")
    until(lambda: node.get("/media/secret.jpg?w=60").status == 404, "the object stayed public", 1)
    assert node.get("/media/secret.jpg").status == 404


def test_a_change_of_a_bucket_is_a_change_of_all_in_it(node: Stage) -> None:
    for name in ("a", "b"):
        node.origin.on(f"/album/{name}.txt", b"there", "text/plain", etag=f'"{name}"')
        assert node.get(f"/album/{name}.txt").status == 200
        del node.origin.scenes[f"/album/{name}.txt"]
    node.origin.publish("album", None, "bucket.acl")
    for name in ("a", "b"):
        until(lambda name=name: node.get(f"/album/{name}.txt").status == 404, "an object stayed", 1)


def test_every_spelling_of_a_key_is_purged(node: Stage) -> None:
    spellings = ("/media/caf%C3%A9%20A.txt", "/media/caf%c3%a9%20%41.txt")
    for spelling in spellings:
        node.origin.on(spelling, b"old", "text/plain", etag='"old"')
        assert node.get(spelling).body == b"old"
        node.origin.on(spelling, b"new", "text/plain", etag='"new"')
    node.origin.publish("media", "café A.txt")
    for spelling in spellings:
        until(lambda spelling=spelling: node.get(spelling).body == b"new", "a spelling stayed old", 1)


@pytest.mark.parametrize("method", ["PURGE", "GET"])
def test_a_purge_with_the_secret_takes_all_variants(node: Stage, photo: bytes, method: str) -> None:
    target = f"/purged-{method}.jpg"
    node.origin.on(f"/media{target}", photo, etag='"p"', identity="44" * 32)
    for query in ("", "?w=50", "?w=60"):
        node.get(target + query, host="files.test")
        assert node.get(target + query, host="files.test").hit
    purge = node.get(target, method=method, host="files.test", x_facet_purge=SECRET)
    assert (purge.status, purge["Cache-Control"]) == (200, "no-store")
    for query in ("", "?w=50", "?w=60"):
        assert not node.get(target + query, host="files.test").hit


def test_a_wrong_secret_purges_nothing(node: Stage) -> None:
    node.origin.on("/media/safe.txt", b"safe", "text/plain", etag='"safe"')
    node.get("/safe.txt", host="files.test")
    assert node.get("/safe.txt", host="files.test", x_facet_purge="wrong").hit
    assert node.get("/safe.txt", host="files.test", method="PURGE", x_facet_purge="wrong").status == 405
    assert node.get("/media/safe.txt", method="PURGE", x_facet_purge=SECRET).status == 405
    assert node.get("/safe.txt", host="files.test").hit


def test_the_admin_listener_purges_and_shows_metrics(node: Stage) -> None:
    node.origin.on("/media/admin.txt", b"old", "text/plain", etag='"a"')
    assert node.get("/media/admin.txt").body == b"old"
    node.origin.on("/media/admin.txt", b"new", "text/plain", etag='"b"')
    connection = http.client.HTTPConnection(node.keeper.ready["admin"].removeprefix("http://"), timeout=10)
    order = json.dumps({"url": "http://edge.test/media/admin.txt"})
    connection.request("POST", "/purge", order, {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (204, b"")
    assert node.get("/media/admin.txt").body == b"new"

    def metrics() -> str:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

    assert node.get("/media/admin.txt").hit
    until(lambda: 'facet_edge_hits_total{site="default",tier="memory"}' in metrics(), "hits were never reported")
    connection.close()
