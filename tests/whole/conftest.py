"""One real Facet for the tests of this folder, with the generated pictures in a public bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import pictures
from tests.running import Running, facet_up

SITES = [
    {"name": "root", "host": "media.example.com", "bucket": "pictures", "purge_secret": "a-purge-secret"},
    {"name": "prefixed", "host": "www.example.com", "prefix": "/files", "bucket": "pictures"},
    {"name": "assets", "host": "assets.example.com", "kind": "assets", "upstream": "http://127.0.0.1:1"},
    {"name": "static", "host": "static.example.com", "kind": "website", "bucket": "static", "error": "404.html"},
]


@pytest.fixture(scope="session")
def facet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("facet")
    with facet_up(folder, {"FACET_SITES": json.dumps(SITES), "FACET_EDGE_PROCESSES": "2"}) as running:
        yield running


@pytest.fixture(scope="session")
def gallery(facet: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's pictures, uploaded; key in the bucket `pictures` → file."""
    files = {path.name: path for path in pictures.write_all(tmp_path_factory.mktemp("pictures")).values()}
    s3 = facet.s3()
    s3.create_bucket(Bucket="pictures")
    types = {".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".svg": "image/svg+xml"}
    for name, path in files.items():
        s3.upload_file(str(path), "pictures", name, ExtraArgs={"ACL": "public-read", "ContentType": types[path.suffix]})
    return files
