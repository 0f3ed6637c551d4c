"""A small Mastodon instance: the calls that Mastodon makes to its object storage, and what it remembers of them.

The rule of this file: keys, headers and batches are Mastodon's own (app/models/concerns/attachmentable.rb and
config/initializers/paperclip.rb for uploads, app/lib/attachment_batch.rb for deletes, lib/mastodon/cli/media.rb for the
orphan walk, app/services/suspend_account_service.rb for ACLs); every call is timed, because Mastodon gives up on one
after 5 seconds and then on all for half a minute.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from demo import pictures
from tests.clients.house import REGION, Door, Key

T = TypeVar("T")
HANG = 60.0
FOREVER = "public, max-age=315576000, immutable"


class Instance:
    """One Mastodon: its bucket, the bytes it believes to have there, and how long each call took."""

    def __init__(self, door: Door, key: Key, bucket: str) -> None:
        self.bucket = bucket
        self.held: dict[str, bytes] = {}
        self.slowest: dict[str, float] = {}
        self._random = random.Random(bucket)
        self._lock = threading.Lock()
        self.s3 = boto3.client(
            "s3",
            endpoint_url=door.url,
            region_name=REGION,
            aws_access_key_id=key.access,
            aws_secret_access_key=key.secret,
            verify=str(door.authority) if door.authority else None,
            config=Config(
                signature_version="s3v4",
                connect_timeout=HANG,
                read_timeout=HANG,
                retries={"max_attempts": 1},
                max_pool_connections=16,
                s3={"addressing_style": "path"},
            ),
        )

    def timed(self, name: str, call: Callable[[], T]) -> T:
        """The call's answer; the longest time of each name is kept."""
        started = time.monotonic()
        try:
            return call()
        finally:
            took = time.monotonic() - started
            with self._lock:
                self.slowest[name] = max(took, self.slowest.get(name, 0.0))

    def path(self, kind: str, style: str, number: int, extension: str, *, cache: bool = False) -> str:
        """A key as Paperclip makes it: class, id in parts of three digits, style, a random name."""
        parts = f"{110_000_000_000_000_000 + number:018}"
        folders = "/".join(parts[at : at + 3] for at in range(0, 18, 3))
        name = hashlib.md5(f"{kind}{number}".encode()).hexdigest()[:16]
        return f"{'cache/' if cache else ''}{kind}/{folders}/{style}/{name}.{extension}"

    def noise(self, size: int) -> bytes:
        """Bytes that are nowhere else."""
        with self._lock:
            return self._random.randbytes(size)

    def upload(self, key: str, body: bytes, kind: str, acl: str = "public-read") -> str:
        """One style of one attachment; what is above 15 MiB goes in parts of 5 MiB."""
        options = {"ACL": acl, "ContentType": kind, "CacheControl": FOREVER}
        if len(body) <= 15 << 20:
            self.timed("PutObject", lambda: self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **options))
        else:
            self._in_parts(key, body, options)
        with self._lock:
            self.held[key] = body
        return key

    def _in_parts(self, key: str, body: bytes, options: dict[str, str]) -> None:
        where = {"Bucket": self.bucket, "Key": key}
        begun = self.timed("CreateMultipartUpload", lambda: self.s3.create_multipart_upload(**where, **options))
        where["UploadId"] = begun["UploadId"]

        def send(number: int) -> dict[str, Any]:
            part = body[(number - 1) * (5 << 20) : number * (5 << 20)]
            sent = self.timed("UploadPart", lambda: self.s3.upload_part(**where, PartNumber=number, Body=part))
            return {"PartNumber": number, "ETag": sent["ETag"]}

        with ThreadPoolExecutor(10) as pool:
            parts = list(pool.map(send, range(1, -(-len(body) // (5 << 20)) + 1)))
        done = {"Parts": parts}
        self.timed("CompleteMultipartUpload", lambda: self.s3.complete_multipart_upload(**where, MultipartUpload=done))

    def attach(self, kind: str, number: int, styles: dict[str, tuple[str, str, bytes]], *, cache: bool) -> list[str]:
        """Every style of one attachment: style → (extension, type, bytes). The keys."""
        return [
            self.upload(self.path(kind, style, number, extension, cache=cache), body, type_)
            for style, (extension, type_, body) in styles.items()
        ]

    def allow(self, keys: list[str], acl: str) -> None:
        """Suspension and its end: PutObjectAcl for every style, as many at once as Sidekiq has threads."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: self._allow(key, acl), keys))

    def _allow(self, key: str, acl: str) -> None:
        self.timed("PutObjectAcl", lambda: self.s3.put_object_acl(Bucket=self.bucket, Key=key, ACL=acl))

    def remove(self, keys: list[str]) -> None:
        """The attachment batch and the vacuum: DeleteObjects, quiet, 1000 at a time."""
        for at in range(0, len(keys), 1000):
            batch = {"Objects": [{"Key": key} for key in keys[at : at + 1000]], "Quiet": True}
            told = self.timed(
                "DeleteObjects", lambda batch=batch: self.s3.delete_objects(Bucket=self.bucket, Delete=batch)
            )
            assert not told.get("Errors")
        for key in keys:
            self.held.pop(key, None)

    def _delete(self, batch: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.s3.delete_objects(Bucket=self.bucket, Delete=batch)
        return answer

    def walk(self) -> Iterator[dict[str, Any]]:
        """tootctl media remove-orphans: pages by start-after, never by token."""
        last = ""
        while True:
            page = self.timed(
                "ListObjectsV2",
                lambda last=last: self.s3.list_objects_v2(Bucket=self.bucket, StartAfter=last, MaxKeys=100),
            )
            entries = page.get("Contents", [])
            if not entries:
                return
            yield from entries
            last = entries[-1]["Key"]


def film(size: int, noise: bytes) -> bytes:
    """The box that says MP4, and then noise: nobody on the way looks further at a film that is asked for plain."""
    return b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + noise[: size - 24]


def media(instance: Instance) -> list[tuple[str, dict[str, tuple[str, str, bytes]]]]:
    """One attachment of every kind that Mastodon stores, each with its styles."""
    photo, small = pictures.photo(900, 1200), pictures.photo(360, 480)
    png, gif = pictures.transparent_png(400), pictures.animation()
    still = pictures.transparent_png(100)
    webp = bytes(pictures.landscape(640, 480).webpsave_buffer(Q=80))
    files = "media_attachments/files"
    return [
        (files, {"original": ("jpg", "image/jpeg", photo), "small": ("jpg", "image/jpeg", small)}),
        (files, {"original": ("png", "image/png", png), "small": ("png", "image/png", still)}),
        (files, {"original": ("webp", "image/webp", webp), "small": ("webp", "image/webp", webp)}),
        (files, {
            "original": ("mp4", "video/mp4", film(16_000_000, instance.noise(16_000_000))),
            "small": ("png", "image/png", pictures.transparent_png(200)),
        }),
        (files, {"original": ("mp3", "audio/mpeg", instance.noise(300_000))}),
        (files, {"original": ("ogg", "audio/ogg", instance.noise(200_000))}),
        (files, {"original": ("flac", "audio/flac", instance.noise(400_000))}),
        ("media_attachments/thumbnails", {"original": ("png", "image/png", pictures.transparent_png(150))}),
        ("accounts/avatars", {"original": ("gif", "image/gif", gif), "static": ("png", "image/png", still)}),
        ("accounts/headers", {"original": ("jpg", "image/jpeg", pictures.photo(500, 300))}),
        ("custom_emojis/images", {
            "original": ("gif", "image/gif", pictures.animation(64)),
            "static": ("png", "image/png", pictures.transparent_png(64)),
        }),
        ("preview_cards/images", {"original": ("jpg", "image/jpeg", pictures.photo(300, 200))}),
        ("site_uploads/files", {"original": ("png", "image/png", pictures.transparent_png(300))}),
    ]  # fmt: skip
