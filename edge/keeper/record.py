"""What an upstream's answer becomes: the record of an asset, and what a stored one is still good for.

The rule of this file: pure functions; times are arguments, in seconds since 1970. Headers are mappings of lower-case
names to combined values (`wire.fields.combine`).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from edge.cache.entry import AssetRecord, name_hash, source_id
from edge.keeper.selection import facts_of
from edge.policy import freshness, validation
from edge.policy.freshness import Lifetimes
from edge.policy.hygiene import effective_type, stored_headers
from edge.policy.invalidation import groups
from edge.policy.reasons import Detail
from edge.policy.sites import Site
from edge.policy.stale import Windows
from edge.policy.stale import windows as stale_windows
from edge.policy.storing import not_storable
from edge.policy.tags import tags
from edge.upstream.bucket import IDENTITY_HEADER
from wire.dates import http_date, parse_http_date
from wire.etags import parse_etag

_FORBIDDEN = frozenset({Detail.NO_STORE, Detail.PRIVATE})
# Problems that may have been the renderer's own: looked at again after the next revalidation.
_ACCIDENTS = frozenset({Detail.CRASHED, Detail.TIMED_OUT})


def drafted(
    site: Site,
    lifetimes: Lifetimes,
    path: str,
    key: bytes,
    epoch: int,
    status: int,
    headers: Mapping[str, str],
    *,
    asked: float,
    answered: float,
) -> AssetRecord:
    """The record of a new answer, as far as its head says it. Every refusal of a bucket is a 404."""
    if site.behaviour.hides_errors and status != 200:
        status = 404
    tag = parse_etag(headers.get("etag", ""))
    identity = headers.get(IDENTITY_HEADER) if site.at_bucket else None  # only our origin's counts everywhere
    file = path.partition("?")[0]
    transparent = site.behaviour.transparent
    age = freshness.initial_age(headers, asked, answered)
    expires = answered + freshness.edge_lifetime(file, status, headers, lifetimes, asked, answered)
    windows = stale_windows(headers, lifetimes, age, answered, expires)
    draft = AssetRecord(
        key=key,
        site=site.name,
        path=path,
        status=status,
        epoch=epoch,
        stored_at=answered,
        edge_expires=expires,
        refreshing=windows.refreshing,
        failing=windows.failing,
        away=windows.away,
        identity=identity,
        upstream_etag=headers.get("etag"),
        last_modified=parse_http_date(headers.get("last-modified", ""), answered),
        content_type=headers.get("content-type") if transparent else effective_type(headers.get("content-type"), file),
        headers=stored_headers(site, headers),
        upstream_date=_date(headers, answered),
        upstream_age=age,
        no_transform=freshness.forbids_transform(headers),
        groups=(*groups(headers), *tags(headers, site.tag_headers)),
    )
    if transparent:  # its upstream's tags are taken for what they are, and trusted to name nothing
        return draft
    if identity is not None or (tag is not None and not tag.weak):
        return identified(draft, source_id(identity, key, headers.get("etag", "")))
    return draft


def identified(record: AssetRecord, source: str) -> AssetRecord:
    """The record with what names its bytes: the strong ETag of stored bytes is derived from that name."""
    return msgspec.structs.replace(record, source_id=source, etag=name_hash("etag", source)[:32])


def freshened(
    old: AssetRecord,
    site: Site,
    lifetimes: Lifetimes,
    epoch: int,
    answer: Mapping[str, str],
    *,
    asked: float,
    answered: float,
) -> AssetRecord:
    """The stored record after a 304 (RFC 9111 §4.3.4), or a HEAD that confirms it (§4.3.5)."""
    transparent = site.behaviour.transparent
    kept = validation.NOT_UPDATED_AS_THEY_ARE if transparent else validation.NOT_UPDATED
    headers = validation.freshened(old.headers, stored_headers(site, answer), kept)
    file = old.path.partition("?")[0]
    # How old it is, this answer alone says.
    timing = {name: value for name, value in headers.items() if name != "date"}
    timing |= {name: answer[name] for name in ("age", "date") if name in answer}
    age = freshness.initial_age(timing, asked, answered)
    expires = answered + freshness.edge_lifetime(file, old.status, timing, lifetimes, asked, answered)
    windows = stale_windows(timing, lifetimes, age, answered, expires)
    if not_storable(old.status, timing, site.behaviour) in _FORBIDDEN:  # from now on: nobody else is given it
        expires, windows = answered, Windows(answered, answered, answered)
    return msgspec.structs.replace(
        old,
        epoch=epoch,
        stored_at=answered,
        edge_expires=expires,
        refreshing=windows.refreshing,
        failing=windows.failing,
        away=windows.away,
        content_type=headers.get("content-type") if transparent else old.content_type,
        last_modified=parse_http_date(headers.get("last-modified", ""), answered) if transparent else old.last_modified,
        headers=headers,
        facts=None if facts_of(old).problem in _ACCIDENTS else old.facts,
        upstream_date=_date(answer, answered),
        upstream_age=age,
        no_transform=freshness.forbids_transform(headers),
        groups=(*groups(headers), *_tags(old, site, answer)),
    )


def _tags(old: AssetRecord, site: Site, answer: Mapping[str, str]) -> tuple[str, ...]:
    """The tags after a 304: its own, or those there were where it has none."""
    if any(field in answer for field in site.tag_headers):
        return tags(answer, site.tag_headers)
    return old.groups[len(groups(old.headers)) :]


def conditions(old: AssetRecord | None, *, current: bool) -> dict[str, str]:
    """The validators to ask with: all there are (RFC 9111 §4.3.1).

    What has been purged (is not current) is confirmed by a strong tag only.
    """
    if old is None:
        return {}
    asked = {}
    tag = parse_etag(old.upstream_etag or "")
    if old.upstream_etag is not None and tag is not None and (not tag.weak or current):
        asked["if-none-match"] = old.upstream_etag
    if current and old.last_modified is not None:
        asked["if-modified-since"] = http_date(old.last_modified)
    return asked


def _date(headers: Mapping[str, str], now: float) -> float:
    """The upstream's Date, or now where it has none (RFC 9110 §6.6.1)."""
    date = parse_http_date(headers.get("date", ""), now)
    return now if date is None else float(date)
