"""The real nginx before the real Facet: uploads by boto3 over https, reads as browsers do over HTTP/2."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import pyvips
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from demo import pictures
from tests.nginx.running import (
    ASSETS,
    DOMAIN,
    MEDIA,
    NAMES,
    PLAIN,
    SECRET,
    Front,
    Peer,
    nginx,
    settings_for,
)
from tests.pki import make_pki
from tests.running import ROOT_KEY, Running, facet_up

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
PART = 5 * 1024 * 1024


@dataclass(frozen=True)
class House:
    """Facet behind nginx, and the web server whose files the assets site shows."""

    facet: Running
    front: Front
    web: Peer
    photo: bytes

    def s3(self, host: str = "localhost", *, style: str = "path", **config: Any) -> Any:
        """A boto3 client that speaks https to nginx; only "localhost" can be resolved here, the others presign."""
        return boto3.client(
            "s3",
            endpoint_url=f"https://{host}:{self.front.https}",
            region_name="eu-central-1",
            aws_access_key_id=ROOT_KEY["FACET_ROOT_ACCESS_KEY"],
            aws_secret_access_key=ROOT_KEY["FACET_ROOT_SECRET_KEY"],
            verify=str(self.front.authority),
            config=Config(
                retries={"max_attempts": 1}, s3={"addressing_style": style}, signature_version="s3v4", **config
            ),
        )

    def read(self, host: str, target: str, *options: str) -> tuple[int, dict[str, str], bytes]:
        """Ask a public host over HTTP/2."""
        return self.front.curl(f"https://{host}:{self.front.https}{target}", *options)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    pki = make_pki(folder / "pki", NAMES)
    with ExitStack() as stack:
        web = stack.enter_context(Peer().running())
        sites = [
            {"name": "media", "host": MEDIA, "bucket": "media", "purge_secret": SECRET},
            {
                "name": "assets",
                "host": ASSETS,
                "kind": "assets",
                "upstream": f"http://{web.address}",
                "upstream_host": "social.example.test",
            },
        ]
        environment = {"FACET_SITES": json.dumps(sites), "FACET_ORIGIN_DOMAINS": DOMAIN, "FACET_EDGE_PROCESSES": "1"}
        facet = stack.enter_context(facet_up(folder, environment))
        edge, origin = (url.removeprefix("http://") for url in (facet.edge, facet.origin))
        settings = settings_for(folder, pki, edge=edge, origin=origin, s3_host="localhost")
        front = stack.enter_context(nginx(settings, pki, folder))
        running = House(facet, front, web, pictures.photo(900, 1200))
        running.s3().create_bucket(Bucket="media")
        running.s3().put_object(
            Bucket="media", Key="photo.jpg", Body=running.photo, ContentType="image/jpeg", ACL="public-read"
        )
        yield running


def test_an_upload_over_https_arrives_whole_with_its_metadata(house: House) -> None:
    s3 = house.s3()
    stored = s3.put_object(
        Bucket="media", Key="note.txt", Body=b"hello" * 5000, ContentType="text/plain", Metadata={"a_b.c": "1"}
    )
    assert stored["ChecksumCRC32"]  # what boto3 sends over https: aws-chunked, with the checksum in the trailer
    found = s3.get_object(Bucket="media", Key="note.txt")
    assert found["Body"].read() == b"hello" * 5000
    assert found["Metadata"] == {"a_b.c": "1"}
    assert found["ContentType"] == "text/plain"
    assert "ContentEncoding" not in found


def test_a_large_upload_goes_in_parts(house: House, tmp_path: Path) -> None:
    body = bytes(range(256)) * (4096 * 12)
    (tmp_path / "large").write_bytes(body)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    house.s3().upload_file(str(tmp_path / "large"), "media", "large.bin", Config=config)
    assert house.s3().head_object(Bucket="media", Key="large.bin")["ETag"].endswith('-3"')
    house.s3().download_file("media", "large.bin", str(tmp_path / "back"), Config=config)
    assert (tmp_path / "back").read_bytes() == body


@pytest.mark.parametrize("key", ["a//b.txt", "/lead.txt", "dir%2Fnot/c.txt", "caf é/☃+&=?.txt", "a'()*!~$,;:@.txt"])
def test_any_key_survives_the_way_there_and_back(house: House, key: str) -> None:
    s3 = house.s3()
    body = key.encode()
    s3.put_object(Bucket="media", Key=key, Body=body, ContentType="text/plain", ACL="public-read")
    assert s3.get_object(Bucket="media", Key=key)["Body"].read() == body
    presigned = s3.generate_presigned_url("get_object", Params={"Bucket": "media", "Key": key}, ExpiresIn=60)
    assert house.front.curl(presigned)[::2] == (200, body)
    status, _, read = house.read(PLAIN, "/media/" + urllib.parse.quote(key))
    assert (status, read) == (200, body)


def test_a_bucket_can_be_a_host_name(house: House) -> None:
    s3 = house.s3(DOMAIN, style="virtual")
    presigned = s3.generate_presigned_url("get_object", Params={"Bucket": "media", "Key": "photo.jpg"}, ExpiresIn=60)
    assert presigned.startswith(f"https://media.{DOMAIN}:")
    assert house.front.curl(presigned)[::2] == (200, house.photo)
    status, _, error = house.front.curl(presigned[:-1] + ("0" if presigned[-1] != "0" else "1"))
    assert status == 403
    assert b"SignatureDoesNotMatch" in error


def test_an_upload_with_a_presigned_url_works_over_http2(house: House, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(house.photo)
    url = house.s3().generate_presigned_url("put_object", Params={"Bucket": "media", "Key": "put.jpg"}, ExpiresIn=60)
    status, _, _ = house.front.curl(url, "--upload-file", str(tmp_path / "body"))
    assert status == 200
    assert house.s3().get_object(Bucket="media", Key="put.jpg")["Body"].read() == house.photo


@pytest.mark.parametrize(
    ("options", "types"),
    [
        (("-H", f"Accept: {CHROME}"), {"image/avif", "image/webp"}),
        (("-H", "Accept: image/webp,*/*"), {"image/webp"}),
        (("-H", "Accept: image/png,image/*;q=0.8,*/*;q=0.5"), {"image/jpeg"}),
        (("-H", "Accept:"), {"image/jpeg"}),
    ],
)
@pytest.mark.parametrize(("host", "target"), [(MEDIA, "/photo.jpg?w=200"), (PLAIN, "/media/photo.jpg?w=200")])
def test_every_reader_gets_a_variant_it_can_show(
    house: House, host: str, target: str, options: tuple[str, ...], types: set[str]
) -> None:
    status, fields, body = house.read(host, target, *options)
    assert status == 200
    assert fields["content-type"] in types
    image = pyvips.Image.new_from_buffer(body, "", fail_on="truncated").autorot()
    assert image.width == 200
    assert image.height == pytest.approx(267, abs=1)
    assert fields["vary"].lower() == "accept"
    assert fields["access-control-allow-origin"] == "*"
    status, fields, again = house.read(host, target, *options)
    assert "hit" in fields["cache-status"]
    assert again == body
    status, fields, nothing = house.read(host, target, *options, "-H", f"If-None-Match: {fields['etag']}")
    assert (status, nothing) == (304, b"")
    status, fields, part = house.read(host, target, *options, "-H", "Range: bytes=5-14")
    assert (status, part) == (206, body[5:15])


def test_what_is_not_public_is_not_found(house: House) -> None:
    house.s3().put_object(Bucket="media", Key="private.jpg", Body=house.photo, ContentType="image/jpeg")
    for target in ("/private.jpg", "/private.jpg?w=100"):
        assert house.read(MEDIA, target)[0] == 404


def test_only_the_right_secret_purges(house: House) -> None:
    target = "/photo.jpg?w=150"
    house.read(MEDIA, target)
    for options in (("-X", "PURGE"), ("-X", "PURGE", "-H", "X-Facet-Purge: a wrong one")):
        assert house.read(MEDIA, target, *options)[0] == 405
        assert "hit" in house.read(MEDIA, target)[1]["cache-status"]
    assert house.read(MEDIA, "/photo.jpg", "-X", "PURGE", "-H", f"X-Facet-Purge: {SECRET}")[0] in (200, 202, 204)
    status, fields, _ = house.read(MEDIA, target)
    assert status == 200
    assert "fwd=" in fields["cache-status"]


def test_files_of_a_web_server_come_through_untouched(house: House) -> None:
    body = b"export const answer = 42;\n"
    house.web.answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nCache-Control: public, max-age=2419200\r\n"
        b'ETag: "1"\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body)
    )
    status, fields, read = house.read(ASSETS, "/packs//a%2Fb.js?v=1&v=2")
    assert (status, read) == (200, body)
    assert fields["content-type"] == "text/javascript"
    assert fields["access-control-allow-origin"] == "*"
    assert "content-security-policy" not in fields
    assert house.web.target() == b"/packs//a%2Fb.js?v=1&v=2"
    assert house.web.fields()[b"host"] == b"social.example.test"
    assert house.web.fields()[b"x-forwarded-proto"] == b"https"
    assert "hit" in house.read(ASSETS, "/packs//a%2Fb.js?v=1&v=2")[1]["cache-status"]


def test_each_host_leads_to_its_own_half(house: House) -> None:
    assert house.read(MEDIA, "/", "-X", "PUT", "--data", "x")[0] == 405
    _, fields, stored = house.front.curl(f"https://localhost:{house.front.https}/media/photo.jpg")
    assert stored == house.photo
    assert "cache-status" not in fields
