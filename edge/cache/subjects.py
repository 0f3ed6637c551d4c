"""What a purge can name, and the one key that every spelling of a path shares.

The rule of this file: lookups and purges derive their keys here and nowhere else. A bucket's key can be spelled
in many ways (`%41` or `A`, upper or lower case hex), and the origin's feed speaks of buckets and decoded keys; so
what is read from a bucket is named by (bucket, decoded key), on whichever site it appears. What is read from any
other upstream is named by (site, raw path): there only the upstream knows which spellings are the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from blake3 import blake3

_SUFFIX = 16  # bytes of the hash that closes an asset key
_DEEPEST = 12  # levels of folders that a lookup knows as prefixes; a purge of a deeper one purges the twelfth


class Addressed(Protocol):
    """What a purge needs to know about a site (edge.policy.sites.Site has it)."""

    @property
    def name(self) -> str: ...
    @property
    def bucket(self) -> str | None: ...
    @property
    def upstream(self) -> object | None: ...


class Subject(NamedTuple):
    """What one lookup depends on, from wide to narrow. Any of them being bumped makes a record unusable."""

    site: bytes
    """The site."""
    group: bytes
    """The bucket, or again the site where there is none."""
    path: bytes
    """The object within the group. Starts with `group`: a range of keys is a bucket, or a prefix in it."""
    marks: tuple[bytes, ...] = ()
    """The prefixes it lies under, and the tags and cache groups (RFC 9875) that the stored answer says it has."""


def _split(raw_path: str) -> tuple[bytes, bytes]:
    """(path, query with its "?" or empty), as sent."""
    path, mark, query = raw_path.encode("utf-8", "surrogateescape").partition(b"?")
    return path, mark + query


def _site_group(name: str) -> bytes:
    return b"s\0" + name.encode() + b"\0"


def bucket_group(bucket: str) -> bytes:
    """The group of everything in a bucket, for bucket-wide events of the feed."""
    return b"b\0" + bucket.encode() + b"\0"


def bucket_path(bucket: str, key: str) -> bytes:
    """The path of one object, for events of the feed: equal to purge_subject(…).path of every URL that shows it."""
    return bucket_group(bucket) + key.encode("utf-8", "surrogateescape")


def cache_group(site_name: str, name: str) -> bytes:
    """One cache group of a site (RFC 9875: groups of different origins have nothing to do with each other)."""
    return _site_group(site_name) + b"g\0" + name.encode()


def purge_subject(site: Addressed, raw_path: str, groups: Iterable[str] = ()) -> Subject:
    """The subject of a path within a site: `raw_path` starts with "/" and is still percent-encoded.

    A query is no part of it: a purged URL is purged with all its variants. groups: of the stored answer.
    """
    group, path = _placed(site, raw_path)
    return Subject(_site_group(site.name), group, path, _marks(site.name, group, path, groups))


def prefix(site: Addressed, raw_path: str) -> bytes:
    """What the paths of everything under a prefix begin with; the prefix ends with the last "/" of `raw_path`.

    Where that is deeper than lookups go, it is the deepest above that they know; where it is all of a bucket or an
    upstream, it is their group.
    """
    group, path = _placed(site, raw_path)
    return next(reversed(_prefixes(group, path)), group)


def _placed(site: Addressed, raw_path: str) -> tuple[bytes, bytes]:
    """The group of a path within a site, and the subject's path, which begins with it."""
    path, _ = _split(raw_path)
    if site.upstream is not None:
        group = _site_group(site.name)
        return group, group + path
    if site.bucket is not None:
        bucket, key = site.bucket.encode(), unquote_to_bytes(path[1:])
    else:
        first, _, rest = path[1:].partition(b"/")
        bucket, key = unquote_to_bytes(first), unquote_to_bytes(rest)
    group = b"b\0" + bucket + b"\0"
    return group, group + key


def _prefixes(group: bytes, path: bytes) -> list[bytes]:
    """The prefixes that a path lies under, from wide to narrow."""
    found: list[bytes] = []
    end = len(group)
    while len(found) < _DEEPEST and (end := path.find(b"/", end) + 1):
        found.append(path[:end])
    return found


def _marks(site_name: str, group: bytes, path: bytes, groups: Iterable[str]) -> tuple[bytes, ...]:
    return (*_prefixes(group, path), *(cache_group(site_name, name) for name in groups))


def asset_key(site: Addressed, raw_path: str, selection: str | None = None) -> bytes:
    """The key of the asset record of a path within a site.

    Pass the query along only where the site has it in its key. The subject's path comes first, so that all
    records of a subject lie side by side; a hash of site, query and `selection`, which tells apart the answers of an
    upstream that varies them (edge.policy.vary), closes it.
    """
    subject = purge_subject(site, raw_path)
    _, query = _split(raw_path)
    selected = () if selection is None else (selection.encode("utf-8", "surrogateescape"),)
    return subject.path + b"\0" + blake3(b"\0".join((site.name.encode(), query, *selected))).digest(_SUFFIX)


def subject_of(key: bytes, site_name: str, groups: Iterable[str] = ()) -> Subject:
    """The subject of an asset record: its asset_key(), its site's name and its groups."""
    path = key[: -_SUFFIX - 1]
    kind, name, _ = path.split(b"\0", 2)
    group = kind + b"\0" + name + b"\0"
    return Subject(_site_group(site_name), group, path, _marks(site_name, group, path, groups))


def site_group(site: Addressed) -> bytes:
    """The group of everything a site shows, for a purge of the site."""
    return _site_group(site.name)


def site_assets(site: Addressed) -> bytes:
    """What the asset keys of everything a site shows begin with; other sites of its bucket may begin so too."""
    if site.upstream is not None:
        return _site_group(site.name)
    return b"b\0" if site.bucket is None else bucket_group(site.bucket)
