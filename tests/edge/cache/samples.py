"""Sites, records and bodies that the tests of the cache and of the keeper's stores share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.cache.entry import AssetRecord, BodyRef, Representation, name_hash, rendering_key, source_id, source_key
from edge.cache.subjects import asset_key


@dataclass(frozen=True)
class PlainSite:
    """What a purge knows of a site."""

    name: str
    bucket: str | None = None
    upstream: str | None = None


DEFAULT = PlainSite("default")
PHOTOS = PlainSite("photos-host", bucket="photos")
ASSETS = PlainSite("assets", upstream="http://127.0.0.1:3000")


class Unbounded:
    """A disk without a bound, for tests of bodies alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held = 0

    def reserve(self, total: int) -> Unbounded:
        self.held += total
        return self

    def grow(self, total: int) -> None: ...
    def admit(self, key: str, total: int) -> None: ...
    def release(self) -> None:
        self.held = 0

    def discard(self, key: str) -> None:
        (self.folder / "bodies" / key[:2] / key).unlink(missing_ok=True)


def ref(name: str, length: int = 10) -> BodyRef:
    return BodyRef(key=name_hash(name), length=length, digest=name_hash("digest", name))


def asset(site: PlainSite, path: str, *, epoch: int = 0, source: BodyRef | None = None, **fields: Any) -> AssetRecord:
    return AssetRecord(
        key=asset_key(site, path),
        site=site.name,
        path=path,
        status=200,
        epoch=epoch,
        stored_at=1_000.0,
        edge_expires=1_300.0,
        source=source,
        **fields,
    )


def rendering(source: str, plan: str, body: BodyRef | None = None) -> Representation:
    return Representation(
        source_id=source,
        plan=plan,
        body=body or BodyRef(key=rendering_key(source, plan), length=10, digest="0" * 64),
        content_type="image/webp",
        etag="tag",
        width=10,
        height=10,
        made_at=1_000.0,
    )


__all__ = [
    "ASSETS", "DEFAULT", "PHOTOS", "PlainSite", "Unbounded", "asset", "ref", "rendering", "source_id", "source_key",
]  # fmt: skip
