"""What an answer becomes for one request: conditions, ranges, headers.

The rule of this file: nothing is decided here about what a client gets, only how it is said. Preconditions come
before ranges (RFC 9110 §13.2.2), HEAD says what GET would (§9.3.2), and every reply carries its site's headers and
exactly one Cache-Control line.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from edge.keeper.answer import Answer
from edge.message import Body, Held, Reply, Request
from edge.parts import Multipart
from edge.policy.freshness import PROVISIONAL, SHORT, Lifetimes, age, client_cache_control
from edge.policy.hygiene import disposition, site_headers
from edge.policy.partial import Held as HeldPart
from edge.policy.partial import held, wanted
from edge.policy.reasons import DETAILS, CacheStatus, Detail
from edge.policy.sites import Site
from edge.policy.variant import BadParameter
from wire.conditions import Outcome, evaluate, if_range_holds
from wire.dates import http_date
from wire.ranges import Part, Parts, Selection, Unsatisfiable, content_range, parse_range, unsatisfied_range

METHODS = "GET, HEAD, OPTIONS"
PROBLEM_TYPE = "application/problem+json"  # RFC 9457

# Stored headers that the lines below say anew, and those that are true of the stored bytes alone.
_SAID_ANEW = frozenset({"age", "cache-control", "content-disposition", "content-length", "content-type", "date"})
_SAID_ANEW |= {"cache-groups", "cdn-cache-control", "etag", "expires", "last-modified", "pragma", "vary"}
_OF_STORED_BYTES = frozenset({"content-encoding", "content-md5", "content-digest", "repr-digest", "digest"})

_ABSENT = "there is no such object, or not everybody may read it"

Headers = tuple[tuple[str, str], ...]


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of an error (RFC 9457): what is wrong and, for a parameter, what would be right."""

    title: str
    status: int
    detail: str
    parameter: str | None = None
    value: str | None = None
    allowed: str | None = None


def of_answer(
    request: Request,
    site: Site,
    lifetimes: Lifetimes,
    answer: Answer,
    outcome: CacheStatus,
    body: Body | None,
    *,
    stored: bool,
    once: Headers,
    now: float,
) -> Reply:
    """The reply that gives `answer`, or as much of it as the request's conditions and range leave.

    `stored` is False for an answer that is only relayed: it has no parts, and clients keep it only where its upstream
    says so. `once` are header lines for this client alone.
    """
    answer = _as_held(request, answer)
    asset = answer.asset
    if body is None:
        line = _cache_control(answer, outcome, lifetimes, stored=stored, now=now)
        return problem(site, asset.status, _ABSENT, outcome=outcome, cache_control=line)
    if site.behaviour.transparent:
        said = _as_it_came(answer, once, stored=stored, now=now)
        about = (*said.about, ("Cache-Status", outcome.header()))
    else:
        said = _in_our_words(site, lifetimes, answer, outcome, stored=stored, now=now)
        about = (*said.about, *moving(answer, outcome, now))
    start, stop = 0, body.length
    parts: Headers = ()
    status = asset.status
    if status == 200 and (stored or not site.behaviour.transparent):
        match _preconditions(request, site, answer, now):
            case Outcome.NOT_MODIFIED:
                body.close()
                return Reply(304, about, site=site.name, outcome=outcome)
            case Outcome.PRECONDITION_FAILED:
                body.close()
                return problem(site, 412, "what is stored is not what the request is about", outcome=outcome)
        if stored and (size := body.length) is not None:
            parts = (("Accept-Ranges", "bytes"),)
            match _range(request, site, answer, size):
                case Part(first, last):
                    status, start, stop = 206, first, last + 1
                    parts = (*parts, ("Content-Range", content_range(first, last, size)))
                case Parts(several):
                    cut = Multipart(body, size, several, answer.content_type)
                    body, status, stop = cut, 206, cut.length
                    kept = [line for line in said.content if line[0].lower() != "content-type"]
                    said = said._replace(content=(*kept, ("Content-Type", cut.content_type)))
                case Unsatisfiable():
                    body.close()
                    total = ("Content-Range", unsatisfied_range(size))
                    return problem(site, 416, f"there are {size} bytes", outcome=outcome, headers=(total,))
    elif status == 206 and stored and (cut_out := _within(request, answer)) is not None:
        has, part = cut_out
        start, stop = part.start - has.part.start, part.end + 1 - has.part.start
        kept = [line for line in said.content if line[0] != "content-range"]
        said = said._replace(content=(*kept, ("Content-Range", content_range(*part, has.size))))
    length = (_length(stop - start),) if stop is not None and status not in (204, 304) else ()  # RFC 9110 §8.6
    headers = (*about, *said.content, *parts, *length)
    return Reply(status, headers, body, start, stop, site.name, outcome)


def problem(
    site: Site | None,
    status: int,
    detail: str,
    *,
    outcome: CacheStatus | None = None,
    headers: Headers = (),
    cache_control: str = "no-store",
    close: bool = False,
) -> Reply:
    """An error in our own words; `detail` is a sentence for the person who reads it."""
    about = (*headers, ("Cache-Control", cache_control))
    return _problem(site, about, Problem(HTTPStatus(status).phrase, status, detail), outcome, close=close)


def refusal(
    site: Site | None,
    detail: Detail,
    *,
    retry_after: int | None = None,
    said: str | None = None,
    cache_control: str = "no-store",
) -> Reply:
    """An error that has a word of its own; `said` takes the place of the word's sentence."""
    meaning, status = DETAILS[detail]
    assert status is not None, f"{detail} is no error"
    headers = (("Retry-After", str(retry_after)),) if retry_after is not None else ()
    outcome = CacheStatus(detail=detail)
    return problem(site, status, said or meaning, outcome=outcome, headers=headers, cache_control=cache_control)


def bad_parameter(site: Site, bad: BadParameter) -> Reply:
    """400: which parameter, what it was, what is allowed."""
    said = Problem("Bad Parameter", 400, str(bad), bad.parameter, bad.value, bad.allowed)
    return _problem(site, (("Cache-Control", "no-store"),), said, CacheStatus(detail=Detail.BAD_PARAMETER))


def preflight(site: Site) -> Reply:
    """The answer to OPTIONS: what a page of another origin may do here (Fetch standard, CORS preflight)."""
    headers = (
        ("Allow", METHODS),
        ("Access-Control-Allow-Methods", METHODS),
        ("Access-Control-Allow-Headers", "*, Range, If-Range, If-None-Match, If-Modified-Since"),
        ("Access-Control-Max-Age", "86400"),
        ("Cache-Control", "public, max-age=86400"),
        ("Cache-Status", CacheStatus().header()),
        *site_headers(site, None).items(),
    )
    return Reply(204, headers, site=site.name)


def purged(site: Site) -> Reply:
    """The answer to a purge that is in force."""
    status = ("Cache-Status", CacheStatus().header())
    headers = (("Cache-Control", "no-store"), status, ("Content-Type", "text/plain"), _length(7))
    return Reply(200, (*headers, *site_headers(site, "text/plain").items()), Held(b"purged\n"), site=site.name)


def _tag(site: Site, answer: Answer) -> str | None:
    """The validator that clients know: on a transparent site the upstream's own."""
    return answer.asset.upstream_etag if site.behaviour.transparent else answer.etag


def _preconditions(request: Request, site: Site, answer: Answer, now: float) -> Outcome:
    fields = request.headers
    modified = answer.asset.last_modified
    if modified is None and site.behaviour.transparent:  # RFC 9111 §4.3.2: then Date, or when it came
        modified = int(answer.asset.upstream_date or answer.asset.stored_at)
    return evaluate(
        request.method,
        if_match=fields.get("if-match"),
        if_none_match=fields.get("if-none-match"),
        if_modified_since=fields.get("if-modified-since"),
        if_unmodified_since=fields.get("if-unmodified-since"),
        etag=_tag(site, answer),
        last_modified=modified,
        now=now,
    )


def _range(request: Request, site: Site, answer: Answer, length: int) -> Selection:
    """What the request's Range selects; only GET has ranges (RFC 9110 §14.2)."""
    wanted = request.headers.get("range") if request.method == "GET" else None
    if not if_range_holds(request.headers.get("if-range"), _tag(site, answer), answer.asset.last_modified):
        wanted = None
    return parse_range(wanted, length)


def _within(request: Request, answer: Answer) -> tuple[HeldPart, Part] | None:
    """What a stored part holds, and what the request wants of it."""
    asset = answer.asset
    has, part = held(asset.headers), wanted(request.headers, asset.headers, asset.last_modified)
    return None if has is None or part is None else (has, part)


def _validators(answer: Answer) -> Iterator[tuple[str, str]]:
    if answer.etag is not None:
        yield "ETag", f'"{answer.etag}"'
    if answer.asset.last_modified is not None:
        yield "Last-Modified", http_date(answer.asset.last_modified)


class Said(NamedTuple):
    """The headers of an answer."""

    about: Headers
    """In every reply that stands for it, 304 included (RFC 9110 §15.4.5)."""
    content: Headers
    """Only where bytes come with it."""


def _as_held(request: Request, answer: Answer) -> Answer:
    """The answer by the tag of the provisional rendering, where the client has that one and needs nothing else. A 304
    must not give a new tag to old bytes, whose parts would then be mixed with those of the new ones."""
    made, held = answer.representation, request.headers.get("if-none-match", "")
    if made is None or not answer.replaced or answer.replaced not in held or made.etag in held:
        return answer
    return msgspec.structs.replace(answer, representation=msgspec.structs.replace(made, etag=answer.replaced))


def _cache_control(answer: Answer, outcome: CacheStatus, lifetimes: Lifetimes, *, stored: bool, now: float) -> str:
    asset = answer.asset
    short = answer.degraded or outcome.detail in (Detail.STALE, Detail.REFRESHING)
    bound = SHORT if short else PROVISIONAL if answer.is_provisional(now) else None
    return client_cache_control(asset.path, asset.status, asset.headers, lifetimes, bound=bound, stored=stored)


def _in_our_words(
    site: Site, lifetimes: Lifetimes, answer: Answer, outcome: CacheStatus, *, stored: bool, now: float
) -> Said:
    """What a CDN says: our own tags and lifetimes, the site's headers, and of the upstream's what is known to help."""
    about = (
        *_validators(answer),
        _date(answer),
        ("Cache-Control", _cache_control(answer, outcome, lifetimes, stored=stored, now=now)),
        *site_headers(site, answer.content_type).items(),
    )
    return Said(about, tuple(_content(site, answer)))


MOVING = frozenset({"Age", "Cache-Status"})


def moving(answer: Answer, outcome: CacheStatus, now: float) -> Headers:
    """The lines of a reply in our words that differ from one second to the next; MOVING are their names."""
    return _age(answer, now), ("Cache-Status", outcome.header())


def _as_it_came(answer: Answer, once: Headers, *, stored: bool, now: float) -> Said:
    """What a transparent cache says: the upstream's own headers, and an Age where the answer may be older."""
    aged = stored or answer.asset.upstream_age >= 1
    life = (_date(answer), _age(answer, now)) if aged else (_date(answer),)
    kept = [item for item in answer.asset.headers.items() if item[0] not in ("date", "content-length")]
    content = tuple(item for item in kept if item[0].startswith("content-") and item[0] != "content-location")
    about = tuple(item for item in kept if item not in content)
    return Said((*life, *about, *once), content)


def _date(answer: Answer) -> tuple[str, str]:
    return "Date", http_date(answer.asset.upstream_date or answer.asset.stored_at)


def _age(answer: Answer, now: float) -> tuple[str, str]:
    return "Age", str(age(answer.asset.upstream_age, answer.asset.stored_at, now))


def _content(site: Site, answer: Answer) -> Iterator[tuple[str, str]]:
    """The headers that describe the bytes."""
    asset = answer.asset
    if answer.at is not None:
        yield "Content-Location", f"{site.prefix}{asset.path}?{answer.at}"
    converted = answer.representation is not None and answer.content_type != asset.content_type
    if answer.content_type is not None:
        yield "Content-Type", answer.content_type
        named = disposition(
            asset.path.partition("?")[0], answer.content_type, asset.headers.get("content-disposition"), converted
        )
        if named is not None:
            yield "Content-Disposition", named
    if answer.representation is not None and answer.representation.coding:
        yield "Content-Encoding", answer.representation.coding
    left_out = _SAID_ANEW if answer.representation is None else _SAID_ANEW | _OF_STORED_BYTES
    for name, value in asset.headers.items():
        if name not in left_out:
            yield name, value


def _problem(
    site: Site | None, about: Headers, said: Problem, outcome: CacheStatus | None, *, close: bool = False
) -> Reply:
    body = Held(msgspec.json.encode(said) + b"\n")
    headers = (
        *about,
        *site_headers(site, PROBLEM_TYPE).items(),
        ("Cache-Status", (outcome or CacheStatus()).header()),
        ("Content-Type", PROBLEM_TYPE),
        _length(body.length),
    )
    name = site.name if site is not None else None
    return Reply(said.status, headers, body, 0, None, name, outcome, close)


def _length(length: int) -> tuple[str, str]:
    return "Content-Length", str(length)
