"""Website configurations as S3 spells them, with AWS's refusals.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html
"""

from __future__ import annotations

import re

import msgspec

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.service.model import Setting
from origin.service.website import Redirect, Route, Website, decoded
from wire.refusals import Refusal

MAX_BODY = 128 * 1024
MOST_ROUTES = 50
_PROTOCOLS = frozenset({"http", "https"})
_HOST = re.compile(r"[A-Za-z0-9._\[\]:-]{1,253}")


async def get_website(call: Call) -> Answer:
    """GetBucketWebsite."""
    document = await call.service.bucket_settings.get(call.caller, call.operation.name, call.bucket, Setting.WEBSITE)
    if document is None:
        raise no_website(call.bucket)
    site = decoded(document)
    routes: list[xml.Item] = [("RoutingRule", _route_items(route)) for route in site.routes]
    return xml_answer(
        "WebsiteConfiguration",
        [
            ("RedirectAllRequestsTo", None if site.everything is None else _redirect_items(site.everything)),
            ("IndexDocument", [("Suffix", site.index)] if site.index else None),
            ("ErrorDocument", None if site.error is None else [("Key", site.error)]),
            ("RoutingRules", routes or None),
        ],
    )


async def put_website(call: Call) -> Answer:
    """PutBucketWebsite."""
    site = _site(xml.parse(await call.body.read(MAX_BODY), "WebsiteConfiguration"))
    document = msgspec.json.encode(site).decode()
    await call.service.bucket_settings.put(call.caller, call.operation.name, call.bucket, Setting.WEBSITE, document)
    return Answer()


async def delete_website(call: Call) -> Answer:
    """DeleteBucketWebsite: 204."""
    await call.service.bucket_settings.put(call.caller, call.operation.name, call.bucket, Setting.WEBSITE, None)
    return Answer(204)


def no_website(bucket: str) -> Refusal:
    """The refusal where a bucket is no website."""
    return Refusal(
        "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration", BucketName=bucket
    )


def _site(root: xml.Element) -> Website:
    everything, index, error = (root.find(name) for name in ("RedirectAllRequestsTo", "IndexDocument", "ErrorDocument"))
    rules = root.find("RoutingRules")
    if everything is not None:
        if index is not None or error is not None or rules is not None:
            raise _wrong("RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")
        if not everything.value("HostName"):
            raise xml.malformed()
        return Website(everything=_redirect(everything))
    if index is None:
        raise _argument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            "IndexDocument",
            "null",
        )
    suffix = index.value("Suffix") or ""
    if not suffix or "/" in suffix:
        raise _argument("The IndexDocument Suffix is not well formed", "IndexDocument", suffix)
    key = None if error is None else error.value("Key") or ""
    if key == "":
        raise _argument("The ErrorDocument Key is not well formed", "ErrorDocument", "")
    listed = [] if rules is None else list(rules.all("RoutingRule"))
    if len(listed) > MOST_ROUTES:
        raise _wrong(
            f"{len(listed)} routing rules provided, the number of routing rules in a website configuration is limited"
            f" to {MOST_ROUTES}."
        )
    return Website(index=suffix, error=key, routes=tuple(_route(element) for element in listed))


def _route(element: xml.Element) -> Route:
    condition, redirect = element.find("Condition"), element.find("Redirect")
    if redirect is None or not redirect.children:
        raise xml.malformed()
    if condition is None:
        return Route(redirect=_redirect(redirect))
    prefix, code = condition.find("KeyPrefixEquals"), condition.value("HttpErrorCodeReturnedEquals")
    if prefix is None and code is None:
        raise _wrong(
            "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't"
            " be present."
        )
    error = xml.integer(code)
    if error is not None and not 400 <= error <= 599:
        raise _wrong(f"The provided HTTP error code ({error}) is not valid. Valid codes are 4XX or 5XX.")
    return Route(redirect=_redirect(redirect), prefix=None if prefix is None else prefix.text, error=error)


def _redirect(element: xml.Element) -> Redirect:
    key, prefix = element.find("ReplaceKeyWith"), element.find("ReplaceKeyPrefixWith")
    if key is not None and prefix is not None:
        raise _wrong("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    protocol, host = element.value("Protocol"), element.value("HostName")
    if protocol is not None and protocol not in _PROTOCOLS:
        raise _wrong(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected"
            " automatically."
        )
    if host is not None and _HOST.fullmatch(host.partition("/")[0]) is None:
        raise _wrong("The provided HostName is not valid.")
    status = xml.integer(element.value("HttpRedirectCode"))
    if status is not None and not 301 <= status <= 399:
        raise _wrong(f"The provided HTTP redirect code ({status}) is not valid. Valid codes are 3XX except 300.")
    return Redirect(
        host=host,
        protocol=protocol,
        key=None if key is None else key.text,
        prefix=None if prefix is None else prefix.text,
        status=status,
    )


def _route_items(route: Route) -> list[xml.Item]:
    condition: list[xml.Item] = [
        ("HttpErrorCodeReturnedEquals", route.error),
        ("KeyPrefixEquals", route.prefix),
    ]
    conditional = route.error is not None or route.prefix is not None
    redirect = [*_redirect_items(route.redirect), ("HttpRedirectCode", route.redirect.status)]
    return [("Condition", condition if conditional else None), ("Redirect", redirect)]


def _redirect_items(redirect: Redirect) -> list[xml.Item]:
    return [
        ("HostName", redirect.host),
        ("Protocol", redirect.protocol),
        ("ReplaceKeyPrefixWith", redirect.prefix),
        ("ReplaceKeyWith", redirect.key),
    ]


def _wrong(message: str) -> Refusal:
    return Refusal("InvalidRequest", message)


def _argument(message: str, name: str, value: str) -> Refusal:
    return Refusal("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)
