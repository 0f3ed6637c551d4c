"""Which answers are reused: one row for each way of saying it, each asked for twice (RFC 9111 §3, §4.2, §5)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.edge.rfc9111.conftest import House
from tests.edge.rfc9111.script import Line
from wire.dates import http_date

Script = Callable[..., str]
NOW = time.time()
FRESH, STALE = "max-age=3600", "max-age=0"
LATER, BEFORE, OLD = http_date(NOW + 3600), http_date(NOW - 3600), http_date(NOW - 100 * 86_400)

Fields = list[tuple[str, str]]


def said(*values: str, name: str = "Cache-Control", **more: str) -> Fields:
    """Lines of one field, and others: `last_modified="…"` is Last-Modified."""
    return [(name, value) for value in values] + [(key.replace("_", "-"), value) for key, value in more.items()]


REUSED: list[tuple[str, int, Fields]] = [
    *((f"{status} with a lifetime", status, said(FRESH)) for status in (200, 203, 204, 299, 300, 301, 302, 303, 307)),
    *((f"{status} with a lifetime", status, said(FRESH)) for status in (308, 400, 403, 404, 405, 410, 414, 451, 499)),
    *((f"{status} with a lifetime", status, said(FRESH)) for status in (500, 501, 502, 503, 504, 599)),
    *((f"{status} by a guess", status, said(name="", last_modified=OLD)) for status in (200, 203, 204, 300, 301, 308)),
    *((f"{status} by a guess", status, said(name="", last_modified=OLD)) for status in (404, 405, 410, 414, 501)),
    ("public makes a guess of any status", 299, said("public", last_modified=OLD)),
    ("Expires", 200, said(name="", expires=LATER)),
    ("Expires in the form of RFC 850", 200, said(name="", expires="Sunday, 06-Nov-44 08:49:37 GMT")),
    ("Expires in the form of asctime", 200, said(name="", expires="Sun Nov  6 08:49:37 2044")),
    ("Expires without a Date that is one", 200, said(name="", expires=LATER, date="soon")),
    ("max-age before Expires", 200, said(FRESH, expires=BEFORE)),
    ("max-age before an Expires that is none", 200, said(FRESH, expires="0")),
    ("s-maxage before max-age", 200, said("max-age=0, s-maxage=3600")),
    ("s-maxage before max-age, in any order", 200, said("s-maxage=3600, max-age=0")),
    ("s-maxage before Expires", 200, said("s-maxage=3600", expires=BEFORE)),
    ("max-age in capitals", 200, said("MAX-AGE=3600")),
    ("max-age in a quoted string", 200, said('max-age="3600"')),
    ("max-age with leading zeros", 200, said("max-age=0003600")),
    ("max-age of 2^31", 200, said("max-age=2147483648")),
    ("max-age of 2^64", 200, said("max-age=18446744073709551616")),
    ("max-age among extensions", 200, said('foo, max-age=3600, bar=baz, qux="max-age=0"')),
    ("an extension that quotes no-store", 200, said('ext="no-store, max-age=0", max-age=3600')),
    ("an extension that quotes a quote", 200, said(r'ext="\", no-store, \"", max-age=3600')),
    ("empty members", 200, said(",, max-age=3600, ,")),
    ("max-age on a line of its own", 200, said("public", FRESH)),
    ("the first of two lifetimes", 200, said("max-age=3600, max-age=0")),
    ("blanks and tabs between directives", 200, said("public \t,\tmax-age=3600 ")),
    ("a directive whose name ends in max-age", 200, said("x-max-age=0, max-age=3600")),
    ("a directive whose name begins with no-store", 200, said("no-storex, max-age=3600")),
    ("Pragma of an answer", 200, said(FRESH, pragma="no-cache")),
    ("Pragma and nothing of Cache-Control", 200, said(name="", pragma="no-cache", last_modified=OLD)),
    ("Set-Cookie", 200, said(FRESH, set_cookie="a=b")),
    ("must-understand of a status that is", 200, said("no-store, must-understand, max-age=3600")),
    ("must-understand of a 404", 404, said("no-store, must-understand, max-age=3600")),
    ("must-revalidate while fresh", 200, said("must-revalidate, max-age=3600")),
    ("no-cache about a field", 200, said('max-age=3600, no-cache="x-a"')),
    ("private about a field", 200, said('max-age=3600, private="x-a"')),
    ("an Age below the lifetime", 200, said(FRESH, age="1800")),
    ("an Age that is no number", 200, said(FRESH, age="old")),
    ("an Age that is negative", 200, said(FRESH, age="-7200")),
    ("an Age that is a fraction", 200, said(FRESH, age="7200.0")),
    ("an Age with a parameter", 200, said(FRESH, age="7200;a=b")),
    ("the first of two Ages", 200, said("0", "7200", name="Age", cache_control=FRESH)),
    ("a Date that is no date", 200, said(FRESH, date="yesterday")),
    ("a Date to come", 200, said(FRESH, date=LATER)),
    ("a Date before, within the lifetime", 200, said("max-age=7200", date=BEFORE)),
    ("Vary on what nobody sent", 200, said(FRESH, vary="X-Nobody")),
    ("an empty Vary", 200, said(FRESH, vary="")),
    ("CDN-Cache-Control before no-store", 200, said("no-store", cdn_cache_control=FRESH)),
    ("CDN-Cache-Control before private", 200, said("private", cdn_cache_control=FRESH)),
    ("CDN-Cache-Control before a lifetime that is over", 200, said(STALE, cdn_cache_control=FRESH)),
    ("CDN-Cache-Control with parameters", 200, said(STALE, cdn_cache_control="max-age=3600;a=b;c")),
    ("CDN-Cache-Control on two lines", 200, said("public", FRESH, name="CDN-Cache-Control", cache_control=STALE)),
    ("the last member of CDN-Cache-Control", 200, said(STALE, cdn_cache_control="max-age=0, max-age=3600")),
    ("CDN-Cache-Control that is no dictionary", 200, said(FRESH, cdn_cache_control="no-store, &&&")),
    ("CDN-Cache-Control in capitals is none", 200, said(FRESH, cdn_cache_control="No-Store")),
    ("CDN-Cache-Control of another type", 200, said(FRESH, cdn_cache_control='max-age="0"')),
    ("an empty CDN-Cache-Control", 200, said(FRESH, cdn_cache_control="")),
    ("another's targeted field", 200, said(FRESH, other_cdn_cache_control="no-store")),
    ("Surrogate-Control is not ours", 200, said(FRESH, surrogate_control="no-store")),
]

ASKED_AGAIN: list[tuple[str, int, Fields]] = [
    *((f"{status} without a lifetime", status, said(name="")) for status in (200, 204, 301, 404, 410, 500)),
    *((f"{status} that is stale", status, said(STALE)) for status in (200, 204, 299, 301, 404, 499, 500, 503, 599)),
    *((f"{status} never by a guess", status, said(name="", last_modified=OLD)) for status in (201, 299, 302, 303, 307)),
    *((f"{status} never by a guess", status, said(name="", last_modified=OLD)) for status in (400, 403, 500, 503, 599)),
    ("no-store", 200, said("no-store, max-age=3600")),
    ("no-store in capitals", 200, said("No-StOrE, max-age=3600")),
    ("no-store after a lifetime", 200, said(FRESH, "no-store")),
    ("no-store with an argument", 200, said("no-store=1, max-age=3600")),
    ("no-cache", 200, said("no-cache, max-age=3600")),
    ("no-cache in capitals", 200, said("NO-CACHE, max-age=3600")),
    ("no-cache with blanks", 200, said('max-age=3600, no-cache = "x-a"')),
    ("private", 200, said("private, max-age=3600")),
    ("private with s-maxage", 200, said("private, s-maxage=3600")),
    ("must-understand of a status that is not", 599, said("must-understand, max-age=3600")),
    ("no-store, must-understand of a status that is not", 299, said("no-store, must-understand, max-age=3600")),
    ("s-maxage that is over", 200, said("s-maxage=0, max-age=3600", expires=LATER)),
    ("max-age that is over before Expires", 200, said(STALE, expires=LATER)),
    ("max-age that is negative", 200, said("max-age=-3600", expires=LATER)),
    ("max-age that is a fraction", 200, said("max-age=3600.5", expires=LATER)),
    ("max-age that ends in letters", 200, said("max-age=3600a")),
    ("max-age that begins with letters", 200, said("max-age=a3600")),
    ("max-age in single quotes", 200, said("max-age='3600'")),
    ("max-age without a number", 200, said("max-age", expires=LATER)),
    ("max-age of nothing", 200, said("max-age=", expires=LATER)),
    ("max-age with a blank before its sign", 200, said("max-age =3600")),
    ("max-age with a blank after its sign", 200, said("max-age= 3600")),
    ("max-age in a string of another directive", 200, said('extension="max-age=3600"')),
    ("a directive whose name ends in max-age", 200, said("x-max-age=3600")),
    ("the first of two lifetimes", 200, said("max-age=0, max-age=3600")),
    ("the first of two lines", 200, said("max-age=0", "max-age=3600")),
    ("semicolons are no commas", 200, said("max-age=3600; public")),
    ("Expires in the past", 200, said(name="", expires=BEFORE)),
    ("Expires at the Date", 200, said(name="", expires=BEFORE, date=BEFORE)),
    ("Expires of 0", 200, said(name="", expires="0", last_modified=OLD)),
    ("Expires of -1", 200, said(name="", expires="-1", last_modified=OLD)),
    ("Expires of nothing", 200, said(name="", expires="", last_modified=OLD)),
    ("Expires of a number", 200, said(name="", expires="3600")),
    ("Expires of Unix", 200, said(name="", expires=str(int(NOW) + 3600))),
    ("Expires in another zone", 200, said(name="", expires=LATER.replace("GMT", "AEST"))),
    ("Expires in UTC by name", 200, said(name="", expires=LATER.replace("GMT", "UTC"))),
    ("Expires without a zone", 200, said(name="", expires=LATER.removesuffix(" GMT"))),
    ("Expires of ISO 8601", 200, said(name="", expires="2044-11-06T08:49:37Z")),
    ("Expires with one digit of an hour", 200, said(name="", expires="Thu, 18 Aug 2050 2:01:18 GMT")),
    ("Expires with two digits of a year", 200, said(name="", expires="Thu, 18 Aug 50 02:01:18 GMT")),
    ("Expires with dashes", 200, said(name="", expires="Thu, 18-Aug-2050 02:01:18 GMT")),
    ("Expires with colons for blanks", 200, said(name="", expires="Thu, 18 Aug 2050 02.01.18 GMT")),
    ("Expires with more blanks", 200, said(name="", expires="Thu,  18  Aug  2050  02:01:18  GMT")),
    ("Expires without a comma", 200, said(name="", expires="Thu 18 Aug 2050 02:01:18 GMT")),
    ("Expires of a day that is none", 200, said(name="", expires="Thu, 32 Aug 2050 02:01:18 GMT")),
    ("Expires on two lines", 200, said(LATER, LATER, name="Expires")),
    ("an Age above the lifetime", 200, said(FRESH, age="7200")),
    ("an Age of the lifetime", 200, said(FRESH, age="3600")),
    ("an Age of 2^31", 200, said(FRESH, age="2147483648")),
    ("an Age of 2^64", 200, said(FRESH, age="18446744073709551616")),
    ("the first of two Ages", 200, said("7200", "0", name="Age", cache_control=FRESH)),
    ("a Date before the lifetime", 200, said("max-age=1800", date=BEFORE)),
    ("Vary: *", 200, said(FRESH, vary="*")),
    ("Vary: * among others", 200, said("X-A", "*", name="Vary", cache_control=FRESH)),
    ("CDN-Cache-Control: no-store", 200, said(FRESH, cdn_cache_control="no-store")),
    ("CDN-Cache-Control: private", 200, said(FRESH, cdn_cache_control="private, max-age=3600")),
    ("CDN-Cache-Control: no-cache", 200, said(FRESH, cdn_cache_control="no-cache, max-age=3600")),
    ("CDN-Cache-Control that is over", 200, said(FRESH, cdn_cache_control="max-age=0", expires=LATER)),
    ("CDN-Cache-Control that is negative", 200, said(FRESH, cdn_cache_control="max-age=-3600")),
    ("CDN-Cache-Control against an Age", 200, said("no-cache", cdn_cache_control=FRESH, age="7200")),
    ("CDN-Cache-Control without a lifetime", 200, said(FRESH, cdn_cache_control="public")),
    ("CDN-Cache-Control that is no dictionary", 200, said("no-store", cdn_cache_control="max-age=3600, &&&")),
    ("CDN-Cache-Control of another type", 200, said("no-store", cdn_cache_control='max-age="3600"')),
    ("CDN-Cache-Control of a fraction", 200, said(STALE, cdn_cache_control="max-age=3600.5")),
    ("CDN-Cache-Control with blanks", 200, said(STALE, cdn_cache_control="max-age = 3600")),
]


def _twice(house: House, script: Script, status: int, fields: Fields) -> int:
    """How many of two requests reached the upstream."""
    fields = [(name, value) for name, value in fields if name]
    path = script(Line(status, tuple(fields), b"" if status == 204 else b"one"))
    answers = [house.ask(path), house.ask(path)]
    assert {answer.status for answer in answers} == {status}
    assert all(answer.has("Cache-Status") for answer in answers)
    assert answers[1].hit is (house.upstream.count(path) == 1)
    return house.upstream.count(path)


def _names(rows: list[tuple[str, int, Fields]]) -> list[str]:
    return [row[0] for row in rows]


@pytest.mark.parametrize(("why", "status", "fields"), REUSED, ids=_names(REUSED))
def test_it_is_reused(house: House, script: Script, why: str, status: int, fields: Fields) -> None:
    assert _twice(house, script, status, fields) == 1, why


@pytest.mark.parametrize(("why", "status", "fields"), ASKED_AGAIN, ids=_names(ASKED_AGAIN))
def test_it_is_asked_for_again(house: House, script: Script, why: str, status: int, fields: Fields) -> None:
    assert _twice(house, script, status, fields) == 2, why


AUTHORIZED = [
    (FRESH, False),
    ("public, max-age=3600", True),
    ("s-maxage=3600", True),
    ("must-revalidate, max-age=3600", True),
    ("public, private, max-age=3600", False),
    ("public, no-store", False),
]


@pytest.mark.parametrize(("control", "shared"), AUTHORIZED)
def test_an_answer_to_credentials_is_shared_where_it_says_so(
    house: House, script: Script, control: str, shared: bool
) -> None:
    path = script(Line(200, (("Cache-Control", control),), b"x"))
    house.ask(path, Authorization="Bearer x")
    assert house.ask(path).hit is shared
    assert house.upstream.heard[path][0].headers["authorization"] == "Bearer x"


DEMANDS = [
    ("max-age=3600", "0", True),
    ("max-age=1800", "2000", False),
    ("max-age=2500", "2000", True),
    ("max-age=0", "0", False),
    ('max-age="0"', "0", False),
    ("MAX-AGE=0", "0", False),
    ("max-age=a", "0", True),
    ("min-fresh=1800", "0", True),
    ("min-fresh=1800", "2000", False),
    ("min-fresh=4000", "0", False),
    ("no-cache", "0", False),
    ("No-Cache", "0", False),
    ("no-store", "0", True),
    ("max-stale", "4000", True),
    ("max-stale=1000", "4000", True),
    ("max-stale=100", "4000", False),
    ("max-stale=1000, max-age=9000", "4000", True),
    ("only-if-cached", "0", True),
    ("unknown=1, other", "0", True),
]


@pytest.mark.parametrize(("demanded", "age", "reused"), DEMANDS)
def test_a_clients_demand_decides(house: House, script: Script, demanded: str, age: str, reused: bool) -> None:
    path = script(Line(200, (("Cache-Control", FRESH), ("Age", age)), b"x"))
    house.ask(path)
    house.ask(path, Cache_Control=demanded)
    assert house.upstream.count(path) == (1 if reused else 2)
