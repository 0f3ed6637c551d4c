"""Lifecycle configurations as S3 spells them: a rule's document, read and written.

The rule of this file: shape only. What is not of the schema is MalformedXML; whether a rule makes sense is decided in
the service. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
"""

from __future__ import annotations

from msgspec.structs import replace

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.api.s3.tagging import tag_items
from origin.service.operations import Level
from origin.service.rules import ALL_CLASSES, BY_CLASS, COLDER, Expire, Filter, Move, Noncurrent, Rule
from origin.service.tags import tag_set
from wire.dates import iso8601, parse_iso8601
from wire.refusals import Refusal

MAX_CONFIGURATION = 1024 * 1024
_STATUS = {"Enabled": True, "Disabled": False}
_TARGETS = frozenset(COLDER) - {"STANDARD", "REDUCED_REDUNDANCY"}
_FLAGS = {"true": True, "false": False}
SMALLEST = "x-amz-transition-default-minimum-object-size"


async def get_lifecycle(call: Call) -> Answer:
    """GetBucketLifecycleConfiguration."""
    rules = await call.service.lifecycle.rules(call.caller, call.bucket)
    answer = xml_answer("LifecycleConfiguration", [("Rule", _items(rule)) for rule in rules])
    return replace(answer, headers={**answer.headers, SMALLEST: rules[0].smallest or ALL_CLASSES})


async def put_lifecycle(call: Call) -> Answer:
    """PutBucketLifecycleConfiguration."""
    if not call.body.vouched:
        raise Refusal("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    root = xml.parse(await call.body.read(MAX_CONFIGURATION), "LifecycleConfiguration")
    smallest = call.headers.get(SMALLEST)
    if smallest not in (None, ALL_CLASSES, BY_CLASS):
        raise Refusal("InvalidRequest", f"Invalid {SMALLEST} found: {smallest}")
    rules = [_rule(element, smallest) for element in root.all("Rule")]
    if not rules:
        raise xml.malformed()
    await call.service.lifecycle.set_rules(call.caller, call.bucket, rules)
    return Answer(200, {SMALLEST: smallest or ALL_CLASSES})


async def delete_lifecycle(call: Call) -> Answer:
    """DeleteBucketLifecycle."""
    await call.service.lifecycle.remove_rules(call.caller, call.bucket)
    return Answer(204)


def _rule(element: xml.Element, smallest: str | None) -> Rule:
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
        moves=tuple(_move(one) for one in element.all("Transition")),
        noncurrent_moves=tuple(_noncurrent_move(one) for one in element.all("NoncurrentVersionTransition")),
        smallest=smallest,
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


def _move(element: xml.Element) -> Move:
    """A Transition: days or a date, and the class."""
    date, days = element.value("Date"), xml.integer(element.value("Days"))
    when = None if date is None else parse_iso8601(date)
    if (date is None) == (days is None) or (date is not None and when is None):
        raise xml.malformed()
    return Move(to=_class(element), days=days, date=when)


def _noncurrent_move(element: xml.Element) -> Move:
    newer = xml.integer(element.value("NewerNoncurrentVersions"))
    return Move(to=_class(element), days=_number(element, "NoncurrentDays"), newer=newer)


def _class(element: xml.Element) -> str:
    name = element.value("StorageClass")
    if name not in _TARGETS:
        raise xml.malformed()
    return name


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
        *(("Transition", _move_items(move, "Days")) for move in rule.moves),
        *(("NoncurrentVersionTransition", _move_items(move, "NoncurrentDays")) for move in rule.noncurrent_moves),
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


def _move_items(move: Move, days: str) -> list[xml.Item]:
    return [
        (days, move.days),
        ("Date", None if move.date is None else iso8601(move.date)),
        ("NewerNoncurrentVersions", move.newer),
        ("StorageClass", move.to),
    ]


def _noncurrent_items(noncurrent: Noncurrent) -> list[xml.Item]:
    return [("NoncurrentDays", noncurrent.days), ("NewerNoncurrentVersions", noncurrent.newer)]
