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
SMALLEST = 128 * 1024
"""The least size of an object that moves, in bytes, where its rule's filter says nothing of sizes."""
ALL_CLASSES, BY_CLASS = "all_storage_classes_128K", "varies_by_storage_class"
ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""The classes that AWS restores from."""
COLDER = (
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER",
    "DEEP_ARCHIVE",
)  # fmt: skip
"""The storage classes between which rules move objects, from the first to the last."""


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


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the storage class `to`: of current versions after days or from a date on, or of past versions
    `days` after they ceased to be current, but for the `newer` newest of a key."""

    to: str
    days: int | None = None
    date: float | None = None
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
    moves: tuple[Move, ...] = ()
    noncurrent_moves: tuple[Move, ...] = ()
    smallest: str | None = None
    """What the configuration says of the smallest object that moves (x-amz-transition-default-minimum-object-size)."""


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


def class_due(rules: Sequence[Rule], version: VersionRow, past: Past | None, now: float, day: float) -> str | None:
    """The storage class that a version is to have now, None for the one it has. Classes only ever get colder."""
    if version.marker:
        return None
    moves = [
        move
        for rule in rules
        if _matches(rule, version.key, version.size, version.tags) and _large_enough(rule, version.size, day)
        for move in (rule.moves if past is None else rule.noncurrent_moves)
        if _move_is_due(move, version, past, now, day)
    ]
    coldest = max((move.to for move in moves), key=COLDER.index, default=None)
    if coldest is None or version.described.storage_class not in COLDER[: COLDER.index(coldest)]:
        return None
    return coldest


def _move_is_due(move: Move, version: VersionRow, past: Past | None, now: float, day: float) -> bool:
    if past is not None and past.newer < (move.newer or 0):
        return False
    since = version.created if past is None else past.since
    return (_rounded(since, move.days, day) if move.days is not None else move.date or 0.0) <= now


def _large_enough(rule: Rule, size: int, day: float) -> bool:
    """Whether an object moves at all; where a day is shortened for tests, small ones do unless the rule says no.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
    """
    chosen = rule.filter
    if chosen is not None and (chosen.greater is not None or chosen.less is not None):
        return True
    if rule.smallest == BY_CLASS:
        return size >= SMALLEST or all(move.to in ARCHIVES for move in (*rule.moves, *rule.noncurrent_moves))
    return size >= SMALLEST or (rule.smallest is None and day != DAY)


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


def abort_of(bucket: BucketRow, key: bytes, created: float) -> Expiration | None:
    """The soonest end that the bucket's rules give an upload, in days of 24 hours."""
    ends = [
        Expiration(_rounded(created, rule.abort_days, DAY), rule.id)
        for rule in rules_of(bucket)
        if rule.abort_days is not None and _matches(rule, key, 0, {})
    ]
    return min(ends, key=lambda expiration: expiration.at, default=None)


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
