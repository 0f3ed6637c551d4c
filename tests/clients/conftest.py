"""One Facet with its two doors for all clients, and files to send."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.house import Door, behind
from tests.nginx.running import MEDIA, NAMES, PLAIN, SECRET, Front, nginx, settings_for
from tests.pki import make_pki
from tests.running import Running, facet_up


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a client may have to install it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def facet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    sites = [
        {"name": "media", "host": MEDIA, "bucket": "media", "purge_secret": SECRET},
        {"name": "films", "host": PLAIN, "bucket": "films"},
    ]
    with facet_up(
        tmp_path_factory.mktemp("clients"),
        {"FACET_SITES": json.dumps(sites), "FACET_EDGE_PROCESSES": "1", "FACET_LOG_LEVEL": "info"},
    ) as running:
        yield running


@pytest.fixture(scope="session")
def front(facet: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """nginx before `facet`, on the configuration that `facet nginx` writes."""
    folder = tmp_path_factory.mktemp("front")
    pki = make_pki(folder / "pki", NAMES)
    edge, origin = (url.removeprefix("http://") for url in (facet.edge, facet.origin))
    settings = settings_for(folder, pki, edge=edge, origin=origin, s3_host="localhost")
    with nginx(settings, pki, folder) as running:
        yield running


@pytest.fixture(scope="session", params=["http", "https"])
def door(request: pytest.FixtureRequest, facet: Running) -> Door:
    """S3 as a client reaches it: the origin itself, and nginx with TLS before it."""
    if request.param == "http":
        return Door(facet, facet.origin, None)
    return behind(facet, request.getfixturevalue("front"))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 MB that no compression helps: every client sends them in parts."""
    file = tmp_path_factory.mktemp("large") / "large.mp4"
    file.write_bytes(random.Random(20).randbytes(20_000_000))
    return file


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what makes clients stumble: an empty file, blanks, letters beyond ASCII, signs, depth."""
    folder = tmp_path_factory.mktemp("tree")
    for name, size in (
        ("empty", 0), ("plain.txt", 1000), ("with blank & +plus.txt", 10), ("café/über ☃.txt", 100),
        ("a/b/c/deep.bin", 70_000), ("100%.txt", 5), ("a=b;c,d'e.txt", 7),
    ):  # fmt: skip
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(random.Random(name).randbytes(size))
    return folder
