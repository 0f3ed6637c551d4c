"""PostObject: a browser's form upload. https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html

The rule of this file: the form's fields stand for a PUT's headers, and its policy for the signature; everything but
the bytes is checked before the first of them is stored.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote, urlencode, urlsplit

from msgspec.structs import replace

from origin.api.s3 import xml
from origin.api.s3.authenticate import known_key
from origin.api.s3.body import checksums_of
from origin.api.s3.call import XML_TYPE, Answer, Call
from origin.api.s3.context import of_form
from origin.api.s3.objects import put_request, written
from origin.api.s3.tagging import HEADER as TAGGING
from origin.api.s3.tagging import parse_tagging
from origin.service.model import Caller, Expected, ObjectInfo
from origin.service.operations import Level
from wire.claims import unsupported
from wire.forms import FormReader, boundary_of
from wire.postpolicy import read_form_claim, read_policy
from wire.refusals import Refusal

_FILE_NAME = "${filename}"
_STATUS = {"200": 200, "201": 201}


async def post_object(call: Call) -> Answer:
    """PostObject: answers 204 unless the form asks for 200, 201 with a document, or a redirect."""
    form = FormReader(boundary_of(call.headers.get("content-type", "")))
    chunks = aiter(call.body)
    first = b""
    async for chunk in chunks:
        first = form.feed(bytes(chunk))
        if form.at_file:
            break
    if not form.at_file:
        raise Refusal(
            "InvalidArgument", "POST requires exactly one file upload per request.", ArgumentName="file",
            ArgumentValue="0",
        )  # fmt: skip
    fields = form.fields
    if not fields.get("key"):
        raise Refusal(
            "InvalidArgument",
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
            ArgumentName="key",
        )
    caller, bounds = await _signer(call, fields)
    key = fields["key"].replace(_FILE_NAME, form.file_name)
    headers = _headers(fields)
    caller = replace(caller, context=of_form(caller, headers, modern="x-amz-algorithm" in fields, now=call.now))
    call = replace(call, caller=caller)
    request = replace(put_request(call, key, headers, Expected(checksums=checksums_of(headers))), form=True)
    info = await call.service.objects.put(caller, request, _file(form, first, chunks, bounds))
    return _answer(call, fields, info)


async def _signer(call: Call, fields: Mapping[str, str]) -> tuple[Caller, tuple[int, int] | None]:
    """Who signed the form, and the bounds that the policy sets for the file, in bytes. Raises Refusal."""
    claim = read_form_claim(fields)
    if claim is None:
        return call.caller, None
    if claim.scope is None and not call.settings.sigv2:
        raise unsupported("AWS")
    key, secret = await known_key(call.service.keys, claim.access_key)
    claim.verify(secret)
    policy = read_policy(claim.signed)
    policy.check({**fields, "bucket": call.bucket}, call.now)
    return replace(call.caller, key=key), policy.bounds


def _headers(fields: Mapping[str, str]) -> dict[str, str]:
    """The headers that the fields stand for. Raises Refusal (MalformedXML); ServiceError (InvalidTag)."""
    headers = dict(fields)
    if "acl" in headers:
        headers["x-amz-acl"] = headers.pop("acl")
    if "tagging" in headers:
        headers[TAGGING] = urlencode(parse_tagging(headers.pop("tagging").encode(), Level.OBJECT))
    return headers


async def _file(
    form: FormReader, first: bytes, chunks: AsyncIterator[bytes], bounds: tuple[int, int] | None
) -> AsyncIterator[bytes]:
    """The bytes of the file, held to the policy's bounds. Raises Refusal: EntityTooLarge, EntityTooSmall."""
    size = len(first)
    least, most = bounds or (0, None)
    if first:
        yield first
    async for chunk in chunks:
        piece = form.feed(bytes(chunk))
        size += len(piece)
        if most is not None and size > most:
            break
        if piece:
            yield piece
    else:
        form.finish()
    if most is not None and size > most:
        raise Refusal(
            "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", ProposedSize=str(size),
            MaxSizeAllowed=str(most),
        )  # fmt: skip
    if size < least:
        raise Refusal(
            "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", ProposedSize=str(size),
            MinSizeAllowed=str(least),
        )  # fmt: skip


def _answer(call: Call, fields: Mapping[str, str], info: ObjectInfo) -> Answer:
    location = f"{call.location.rstrip('/')}/{quote(info.key)}"
    headers = {**written(info), "Location": location}
    redirect = fields.get("success_action_redirect") or fields.get("redirect")
    if redirect and urlsplit(redirect).scheme in ("http", "https") and "\n" not in redirect and "\r" not in redirect:
        said = urlencode({"bucket": call.bucket, "key": info.key, "etag": f'"{info.etag}"'})
        headers["Location"] = f"{redirect}{'&' if urlsplit(redirect).query else '?'}{said}"
        return Answer(303, headers)
    status = _STATUS.get(fields.get("success_action_status", ""), 204)
    if status != 201:
        return Answer(status, headers)
    items: list[xml.Item] = [
        ("Location", location), ("Bucket", call.bucket), ("Key", info.key), ("ETag", f'"{info.etag}"'),
    ]  # fmt: skip
    return Answer(201, {**headers, **XML_TYPE}, xml.document("PostResponse", items, namespace=None))
