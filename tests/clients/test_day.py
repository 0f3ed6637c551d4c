"""A day in the life of a small Mastodon instance, against nginx, edge and origin."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.house import Door, add_key, behind, run
from tests.clients.instance import Instance, media
from tests.clients.readers import CHROME, Reader, crowd
from tests.nginx.running import MEDIA, NAMES, SECRET, Front, nginx, settings_for
from tests.pki import make_pki
from tests.running import Running, environment, facet_up

SERVERS = 500
SUSPENDED, REMOTE = 150, 1100
MASTODONS_LIMIT = 5.0
BUCKET = "media"
PURGE_HEADER = "X-Facet-Purge"


@dataclass(frozen=True)
class Day:
    """The instance, where it writes and where everybody reads."""

    facet: Running
    front: Front
    door: Door
    instance: Instance

    def counters(self, name: str) -> dict[str, int]:
        """The edge's counter `facet_edge_NAME_total` of the media site, by its last label."""
        with urllib.request.urlopen(f"{self.facet.admin}/metrics") as answer:
            text = answer.read().decode()
        pattern = rf'^facet_edge_{name}_total{{(.*),site="{BUCKET}"}} (\S+)$'
        return {label.split('"')[1]: int(float(count)) for label, count in re.findall(pattern, text, re.MULTILINE)}


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    site = {"name": "media", "host": MEDIA, "bucket": BUCKET, "purge_secret": SECRET}
    settings = {"FACET_SITES": json.dumps([site]), "FACET_EDGE_PROCESSES": "1", "FACET_LOG_LEVEL": "info"}
    with ExitStack() as stack:
        facet = stack.enter_context(facet_up(tmp_path, settings))
        edge, origin = (url.removeprefix("http://") for url in (facet.edge, facet.origin))
        pki = make_pki(tmp_path / "pki", NAMES)
        before = settings_for(tmp_path, pki, edge=edge, origin=origin, s3_host="localhost")
        front = stack.enter_context(nginx(before, pki, tmp_path))
        door = behind(facet, front)
        instance = Instance(door, add_key(facet, "--owner", "mastodon"), BUCKET)
        instance.s3.create_bucket(Bucket=BUCKET)
        yield Day(facet, front, door, instance)


def test_a_day_in_the_life_of_an_instance(day: Day) -> None:
    mastodon, reader = day.instance, Reader(day.front)
    keys = [
        key
        for number, (kind, styles) in enumerate(media(mastodon))
        for key in mastodon.attach(kind, number, styles, cache=number % 3 == 0)
    ]
    archive = mastodon.upload("backups/dumps/archive.tar.gz", mastodon.noise(50_000), "application/gzip", "private")

    _timeline(day, reader, keys)
    _boost(day)
    suspended = _suspension(day, reader)
    _moderator(day, suspended[0])
    _takedown(day, reader, keys[:2])
    _vacuum(day)
    _orphans(day)

    for key in (archive, *suspended):
        for accept in (CHROME, None):
            assert reader.get(key, accept)[0] == 404
        assert reader.get(f"{key}?w=100")[0] == 404
    _accounts(day)
    assert day.instance.slowest, "nothing was timed"
    print("slowest calls in seconds:", _slowest(mastodon))
    assert max(mastodon.slowest.values()) < 30, f"Mastodon waits {MASTODONS_LIMIT} s for a call: {_slowest(mastodon)}"


def _slowest(mastodon: Instance) -> dict[str, float]:
    return {name: round(seconds, 2) for name, seconds in sorted(mastodon.slowest.items())}


def _timeline(day: Day, reader: Reader, keys: list[str]) -> None:
    """Browsers read every file, twice; a film is asked for as Safari does."""
    for key in keys:
        status, fields, body = reader.get(key)
        assert status == 200, (key, fields)
        assert fields["access-control-allow-origin"] == "*"
        assert "default-src 'none'" in fields["content-security-policy"]
        if fields["content-type"] == "application/octet-stream" or not fields["content-type"].startswith("image/"):
            assert body == day.instance.held[key]
        else:
            assert 0 < len(body) <= len(day.instance.held[key])
        assert reader.get(key)[0] == 200
        status, fields, probe = reader.get(key, "*/*", Range="bytes=0-1")
        assert (status, probe) == (206, day.instance.held[key][:2])
    assert day.counters("fills")["stored"] == len(keys)  # one origin fetch per object


def _boost(day: Day) -> None:
    """A post is boosted: 500 servers ask for its four new files and a thumbnail at once."""
    mastodon = day.instance
    posted = [
        mastodon.upload(mastodon.path("media_attachments/files", "original", 900 + each, "jpg"), body, "image/jpeg")
        for each, body in enumerate(mastodon.noise(200_000) for _ in range(4))
    ]
    posted.append(
        mastodon.upload(mastodon.path("accounts/avatars", "static", 900, "png"), mastodon.noise(20_000), "image/png")
    )
    before = day.counters("fills").get("stored", 0)
    answers = crowd(day.front, posted, SERVERS)
    assert len(answers) == SERVERS * len(posted)
    assert {status for _, status, _ in answers} == {200}
    assert not [key for key, _, body in answers if body != mastodon.held[key]]
    assert day.counters("fills")["stored"] - before == len(posted)


def _suspension(day: Day, reader: Reader) -> list[str]:
    """An account is suspended: what everybody could read is not there a second later."""
    mastodon = day.instance
    styles = [
        {
            style: ("jpg", "image/jpeg", mastodon.noise(3000 if style == "original" else 500))
            for style in ("original", "small")
        }
        for _ in range(SUSPENDED)
    ]
    keys = [
        key
        for number, attachment in enumerate(styles)
        for key in mastodon.attach("media_attachments/files", 2000 + number, attachment, cache=False)
    ]
    assert {reader.status(key) for key in keys} == {200}
    mastodon.allow(keys, "private")
    deadline = time.monotonic() + 1
    while reader.status(keys[-1]) != 404 and time.monotonic() < deadline:
        pass
    assert {key: status for key in keys if (status := reader.status(key)) != 404} == {}
    back = keys[-2:]  # and two were suspended by mistake
    mastodon.allow(back, "public-read")
    deadline = time.monotonic() + 1
    while reader.status(back[-1]) != 200 and time.monotonic() < deadline:
        pass
    assert [reader.status(key) for key in back] == [200, 200]
    return keys[:-2]


def _moderator(day: Day, key: str) -> None:
    """A moderator looks at a suspended file through a presigned URL of the S3 host."""
    url = day.instance.s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=60)
    status, _, body = day.front.curl(url)
    assert (status, body) == (200, day.instance.held[key])
    status, _, _ = day.front.curl(url.partition("?")[0])
    assert status == 403


def _takedown(day: Day, reader: Reader, keys: list[str]) -> None:
    """A post is deleted: one batch, and then CACHE_BUSTER's GET of every URL."""
    day.instance.remove(keys)
    for key in keys:
        status, _, _ = reader.get(key, **{PURGE_HEADER: SECRET})
        assert status < 300
        assert reader.status(key) == 404


def _vacuum(day: Day) -> None:
    """Remote media past its retention goes in batches of 1000."""
    mastodon = day.instance

    paths = [
        mastodon.path("media_attachments/files", "original", 5000 + each, "png", cache=True) for each in range(REMOTE)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: mastodon.upload(key, mastodon.noise(400), "image/png"), paths))
    reader = Reader(day.front)
    assert reader.status(paths[0]) == 200
    mastodon.remove(paths)
    deadline = time.monotonic() + 1
    while reader.status(paths[0]) != 404 and time.monotonic() < deadline:
        pass
    assert reader.status(paths[0]) == 404


def _orphans(day: Day) -> None:
    """What the walk finds and Mastodon does not know is removed."""
    mastodon = day.instance
    orphan = mastodon.path("accounts/headers", "original", 99_999, "jpg", cache=True)
    mastodon.s3.put_object(Bucket=BUCKET, Key=orphan, Body=b"nobody's")
    strangers = [entry["Key"] for entry in mastodon.walk() if entry["Key"] not in mastodon.held]
    assert strangers == [orphan]
    mastodon.timed("DeleteObject", lambda: mastodon.s3.delete_object(Bucket=BUCKET, Key=orphan))


def _accounts(day: Day) -> None:
    """The bucket holds what Mastodon believes it does, byte by byte, and the quota's count agrees."""
    mastodon = day.instance
    stored = {entry["Key"]: (entry["Size"], entry["ETag"].strip('"')) for entry in mastodon.walk()}
    assert {key: size for key, (size, _) in stored.items()} == {key: len(body) for key, body in mastodon.held.items()}
    for key, body in mastodon.held.items():
        if "-" not in stored[key][1]:
            assert stored[key][1] == hashlib.md5(body).hexdigest()
    facet = [sys.executable, "-m", "facet"]
    use = json.loads(run([*facet, "bucket", "quota", BUCKET, "--data", day.facet.data], environment()))
    assert (use["bytes"], use["objects"]) == (sum(map(len, mastodon.held.values())), len(mastodon.held))
