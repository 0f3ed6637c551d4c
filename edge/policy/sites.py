"""Which site a request belongs to, what its kind does, and what its source is called.

The rule of this file: paths are compared as they were sent. A source is looked for under exactly one name, and no
spelling of a path leads out of its bucket or its prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from conf.schema import Settings, SiteKind


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One row of the table of kinds."""

    renders: bool
    """The variant grammar and negotiation apply, and with them `Vary: Accept` on every answer."""
    media_headers: bool
    """nosniff and the CSP that disarms documents, on every answer, errors included."""
    query_in_key: bool
    """The query is a part of the source's name and is sent upstream."""
    relays_redirects: bool
    """3xx answers of the upstream reach the client; otherwise they count as a broken upstream."""
    hides_errors: bool
    """401, 403 and 404 of the upstream are all 404 to the client, with our own body."""


BEHAVIOURS: Mapping[SiteKind, Behaviour]


@dataclass(frozen=True, slots=True)
class Site:
    """A compiled site. `bucket` and `upstream` are both None only for the default site (/{bucket}/{key})."""

    name: str
    kind: SiteKind
    host: str
    prefix: str
    bucket: str | None
    upstream: str | None
    upstream_host: str | None
    upstream_proto: str
    access: Literal["anonymous", "key"]
    strip_always: bool
    keep_copyright: bool
    downstream_vary: bool
    cors: str
    revalidate: float
    purge_secret: str | None
    behaviour: Behaviour

    @property
    def at_bucket(self) -> bool:
        """Whether sources are objects of the S3 origin (signed reads), not files of an HTTP upstream."""
        raise NotImplementedError

    def source_path(self, raw_path: str, raw_query: str = "") -> str | None:
        """The one name of a source within this site: key of asset records, flights and epochs.

        raw_path: as `Sites.match` gave it. Objects: percent-decoded and encoded anew, so that every spelling of a
        key has one name. HTTP upstreams: as sent, with `?query` on sites that have the query in the key.
        None: there can be no such object (no key, a dot segment, a broken escape): 404 without asking anybody.
        """
        raise NotImplementedError

    def source_target(self, source_path: str) -> str:
        """The request target to ask the upstream with (path-style at the origin), of a `source_path`."""
        raise NotImplementedError


class Sites:
    """All sites of an edge, compiled once from the settings."""

    def __init__(self, settings: Settings) -> None:
        raise NotImplementedError

    def match(self, host: str, raw_path: str) -> tuple[Site, str] | None:
        """The site of a request and the raw path within it, always starting with "/".

        host: the Host field as sent. The longest prefix that ends at a segment boundary wins. None: a host that has
        sites, but none for this path.
        """
        raise NotImplementedError

    def named(self, name: str) -> Site | None:
        """The site of a name."""
        raise NotImplementedError

    def of_object(self, bucket: str, key: str) -> Iterator[tuple[Site, str]]:
        """Every (site, source path) that an object is served under: what a feed event of it makes old."""
        raise NotImplementedError

    def of_bucket(self, bucket: str) -> Iterator[Site]:
        """Every site that serves objects of a bucket: what a bucket-wide feed event makes old."""
        raise NotImplementedError
