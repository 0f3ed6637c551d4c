"""Lifecycle configurations as S3 spells them: a rule's document, read and written.

The rule of this file: shape only. What is not of the schema is MalformedXML; whether a rule makes sense is decided in
the service. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
"""

from __future__ import annotations

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.api.s3.tagging import tag_items
from origin.service.operations import Level
from origin.service.rules import Expire, Filter, Noncurrent, Rule
from origin.service.tags import tag_set
from wire.dates import iso8601, parse_iso8601
from wire.refusals import Refusal

MAX_CONFIGURATION = 1024 * 1024
_STATUS = {"Enabled": True, "Disabled": False}
_FLAGS = {"true": True, "false": False}
_TRANSITIONS = ("Transition", "NoncurrentVersionTransition")


async def get_lifecycle(call: Call) -> Answer:
    """GetBucketLifecycleConfiguration."""
    rules = await call.service.lifecycle.rules(call.caller, call.bucket)
    return xml_answer("LifecycleConfiguration", [("Rule", _items(rule)) for rule in rules])


async def put_lifecycle(call: Call) -> Answer:
    """PutBucketLifecycleConfiguration."""
    if not call.body.vouched:
        raise Refusal("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    root = xml.parse(await call.body.read(MAX_CONFIGURATION), "LifecycleConfiguration")
    rules = [_rule(element) for element in root.all("Rule")]
    if not rules:
        raise xml.malformed()
    await call.service.lifecycle.set_rules(call.caller, call.bucket, rules)
    return Answer()


async def delete_lifecycle(call: Call) -> Answer:
    """DeleteBucketLifecycle."""
    await call.service.lifecycle.remove_rules(call.caller, call.bucket)
    return Answer(204)


def _rule(element: xml.Element) -> Rule:
    if any(element.find(name) for name in _TRANSITIONS):
        raise Refusal("NotImplemented", "There is one storage class: lifecycle transitions are not implemented.")
    status, prefix, chosen = element.value("Status"), _text(element, "Prefix"), element.find("Filter")
    if status not in _STATUS or (prefix is None) == (chosen is None):
        raise xml.malformed()
    expiration = element.find("Expiration")
    noncurrent = element.find("NoncurrentVersionExpiration")
    abort = element.find("AbortIncompleteMultipartUpload")
    return Rule(
        id=element.value("ID") or "",
        enabled=_STATUS[status],
        prefix=prefix,
        filter=None if chosen is None else _filter(chosen),
        expiration=None if expiration is None else _expire(expiration),
        noncurrent=None if noncurrent is None else _noncurrent(noncurrent),
        abort_days=None if abort is None else _number(abort, "DaysAfterInitiation"),
    )


def _filter(element: xml.Element) -> Filter:
    """A Filter: nothing, one condition, or an And of several. An empty prefix is no condition."""
    joined = element.find("And")
    if joined is not None and len(element.children) > 1:
        raise xml.malformed()
    conditions = element if joined is None else joined
    tags = tag_set([(tag.require("Key"), tag.require("Value")) for tag in conditions.all("Tag")], Level.OBJECT)
    found = Filter(
        prefix=_text(conditions, "Prefix"),
        tags=tags,
        greater=xml.integer(conditions.value("ObjectSizeGreaterThan")),
        less=xml.integer(conditions.value("ObjectSizeLessThan")),
        joined=joined is not None,
    )
    if joined is None and bool(found.prefix) + len(tags) + (found.greater is not None) + (found.less is not None) > 1:
        raise xml.malformed()
    return found


def _expire(element: xml.Element) -> Expire:
    """An Expiration: exactly one of its three kinds."""
    date, flag = element.value("Date"), element.value("ExpiredObjectDeleteMarker")
    days, when = xml.integer(element.value("Days")), None if date is None else parse_iso8601(date)
    if (date is not None and when is None) or (flag is not None and flag not in _FLAGS):
        raise xml.malformed()
    if [days, when, flag].count(None) != 2:
        raise xml.malformed()
    return Expire(days=days, date=when, markers=None if flag is None else _FLAGS[flag])


def _noncurrent(element: xml.Element) -> Noncurrent:
    newer = xml.integer(element.value("NewerNoncurrentVersions"))
    return Noncurrent(days=_number(element, "NoncurrentDays"), newer=newer)


def _number(element: xml.Element, name: str) -> int:
    number = xml.integer(element.value(name))
    if number is None:
        raise xml.malformed()
    return number


def _text(element: xml.Element, name: str) -> str | None:
    """The text of a child as it stands: white space of a prefix is part of it."""
    child = element.find(name)
    return None if child is None else child.text


def _items(rule: Rule) -> list[xml.Item]:
    expire, noncurrent = rule.expiration, rule.noncurrent
    return [
        ("ID", rule.id),
        ("Prefix", rule.prefix),
        ("Filter", None if rule.filter is None else _filter_items(rule.filter)),
        ("Status", "Enabled" if rule.enabled else "Disabled"),
        ("Expiration", None if expire is None else _expire_items(expire)),
        ("NoncurrentVersionExpiration", None if noncurrent is None else _noncurrent_items(noncurrent)),
        (
            "AbortIncompleteMultipartUpload",
            None if rule.abort_days is None else [("DaysAfterInitiation", rule.abort_days)],
        ),
    ]


def _filter_items(found: Filter) -> list[xml.Item]:
    conditions: list[xml.Item] = [
        ("Prefix", found.prefix),
        *tag_items(found.tags),
        ("ObjectSizeGreaterThan", found.greater),
        ("ObjectSizeLessThan", found.less),
    ]
    return [("And", conditions)] if found.joined else conditions


def _expire_items(expire: Expire) -> list[xml.Item]:
    return [
        ("Days", expire.days),
        ("Date", None if expire.date is None else iso8601(expire.date)),
        ("ExpiredObjectDeleteMarker", expire.markers),
    ]


def _noncurrent_items(noncurrent: Noncurrent) -> list[xml.Item]:
    return [("NoncurrentDays", noncurrent.days), ("NewerNoncurrentVersions", noncurrent.newer)]
