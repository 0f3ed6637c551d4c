"""One pair of twins for each file, with a picture and a large body in their lanes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo import pictures
from tests.edge.lane.twins import Twins, twins

PICTURE = "/media/a.jpg?w=64"
LARGE = "/media/large.bin"
LARGE_SIZE = 900_000  # bytes; more than a socket takes at once, less than edge.memory_object


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    site = {"name": "files", "host": "files.test", "bucket": "media", "purge_secret": "a-secret"}
    with twins(tmp_path_factory.mktemp("twins"), {"sites": [site], "edge": {"revalidate": 100_000}}) as pair:
        photo = pictures.photo(300, 400)
        pair.node.origin.on("/media/a.jpg", photo, "image/jpeg", etag='"a"', identity="aa" * 32)
        pair.node.origin.on("/media/large.bin", b"\0" * LARGE_SIZE, "application/zip", etag='"large"')
        pair.warm(PICTURE)
        pair.warm(PICTURE, accept="image/avif,image/webp,*/*")
        pair.warm(LARGE)
        yield pair
