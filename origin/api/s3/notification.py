"""Event notification configurations as S3 spells them.

The rule of this file: shape, names of events and filters. Whether a destination exists and whether configurations
overlap is decided in the service.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
"""

from __future__ import annotations

import re

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.service.notifications import EVENTS, Target
from wire.refusals import Refusal

MAX_BODY = 256 * 1024
MOST_TARGETS = 100
LONGEST_VALUE = 1024
_KINDS = {
    "topic": ("TopicConfiguration", "Topic", "sns"),
    "queue": ("QueueConfiguration", "Queue", "sqs"),
    "function": ("CloudFunctionConfiguration", "CloudFunction", "lambda"),
}
"""How a client spells a destination: element, element of the ARN, service in the ARN."""
_ARN = re.compile(r"arn:[a-z-]+:(sns|sqs|lambda):[^:]*:[^:]*:.+")
_KNOWN = frozenset(f"s3:{event}" for event in EVENTS)


async def get_notification(call: Call) -> Answer:
    """GetBucketNotificationConfiguration."""
    targets = await call.service.notifications.targets(call.caller, call.bucket)
    return xml_answer("NotificationConfiguration", [(_KINDS[one.kind][0], _items(one)) for one in targets])


async def put_notification(call: Call) -> Answer:
    """PutBucketNotificationConfiguration: replaces everything; an empty one tells nobody any more."""
    root = xml.parse(await call.body.read(MAX_BODY), "NotificationConfiguration")
    if root.find("EventBridgeConfiguration") is not None:
        raise Refusal("NotImplemented", "Events are not sent to EventBridge.")
    targets = tuple(_target(kind, element) for kind, (name, _, _) in _KINDS.items() for element in root.all(name))
    if len(targets) > MOST_TARGETS:
        raise _invalid(f"A bucket has at most {MOST_TARGETS} notification configurations.", "Configuration", "")
    await call.service.notifications.set_targets(call.caller, call.bucket, targets)
    return Answer()


def _target(kind: str, element: xml.Element) -> Target:
    _, name, service = _KINDS[kind]
    arn, events = element.value(name) or "", tuple(child.text.strip() for child in element.all("Event"))
    if not events:
        raise xml.malformed()
    match = _ARN.fullmatch(arn)
    if match is None or match[1] != service:
        raise _invalid("The ARN is not well formed", name, arn)
    for event in events:
        if event not in _KNOWN:
            raise _invalid(f"The event '{event}' is not supported for notifications", "Event", event)
    prefix, suffix = _filter(element)
    return Target(
        kind=kind,
        id=element.value("Id") or "",
        arn=arn,
        events=tuple(event.removeprefix("s3:") for event in events),
        prefix=prefix,
        suffix=suffix,
    )


def _filter(element: xml.Element) -> tuple[str | None, str | None]:
    chosen = element.find("Filter")
    keyed = None if chosen is None else chosen.find("S3Key")
    found: dict[str, str] = {}
    for rule in () if keyed is None else keyed.all("FilterRule"):
        name, value = (rule.value("Name") or "").lower(), rule.require("Value")
        if name not in ("prefix", "suffix"):
            raise _invalid("filter rule name must be either prefix or suffix", "FilterRule.Name", name)
        if name in found:
            raise _invalid(f"Cannot specify more than one {name} rule in a filter.", "FilterRule.Name", name)
        if len(value.encode()) > LONGEST_VALUE:
            raise _invalid(f"filter rule value is longer than {LONGEST_VALUE} bytes", "FilterRule.Value", "")
        found[name] = value
    return found.get("prefix"), found.get("suffix")


def _items(target: Target) -> list[xml.Item]:
    chosen = (("Prefix", target.prefix), ("Suffix", target.suffix))
    rules: list[xml.Item] = [
        ("FilterRule", [("Name", name), ("Value", value)]) for name, value in chosen if value is not None
    ]
    return [
        ("Id", target.id),
        (_KINDS[target.kind][1], target.arn),
        *(("Event", f"s3:{event}") for event in target.events),
        ("Filter", [("S3Key", rules)] if rules else None),
    ]


def _invalid(message: str, name: str, value: str) -> Refusal:
    return Refusal("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)
