"""The policy of a POST form: what its signer allows, and who signed it.

The rule of this file: every field must be allowed by a condition, but those that only carry the signature or the
bytes; what no condition names is refused. Names of fields and conditions have no case.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html and (version 2)
https://docs.aws.amazon.com/AmazonS3/latest/API/HTTPPOSTForms.html
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from wire import sigv2
from wire.claims import ALGORITHM, Scope, basic_time, credential
from wire.dates import parse_iso8601
from wire.refusals import Refusal
from wire.sigv4 import signing_key

_UNCHECKED = frozenset({"x-amz-signature", "signature", "awsaccesskeyid", "policy", "file"})
_IGNORED = "x-ignore-"
_OPERATORS = frozenset({"eq", "starts-with"})
# Fields whose value is a list: each of its values must begin with the prefix.
_LISTS = frozenset({"content-type"})


@dataclass(frozen=True, slots=True)
class FormClaim:
    """Who signed the policy of a form; `signed` is the policy as it was sent."""

    access_key: str
    signature: str
    signed: str
    scope: Scope | None
    """The scope of a version 4 signature, None for version 2."""

    def verify(self, secret: str) -> None:
        """Raise Refusal (SignatureDoesNotMatch) where the signature is not that of the key."""
        if self.scope is None:
            expected = sigv2.sign(secret, self.signed)
        else:
            expected = hmac.digest(signing_key(secret, self.scope), self.signed.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), self.signature.encode()):
            raise Refusal(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
                AWSAccessKeyId=self.access_key,
            )


def read_form_claim(fields: Mapping[str, str]) -> FormClaim | None:
    """The claim of a form by its fields (lower-case names), None for an anonymous one. Raises Refusal."""
    policy = fields.get("policy")
    if "x-amz-algorithm" in fields or "x-amz-signature" in fields or "x-amz-credential" in fields:
        names = ("policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
        for name in names:
            if not fields.get(name):
                raise _missing(name)
        if fields["x-amz-algorithm"] != ALGORITHM:
            raise Refusal("InvalidArgument", f"X-Amz-Algorithm only supports {ALGORITHM}")
        timestamp = fields["x-amz-date"]
        if basic_time(timestamp) is None:
            raise Refusal("InvalidArgument", "X-Amz-Date must be in the ISO8601 Long Format")
        access_key, scope = credential(
            fields["x-amz-credential"], timestamp, lambda text: Refusal("InvalidArgument", text)
        )
        return FormClaim(access_key, fields["x-amz-signature"], fields["policy"], scope)
    if policy is None and "awsaccesskeyid" not in fields and "signature" not in fields:
        return None
    for name in ("policy", "awsaccesskeyid", "signature"):
        if not fields.get(name):
            raise _missing(name)
    return FormClaim(fields["awsaccesskeyid"], fields["signature"], fields["policy"], None)


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """A policy: when it ends (seconds since 1970), its conditions, and the bounds of the file in bytes."""

    expires: float
    conditions: tuple[tuple[str, str, str], ...]
    """(operator, field in lower case, value)."""
    bounds: tuple[int, int] | None

    def check(self, fields: Mapping[str, str], now: float) -> None:
        """Raise Refusal (AccessDenied) unless the form is allowed now."""
        if now > self.expires:
            raise _denied("Policy expired.")
        for operator, name, value in self.conditions:
            if not _holds(operator, name, fields.get(name, ""), value):
                raise _denied(f'Policy Condition failed: ["{operator}", "${name}", "{value}"]')
        allowed = {name for _, name, _ in self.conditions} | _UNCHECKED
        extra = [name for name in fields if name not in allowed and not name.startswith(_IGNORED) and name != "bucket"]
        if "bucket" not in allowed:
            extra.append("bucket")
        if extra:
            raise _denied(f"Extra input fields: {', '.join(extra)}")


def read_policy(encoded: str) -> PostPolicy:
    """The policy of a form. Raises Refusal (InvalidPolicyDocument)."""
    try:
        document = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _invalid("Invalid JSON.") from error
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    expiration, conditions = document.get("expiration"), document.get("conditions")
    ends = parse_iso8601(expiration) if isinstance(expiration, str) else None
    if ends is None:
        raise _invalid("Policy missing or invalid expiration.")
    if not isinstance(conditions, list):
        raise _invalid("Policy missing conditions.")
    found: list[tuple[str, str, str]] = []
    bounds: tuple[int, int] | None = None
    for condition in conditions:
        if isinstance(condition, list) and condition and str(condition[0]).lower() == "content-length-range":
            bounds = _bounds(condition)
        else:
            found.append(_condition(condition))
    return PostPolicy(ends, tuple(found), bounds)


def _condition(condition: object) -> tuple[str, str, str]:
    match condition:
        case {**pairs} if len(pairs) == 1:
            [(name, value)] = pairs.items()
            if isinstance(name, str) and isinstance(value, str):
                return "eq", name.lower(), value
        case [str(operator), str(name), str(value)] if operator.lower() in _OPERATORS and name.startswith("$"):
            return operator.lower(), name[1:].lower(), value
    raise _invalid("Invalid condition.")


def _bounds(condition: list[object]) -> tuple[int, int]:
    try:
        [_, least, most] = condition
        bounds = int(str(least)), int(str(most))
    except ValueError as error:
        raise _invalid("Invalid content-length-range.") from error
    if bounds[0] < 0 or bounds[1] < bounds[0]:
        raise _invalid("Invalid content-length-range.")
    return bounds


def _holds(operator: str, name: str, given: str, value: str) -> bool:
    if operator == "eq":
        return given == value
    pieces = given.split(",") if name in _LISTS else [given]
    return all(piece.strip().startswith(value) for piece in pieces)


def _missing(name: str) -> Refusal:
    return Refusal(
        "InvalidArgument",
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields.",
        ArgumentName=name,
    )


def _denied(why: str) -> Refusal:
    return Refusal("AccessDenied", f"Invalid according to Policy: {why}")


def _invalid(why: str) -> Refusal:
    return Refusal("InvalidPolicyDocument", f"Invalid Policy: {why}")
