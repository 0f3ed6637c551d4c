"""Conditional requests (RFC 9110 §13): what the preconditions of a request come to.

The rule of this file: the order of RFC 9110 §13.2.2, with its step numbers beside the lines.
"""

from __future__ import annotations

from enum import Enum

from wire.dates import parse_http_date
from wire.etags import ANY, parse_etag, parse_etag_list, strong_match, weak_match


class Outcome(Enum):
    """What to do with the request."""

    PROCEED = "proceed"
    NOT_MODIFIED = "not modified"
    PRECONDITION_FAILED = "precondition failed"


def evaluate(
    method: str,
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
    if_modified_since: str | None = None,
    if_unmodified_since: str | None = None,
    etag: str | None,
    last_modified: int | None,
    now: float,
) -> Outcome:
    """The outcome of a request's preconditions for the selected representation.

    etag: its tag, quoted or not; last_modified: whole seconds since 1970. Both None: there is no representation.
    now: the current time, for dates with two-digit years.
    """
    reads = method in ("GET", "HEAD")
    exists = etag is not None or last_modified is not None

    if if_match is not None:  # step 1; §13.1.1: `*` wants any representation, a list wants a strong match
        if not (exists if _is_any(if_match) else _listed(if_match, etag, strong=True)):
            return Outcome.PRECONDITION_FAILED
    elif if_unmodified_since is not None:  # step 2; §13.1.4: no valid date or no modification date is ignored
        limit = parse_http_date(if_unmodified_since, now)
        if limit is not None and last_modified is not None and last_modified > limit:
            return Outcome.PRECONDITION_FAILED

    if if_none_match is not None:  # step 3; §13.1.2: weak comparison
        if exists if _is_any(if_none_match) else _listed(if_none_match, etag, strong=False):
            return Outcome.NOT_MODIFIED if reads else Outcome.PRECONDITION_FAILED
    elif if_modified_since is not None and reads:  # step 4; §13.1.3: only for GET and HEAD
        since = parse_http_date(if_modified_since, now)
        if since is not None and last_modified is not None and last_modified <= since:
            return Outcome.NOT_MODIFIED

    return Outcome.PROCEED  # steps 5 (If-Range, with the range) and 6


def _is_any(field: str) -> bool:
    return parse_etag_list(field) is ANY


def _listed(field: str, etag: str | None, *, strong: bool) -> bool:
    current = None if etag is None else parse_etag(etag)
    tags = parse_etag_list(field)
    if current is None or tags is ANY:
        return False
    same = strong_match if strong else weak_match
    return any(same(tag, current) for tag in tags)


def if_range_holds(if_range: str | None, etag: str | None, last_modified: int | None) -> bool:
    """Whether a Range is to be honoured (RFC 9110 §13.1.5); True without If-Range.

    A tag must match strongly; a date must be exactly the Last-Modified.
    """
    if if_range is None:
        return True
    date = parse_http_date(if_range.strip(" \t"))
    if date is not None:
        return date == last_modified
    wanted = parse_etag(if_range)
    current = None if etag is None else parse_etag(etag)
    return wanted is not None and current is not None and strong_match(wanted, current)
