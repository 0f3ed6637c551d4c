"""Dates of HTTP (RFC 9110 §5.6.7) and of S3 (ISO 8601), as seconds since 1970.

The rule of this file: no clock is read; a text that is not exactly a date is None, never a guess.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DAY = f"(?:{'|'.join(_DAYS)})"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
# The three formats a recipient must accept, in the order of RFC 9110 §5.6.7. They are case-sensitive.
_HTTP_FORMATS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"(?:{'|'.join(_LONG_DAYS)}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_ISO_FORMATS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<year>[0-9]{{4}})-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})T{_TIME}(?P<fraction>\.[0-9]{{1,9}})?Z",
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
        r"T(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})(?P<fraction>)Z",
    )
)


def http_date(timestamp: float) -> str:
    """The IMF-fixdate of a time, rounded down: `Sun, 06 Nov 1994 08:49:37 GMT`.

    Raises OverflowError outside the years 1–9999.
    """
    when = _EPOCH + timedelta(seconds=int(timestamp // 1))
    return f"{_DAYS[when.weekday()]}, {when.day:02} {_MONTHS[when.month - 1]} {when.year:04} {when:%H:%M:%S} GMT"


def parse_http_date(text: str, now: float | None = None) -> int | None:
    """Seconds since 1970, or None where the text is none of the three formats.

    A two-digit year that would lie more than 50 years after `now` is of the century before (RFC 9110 §5.6.7);
    without `now`, 70–99 are 1970–1999. The name of the day is not checked.
    """
    for pattern in _HTTP_FORMATS:
        if match := pattern.fullmatch(text):
            break
    else:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year = _full_year(year, now)
    when = _at(year, _MONTHS.index(match["month"]) + 1, match)
    return None if when is None else int(when)


def _full_year(two_digits: int, now: float | None) -> int:
    if now is None:
        return two_digits + (1900 if two_digits >= 70 else 2000)
    this_year = (_EPOCH + timedelta(seconds=now)).year
    year = this_year - this_year % 100 + two_digits
    return year - 100 if year > this_year + 50 else year


def _at(year: int, month: int, match: re.Match[str]) -> float | None:
    """The time of the fields that all formats share; a leap second (60) is the second after :59."""
    second = int(match["second"])
    if second > 60:
        return None
    try:
        when = datetime(year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), tzinfo=UTC)
    except ValueError:
        return None
    return (when - _EPOCH).total_seconds() + second


def iso8601(timestamp: float) -> str:
    """The time as S3's XML has it, rounded down to milliseconds: `2026-11-20T10:00:00.000Z`."""
    milliseconds = int(timestamp * 1000 // 1)
    when = _EPOCH + timedelta(seconds=milliseconds // 1000)
    return f"{when.year:04}-{when:%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"


def parse_iso8601(text: str) -> float | None:
    """Seconds since 1970 of `2026-11-20T10:00:00[.fraction]Z` or AWS's `20261120T100000Z`; else None."""
    for pattern in _ISO_FORMATS:
        if match := pattern.fullmatch(text):
            when = _at(int(match["year"]), int(match["month"]), match)
            return None if when is None else when + float(match["fraction"] or 0)
    return None
