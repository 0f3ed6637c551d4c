"""Lifecycle rules: what they say of a version, as pure functions.

The rule of this file: no store and no clock; `now` is seconds since 1970 and `day` is how long a day lasts, in
seconds. What falls due within a day does so when the next one begins, as AWS rounds to the next midnight UTC
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html#intro-lifecycle-rules-actions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import msgspec

from origin.catalog.rows import BucketRow, NewVersion, UploadRow, VersionRow
from origin.service.model import Expiration, Setting

DAY = 86400.0


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which objects a rule is for. `joined` keeps whether it was written as an And."""

    prefix: str | None = None
    tags: dict[str, str] = {}
    greater: int | None = None
    less: int | None = None
    joined: bool = False


class Expire(msgspec.Struct, frozen=True, kw_only=True):
    """Removal of current versions after days or from a date on; `markers` is about delete markers left alone."""

    days: int | None = None
    date: float | None = None
    markers: bool | None = None


class Noncurrent(msgspec.Struct, frozen=True, kw_only=True):
    """Removal of versions `days` after they ceased to be current; the `newer` newest of a key stay."""

    days: int
    newer: int | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `prefix` is the old spelling of a filter and comes instead of one."""

    id: str
    enabled: bool
    prefix: str | None = None
    filter: Filter | None = None
    expiration: Expire | None = None
    noncurrent: Noncurrent | None = None
    abort_days: int | None = None


Rules = tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """How a version that is not current became so: when, and how many such versions of its key are newer."""

    since: float
    newer: int


@lru_cache(maxsize=256)
def decoded(document: str) -> Rules:
    """The rules of a bucket's lifecycle setting."""
    return msgspec.json.decode(document, type=Rules)


def rules_of(bucket: BucketRow) -> Rules:
    """A bucket's rules that are enabled."""
    document = bucket.settings.get(Setting.LIFECYCLE)
    return () if document is None else tuple(rule for rule in decoded(document) if rule.enabled)


def expiration_of(bucket: BucketRow, version: VersionRow | NewVersion) -> Expiration | None:
    """The soonest end that the bucket's rules give a current version, in days of 24 hours."""
    ends = [
        Expiration(end, rule.id)
        for rule in rules_of(bucket)
        if rule.expiration is not None
        and _matches(rule, version.key, version.size, version.tags)
        and (end := _end_of(rule.expiration, version.created, DAY)) is not None
    ]
    return min(ends, key=lambda expiration: expiration.at, default=None)


def is_due(rules: Sequence[Rule], version: VersionRow, past: Past | None, now: float, day: float) -> bool:
    """True where a rule removes a version; `past` is None for the current one.

    A current delete marker must be the only version of its key, which is for the caller to know
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html#lifecycle-config-conceptual-ex7).
    """
    return any(
        _matches(rule, version.key, version.size, version.tags)
        and (_current_is_due(rule, version, now, day) if past is None else _noncurrent_is_due(rule, past, now, day))
        for rule in rules
    )


def _current_is_due(rule: Rule, version: VersionRow, now: float, day: float) -> bool:
    expire = rule.expiration
    if expire is None:
        return False
    end = _end_of(expire, version.created, day)
    return (version.marker and bool(expire.markers)) or (end is not None and end <= now)


def _noncurrent_is_due(rule: Rule, past: Past, now: float, day: float) -> bool:
    wanted = rule.noncurrent
    if wanted is None or past.newer < (wanted.newer or 0):
        return False
    return _rounded(past.since, wanted.days, day) <= now


def upload_is_due(rules: Sequence[Rule], upload: UploadRow, now: float, day: float) -> bool:
    """True where a rule aborts an upload that is still open."""
    return any(
        rule.abort_days is not None
        and _rounded(upload.created, rule.abort_days, day) <= now
        and _matches(rule, upload.key, 0, {})
        for rule in rules
    )


def _end_of(expire: Expire, created: float, day: float) -> float | None:
    return expire.date if expire.days is None else _rounded(created, expire.days, day)


def _rounded(since: float, days: int, day: float) -> float:
    return ceil(since / day + days) * day


def _matches(rule: Rule, key: bytes, size: int, tags: Mapping[str, str]) -> bool:
    chosen = rule.filter or Filter(prefix=rule.prefix)
    return (
        key.startswith((chosen.prefix or "").encode())
        and (chosen.greater is None or size > chosen.greater)
        and (chosen.less is None or size < chosen.less)
        and chosen.tags.items() <= tags.items()
    )
