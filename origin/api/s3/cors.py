"""Cross-origin requests as S3 answers them: the bucket's rules, preflight, and the headers of actual requests.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html and …/RESTOPTIONSobject.html
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.service.cors import ANY, METHODS, CorsRule, fitting, read_rules
from origin.service.model import Setting
from origin.service.service import Service
from wire.fields import split_list
from wire.refusals import Refusal

MAX_BODY = 64 * 1024
MAX_RULES = 100


async def get_cors(call: Call) -> Answer:
    """GetBucketCors."""
    document = await call.service.bucket_settings.get(call.caller, call.operation.name, call.bucket, Setting.CORS)
    if document is None:
        raise Refusal("NoSuchCORSConfiguration", "The CORS configuration does not exist", BucketName=call.bucket)
    return xml_answer("CORSConfiguration", [("CORSRule", _items(rule)) for rule in read_rules(document)])


async def put_cors(call: Call) -> Answer:
    """PutBucketCors."""
    root = xml.parse(await call.body.read(MAX_BODY), "CORSConfiguration")
    rules = tuple(_rule(element) for element in root.all("CORSRule"))
    if not rules:
        raise xml.malformed()
    if len(rules) > MAX_RULES:
        raise Refusal(
            "InvalidRequest", f"The number of CORS rules should not exceed allowed limit of {MAX_RULES} rules."
        )
    await _put(call, msgspec.json.encode(rules).decode())
    return Answer()


async def delete_cors(call: Call) -> Answer:
    """DeleteBucketCors: 204."""
    await _put(call, None)
    return Answer(204)


async def _put(call: Call, document: str | None) -> None:
    await call.service.bucket_settings.put(call.caller, call.operation.name, call.bucket, Setting.CORS, document)


async def preflight(service: Service, bucket: str, headers: Mapping[str, str]) -> Answer:
    """What a browser asks before it sends a request. It carries no signature and learns nothing but the rule."""
    origin, method = headers.get("origin"), headers.get("access-control-request-method")
    if not origin:
        raise Refusal("BadRequest", "Insufficient information. Origin request header needed.")
    if method not in METHODS:
        raise Refusal("BadRequest", f"Invalid Access-Control-Request-Method: {method}")
    asked = tuple(split_list(headers.get("access-control-request-headers", "")))
    document = await service.bucket_settings.public(bucket, Setting.CORS)
    if document is None:
        raise _forbidden(method, "CORS is not enabled for this bucket.")
    rule = fitting(read_rules(document), origin, method, asked)
    if rule is None:
        raise _forbidden(
            method,
            "This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
            "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's "
            "CORS spec.",
        )
    return Answer(200, rule.answer(origin, asked))


async def answered(service: Service, bucket: str, method: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that a page of another site needs to see the answer of an actual request.

    A request that names another method than its own is answered for that one, as AWS does.
    """
    origin = headers.get("origin")
    if not origin or not bucket:
        return {}
    method = headers.get("access-control-request-method") or method
    document = await service.bucket_settings.public(bucket, Setting.CORS)
    rule = None if document is None else fitting(read_rules(document), origin, method)
    return {} if rule is None else rule.answer(origin, ())


def _forbidden(method: str, why: str) -> Refusal:
    return Refusal("AccessForbidden", f"CORSResponse: {why}", Method=method, ResourceType="OBJECT")


def _rule(element: xml.Element) -> CorsRule:
    """One CORSRule. Raises Refusal: MalformedXML, InvalidRequest (a method or pattern that is none)."""
    age = element.value("MaxAgeSeconds")
    if age is not None and not (age.isascii() and age.isdigit() and len(age) < 10):
        raise xml.malformed()
    rule = CorsRule(
        origins=_texts(element, "AllowedOrigin"),
        methods=_texts(element, "AllowedMethod"),
        headers=_texts(element, "AllowedHeader"),
        exposed=_texts(element, "ExposeHeader"),
        max_age=None if age is None else int(age),
        id=element.value("ID"),
    )
    if not rule.origins or not rule.methods:
        raise xml.malformed()
    for method in rule.methods:
        if method not in METHODS:
            raise Refusal(
                "InvalidRequest", f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            )
    for kind, patterns in (("AllowedOrigin", rule.origins), ("AllowedHeader", rule.headers)):
        for pattern in patterns:
            if pattern.count(ANY) > 1:
                raise Refusal("InvalidRequest", f'{kind} "{pattern}" can not have more than one wildcard.')
    if any(ANY in name for name in rule.exposed):
        raise Refusal("InvalidRequest", "ExposeHeader contains wildcard. We currently do not support wildcard.")
    return rule


def _texts(element: xml.Element, name: str) -> tuple[str, ...]:
    return tuple(child.text.strip() for child in element.all(name))


def _items(rule: CorsRule) -> list[xml.Item]:
    return [
        ("ID", rule.id),
        *(("AllowedMethod", value) for value in rule.methods),
        *(("AllowedOrigin", value) for value in rule.origins),
        *(("AllowedHeader", value) for value in rule.headers),
        *(("ExposeHeader", value) for value in rule.exposed),
        ("MaxAgeSeconds", rule.max_age),
    ]
