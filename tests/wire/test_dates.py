"""Dates: written in one form, read in three, never guessed."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.dates import http_date, iso8601, parse_http_date, parse_iso8601

EXAMPLE = 784111777  # the instant of RFC 9110 §5.6.7
seconds = st.integers(0, 253402300799)  # up to the last second of 9999


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_the_three_formats_of_the_rfc_are_read(text: str) -> None:
    assert parse_http_date(text) == EXAMPLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 0६ Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_not_exactly_a_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


def test_a_two_digit_year_far_in_the_future_is_of_the_century_before() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
    years = {
        digits: datetime.fromtimestamp(parse_http_date(f"Sunday, 06-Nov-{digits} 08:49:37 GMT", now) or 0, UTC).year
        for digits in ("26", "76", "77", "94")
    }
    assert years == {"26": 2026, "76": 2076, "77": 1977, "94": 1994}


@given(seconds)
def test_a_written_date_reads_as_the_same_second(second: int) -> None:
    assert parse_http_date(http_date(second)) == second


@given(seconds)
def test_dates_are_written_as_the_standard_library_writes_them(second: int) -> None:
    assert http_date(second) == email.utils.format_datetime(datetime.fromtimestamp(second, UTC), usegmt=True)


@given(st.text())
def test_no_text_makes_reading_fail(text: str) -> None:
    parse_http_date(text)
    parse_iso8601(text)


@given(st.integers(0, 253402300799999))
def test_iso_dates_keep_milliseconds(milliseconds: int) -> None:
    text = iso8601(milliseconds / 1000)
    assert len(text) == len("2026-11-20T10:00:00.000Z")
    assert abs((parse_iso8601(text) or 0.0) * 1000 - milliseconds) < 1.1


def test_iso_dates_of_both_kinds_are_read() -> None:
    assert iso8601(1795168800.1239) == "2026-11-20T10:00:00.123Z"
    assert parse_iso8601("2026-11-20T10:00:00Z") == parse_iso8601("20261120T100000Z") == 1795168800
    assert parse_iso8601("2026-11-20 10:00:00Z") is None
