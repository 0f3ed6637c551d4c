"""Buckets of other S3 services as upstreams: moto's, and a second Facet's, which checks every signature."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from tests.edge.dialogue.stage import WEBP, stage
from tests.running import ROOT_KEY, Running, facet_up

SECRET = "moto-secret-key"
KEYS = ("plain.jpg", "dir/café +&ü.jpg", "a~b(c).jpg")
TARGETS = ("/plain.jpg", "/dir/caf%c3%a9%20+&%C3%BC.jpg", "/a%7eb(c).jpg")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with facet_up(tmp_path_factory.mktemp("other"), {"FACET_EDGE_PROCESSES": "1"}) as running:
        yield running


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def put(s3: Any, bucket: str, photo: bytes, **options: str) -> None:
    s3.create_bucket(Bucket=bucket)
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=photo, ContentType="image/jpeg", **options)


def test_another_facets_private_bucket_is_read_with_the_sites_key(tmp_path: Path, other: Running, photo: bytes) -> None:
    put(other.s3(), "private", photo)
    bucket = {"kind": "media", "bucket": "private", "endpoint": other.origin}
    keys = {"access_key": ROOT_KEY["FACET_ROOT_ACCESS_KEY"], "secret_key": ROOT_KEY["FACET_ROOT_SECRET_KEY"]}
    sites = [
        {"name": "signed", "host": "signed.test", "region": "eu-west-9", **bucket, **keys},
        {"name": "wrong", "host": "wrong.test", **bucket, **keys, "secret_key": "not-the-secret"},
        {"name": "unsigned", "host": "unsigned.test", **bucket},
    ]
    with stage(tmp_path, {"sites": sites}) as edge:
        for target in TARGETS:
            assert edge.get(target, host="signed.test").body == photo, target
            assert edge.get(target, host="signed.test").hit
        assert edge.get("/plain.jpg?w=50", host="signed.test", accept=WEBP)["Content-Type"] == "image/webp"
        assert edge.get("/absent.jpg", host="signed.test").status == 404
        assert edge.get("/", host="signed.test").status == 404
        assert edge.get("/plain.jpg", host="unsigned.test").status == 404
        refused = edge.get("/plain.jpg", host="wrong.test")
        assert (refused.status, "detail=upstream-error" in refused.cache) == (502, True)
        assert edge.origin.asked == []
    log = edge.log.read_text()
    assert keys["secret_key"] not in log
    assert "not-the-secret" not in log


def test_a_public_bucket_of_any_service_is_read_unsigned(tmp_path: Path, moto: str, photo: bytes) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=moto,
        region_name="us-east-1",
        aws_access_key_id="moto",
        aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}),
    )
    put(s3, "public", photo, ACL="public-read")
    s3.put_object(Bucket="public", Key="index.html", Body=b"home", ContentType="text/html", ACL="public-read")
    bucket = {"bucket": "public", "endpoint": moto}
    sites = [
        {"name": "media", "host": "media.test", **bucket},
        {"name": "signed", "host": "signed.test", **bucket, "access_key": "moto", "secret_key": SECRET},
        {"name": "www", "host": "www.test", "kind": "website", **bucket},
    ]
    with stage(tmp_path, {"sites": sites}) as edge:
        for host in ("media.test", "signed.test"):
            for target in TARGETS:
                assert edge.get(target, host=host).body == photo, (host, target)
        assert edge.get("/plain.jpg?w=50", host="media.test", accept=WEBP)["Content-Type"] == "image/webp"
        assert edge.get("/", host="www.test").body == b"home"
    assert SECRET not in edge.log.read_text()


def test_an_identity_counts_only_from_our_own_origin(tmp_path: Path) -> None:
    """Else whoever holds one upstream could lay his bytes under another site's pictures."""
    with stage(tmp_path) as probe:
        sites = [{"name": "far", "host": "far.test", "bucket": "far", "endpoint": probe.origin.url}]
        for host, body in (("media", b"ours"), ("far", b"his")):
            probe.origin.on(f"/{host}/x.bin", body, "application/octet-stream", etag='"1"', identity="77" * 32)
        with stage(tmp_path / "edge", {"sites": sites, "edge": {"origin": probe.origin.url}}) as edge:
            assert edge.get("/media/x.bin").body == b"ours"
            assert edge.get("/x.bin", host="far.test").body == b"his"
            assert edge.get("/media/x.bin").body == b"ours"
