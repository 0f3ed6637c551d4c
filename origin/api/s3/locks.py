"""Object lock as S3 spells it: configurations of buckets, retentions, legal holds, and the headers of writes.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html,
…/API_PutObjectRetention.html, …/API_PutObjectLegalHold.html
"""

from __future__ import annotations

from collections.abc import Mapping

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.api.s3.context import knowing, of_lock
from origin.api.s3.headers import LOCK_HOLD as HOLD
from origin.api.s3.headers import LOCK_MODE as MODE
from origin.api.s3.headers import LOCK_UNTIL as UNTIL
from origin.service.locks import MODES, DefaultRetention, LockConfiguration
from origin.service.model import Lock
from wire.dates import iso8601, parse_iso8601
from wire.refusals import Refusal

MAX_CONFIGURATION = 64 * 1024
BYPASS = "x-amz-bypass-governance-retention"
_HOLDS = {"ON": True, "OFF": False}


def asked_lock(headers: Mapping[str, str]) -> Lock:
    """The lock that the headers of a write ask for. Raises Refusal (InvalidArgument)."""
    mode, until, hold = headers.get(MODE), headers.get(UNTIL), headers.get(HOLD)
    if (mode is None) != (until is None):
        raise _invalid(f"{UNTIL} and {MODE} must both be supplied", MODE if mode is None else UNTIL, "")
    if mode is not None and mode not in MODES:
        raise _invalid("Unknown wormMode directive.", MODE, mode)
    if hold is not None and hold not in _HOLDS:
        raise _invalid("Legal Hold must be either of 'ON' or 'OFF'", HOLD, hold)
    end = None if until is None else parse_iso8601(until)
    if until is not None and end is None:
        raise _invalid("The retain until date must be provided in ISO 8601 format", UNTIL, until)
    return Lock(mode=mode, until=end, hold=None if hold is None else _HOLDS[hold])


def asks_bypass(call: Call) -> bool:
    """Whether the request asks that governance retention yields."""
    return call.headers.get(BYPASS, "").lower() == "true"


async def get_object_lock_configuration(call: Call) -> Answer:
    """GetObjectLockConfiguration."""
    default = (await call.service.locks.configuration(call.caller, call.bucket)).default
    items: list[xml.Item] = [("ObjectLockEnabled", "Enabled")]
    if default is not None:
        retention: list[xml.Item] = [("Mode", default.mode), ("Days", default.days), ("Years", default.years)]
        items.append(("Rule", [("DefaultRetention", retention)]))
    return xml_answer("ObjectLockConfiguration", items)


async def put_object_lock_configuration(call: Call) -> Answer:
    """PutObjectLockConfiguration."""
    root = await _document(call, "ObjectLockConfiguration")
    if root.value("ObjectLockEnabled") != "Enabled":
        raise xml.malformed()
    rule = root.find("Rule")
    configuration = LockConfiguration(None if rule is None else _default(rule))
    await call.service.locks.set_configuration(call.caller, call.bucket, configuration)
    return Answer()


async def get_object_retention(call: Call) -> Answer:
    """GetObjectRetention."""
    lock = await _lock(call)
    if lock.mode is None or lock.until is None:
        raise _nothing_set()
    return xml_answer("Retention", [("Mode", lock.mode), ("RetainUntilDate", iso8601(lock.until))])


async def put_object_retention(call: Call) -> Answer:
    """PutObjectRetention; a document without mode and date takes the retention off."""
    root = await _document(call, "Retention")
    mode, until = root.value("Mode"), root.value("RetainUntilDate")
    end = None if until is None else parse_iso8601(until)
    if (mode is None) != (end is None) or (mode is not None and mode not in MODES):
        raise xml.malformed()
    caller = knowing(call.caller, of_lock(Lock(mode=mode, until=end), call.now))
    await call.service.locks.set_retention(
        caller, call.bucket, call.key, mode, end, call.query.get("versionId"), bypass=asks_bypass(call)
    )
    return Answer()


async def get_object_legal_hold(call: Call) -> Answer:
    """GetObjectLegalHold."""
    lock = await _lock(call)
    if lock.hold is None:
        raise _nothing_set()
    return xml_answer("LegalHold", [("Status", _hold(lock.hold))])


async def put_object_legal_hold(call: Call) -> Answer:
    """PutObjectLegalHold."""
    status = (await _document(call, "LegalHold")).value("Status")
    if status not in _HOLDS:
        raise xml.malformed()
    caller = knowing(call.caller, of_lock(Lock(hold=_HOLDS[status]), call.now))
    await call.service.locks.set_hold(caller, call.bucket, call.key, _HOLDS[status], call.query.get("versionId"))
    return Answer()


def _default(rule: xml.Element) -> DefaultRetention:
    """The default retention of a Rule: a mode, and days or years but not both."""
    given = rule.find("DefaultRetention")
    mode = None if given is None else given.value("Mode")
    if given is None or mode is None or mode not in MODES:
        raise xml.malformed()
    days, years = given.value("Days"), given.value("Years")
    if (days is None) == (years is None):
        raise xml.malformed()
    return DefaultRetention(mode, xml.integer(days), xml.integer(years))


async def _document(call: Call, root: str) -> xml.Element:
    """The body's document. AWS wants it vouched for by a digest."""
    if not call.body.vouched:
        raise Refusal("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    return xml.parse(await call.body.read(MAX_CONFIGURATION), root)


async def _lock(call: Call) -> Lock:
    return await call.service.locks.get(
        call.caller, call.operation.name, call.bucket, call.key, call.query.get("versionId")
    )


def _hold(hold: bool) -> str:
    return "ON" if hold else "OFF"


def _nothing_set() -> Refusal:
    return Refusal("NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration")


def _invalid(message: str, name: str, value: str) -> Refusal:
    return Refusal("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)
