"""The website endpoint: one visit of an anonymous reader, from a path to a page, a redirect or an error page.

The rule of this file: a visitor gets what an anonymous reader of the bucket gets, and errors are pages. Routes without
an error condition come first, then the object or its folder's index document, then routes for the error, then the
bucket's own error document, which keeps the error's status.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteEndpoints.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from urllib.parse import quote

from msgspec.structs import replace

from origin.api.s3 import errors
from origin.api.s3 import headers as fields
from origin.api.s3.call import Answer
from origin.api.s3.reply import Ids
from origin.api.s3.router import decode
from origin.api.s3.website import no_website
from origin.service.model import ANY_READ, Caller, NotModified, ServiceError, Setting
from origin.service.reading import Reading
from origin.service.service import Service
from origin.service.website import MOVED, Redirect, Route, Website, decoded, location
from wire.ranges import content_range
from wire.refusals import Refusal

HTML = {"Content-Type": "text/html; charset=utf-8"}
_READS = frozenset({"GET", "HEAD"})
_HIDDEN = frozenset({"NoSuchKey", "AccessDenied"})
"""What there may be a folder behind: who may not list is told AccessDenied of a key that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request. `bucket` is empty where the host names none; headers are by lower-case name."""

    service: Service
    caller: Caller
    bucket: str
    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    ids: Ids


async def answer(visit: Visit) -> tuple[Answer, str | None]:
    """The answer to a visit, and the code of the error it is, None for a page. Raises what is a mistake of ours."""
    try:
        if visit.method not in _READS:
            raise Refusal(
                "MethodNotAllowed", "The specified method is not allowed against this resource.", Method=visit.method,
                ResourceType="OBJECT",
            )  # fmt: skip
        site = await _site(visit)
        key = decode(visit.raw_path[1:])
    except (Refusal, ServiceError) as error:
        return _error_page(visit, error, None), error.code
    if site.everything is not None:
        return _moved(visit, Route(redirect=site.everything), key, query=visit.raw_query), None
    route = site.redirect(key)
    if route is not None:
        return _moved(visit, route, key), None
    try:
        return await _page(visit, site.document(key)), None
    except (Refusal, ServiceError) as error:
        return await _failed(visit, site, key, error), error.code


async def _site(visit: Visit) -> Website:
    """Raises ServiceError (NoSuchBucket), Refusal (NoSuchWebsiteConfiguration)."""
    document = await visit.service.bucket_settings.shown(visit.bucket, Setting.WEBSITE)
    if document is None:
        raise no_website(visit.bucket)
    return decoded(document)


async def _page(visit: Visit, key: str) -> Answer:
    """An object, or where its redirect leads. Raises ServiceError as a read does."""
    try:
        reading = await visit.service.objects.open(
            visit.caller, visit.bucket, key, conditions=fields.read_conditions(visit.headers),
            range=visit.headers.get("range"),
        )  # fmt: skip
    except NotModified as error:
        headers = fields.of_object(error.info, visit.caller, checksums=False)
        del headers["Content-Type"]
        return Answer(304, headers)
    target = reading.info.headers.get(fields.REDIRECT)
    if target is None:
        return await _whole(visit, reading, 200)
    await reading.aclose()
    return _redirected(MOVED, target)


async def _whole(visit: Visit, reading: Reading, status: int) -> Answer:
    info = reading.info
    headers = fields.of_object(info, visit.caller, checksums=False)
    if reading.partial and info.size:
        headers["Content-Range"] = content_range(reading.start, reading.end - 1, info.size)
        status = 206
    if visit.method != "HEAD":
        return Answer(status, headers, reading)
    await reading.aclose()
    return Answer(status, {**headers, "Content-Length": str(reading.length)})


async def _failed(visit: Visit, site: Website, key: str, error: Refusal | ServiceError) -> Answer:
    """What a visitor gets instead of a page that cannot be read."""
    if error.code in _HIDDEN and key and not key.endswith("/") and await _is_folder(visit, site, key):
        return _redirected(HTTPStatus.FOUND, f"/{quote(key, safe='/~')}/")
    status = errors.STATUS.get(error.code, 500)
    route = site.redirect(key, status)
    if route is not None:
        return _moved(visit, route, key)
    if site.error is None or status == HTTPStatus.PRECONDITION_FAILED:
        return _error_page(visit, error, None)
    try:
        reading = await visit.service.objects.open(visit.caller, visit.bucket, site.error, conditions=ANY_READ)
    except ServiceError as second:
        return _error_page(visit, error, second, site.error)
    target = reading.info.headers.get(fields.REDIRECT)
    if target is not None:
        await reading.aclose()
        return _redirected(MOVED, target)
    page = await _whole(visit, reading, status)
    return replace(page, headers={**page.headers, **_of_error(error)})


async def _is_folder(visit: Visit, site: Website, key: str) -> bool:
    try:
        await visit.service.objects.head(visit.caller, visit.bucket, site.document(f"{key}/"))
    except ServiceError:
        return False
    return True


def _moved(visit: Visit, route: Route, key: str, query: str = "") -> Answer:
    host = visit.headers.get("host", "")
    to = location(route, key, host=host, secure=visit.caller.secure)
    return _redirected(_status(route.redirect), f"{to}?{query}" if query else to)


def _status(redirect: Redirect) -> int:
    return MOVED if redirect.status is None else redirect.status


def _redirected(status: int, target: str) -> Answer:
    return Answer(status, {**HTML, "Location": target}, _document(status, []).encode())


def _error_page(
    visit: Visit, error: Refusal | ServiceError, second: ServiceError | None, document: str | None = None
) -> Answer:
    """An error as a page; `second` is why the bucket's own error document cannot be shown."""
    status = errors.STATUS.get(error.code, 500)
    items = [("Code", error.code), ("Message", error.message), *errors.spelled(error.detail)]
    body = _document(status, [*items, ("RequestId", visit.ids.request), ("HostId", visit.ids.host)])
    if second is not None:
        title = "An Error Occurred While Attempting to Retrieve a Custom Error Document"
        listed = _list([("Code", second.code), ("Message", second.message), ("Key", document or "")])
        body = body.replace("<hr/>", f"<h3>{title}</h3>\n{listed}<hr/>")
    return Answer(status, {**HTML, **_of_error(error)}, body.encode("utf-8", "replace"))


def _of_error(error: Refusal | ServiceError) -> dict[str, str]:
    found = {"x-amz-error-code": error.code, "x-amz-error-message": error.message}
    if "key" in error.detail:
        found["x-amz-error-detail-Key"] = quote(str(error.detail["key"]), safe="/")
    return found


def _document(status: int, items: list[tuple[str, str | int]]) -> str:
    try:
        title = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        title = str(status)
    head = f"<head><title>{title}</title></head>"
    return f"<html>\n{head}\n<body>\n<h1>{title}</h1>\n{_list(items)}<hr/>\n</body>\n</html>\n"


def _list(items: list[tuple[str, str | int]]) -> str:
    lines = "".join(f"<li>{escape(name)}: {escape(str(value))}</li>\n" for name, value in items)
    return f"<ul>\n{lines}</ul>\n" if lines else ""
