"""Policies: documents that allow or deny, and what they come to for one request.

The rule of this file: a pure function of document and request. An explicit deny wins over every allow, and what no
statement speaks of is neither. Patterns are matched in time proportional to their length times the text's.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from origin.service.actions import LEVELS, is_action
from origin.service.operations import Level
from origin.service.policy_conditions import OPERATORS, Condition, glob, holds, matches, pins, read_condition

MAX_POLICY = 20 * 1024
"""The longest bucket policy, in bytes (AWS: 20 KB)."""
ARN = "arn:aws:s3:::"
ANYBODY = "*"
REQUEST_TAGS = "s3:requestobjecttag"
"""What every condition key of the tags that a request gives begins with."""

_ACTION = re.compile(r"\*|s3:[A-Za-z*?]+", re.IGNORECASE)
# Keys of AWS, of S3, of its sessions, and of federations, which are host names.
_CONDITION_KEY = re.compile(r"(aws|s3|sts|saml|[a-z0-9-]+(\.[a-z0-9-]+)+):.")
_VERSIONS = frozenset({"2008-10-17", "2012-10-17"})
_STATEMENT = frozenset(
    {
        "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
    }
)  # fmt: skip
_IAM = re.compile(r"arn:aws[\w-]*:(?:iam|sts)::([^:]*):(.+)")


class Malformed(ValueError):
    """The document is no policy; the message says why."""


class Effect(Enum):
    """What a policy comes to for a request."""

    NONE = auto()
    ALLOW = auto()
    DENY = auto()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the canonical id and name of an owner."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a policy is asked about; `principal` None is anonymous. `context` has its keys in lower case."""

    principal: Principal | None
    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns of which one must match; `negated`, of which none may (NotAction and its kin)."""

    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `principals` None fits whoever has the policy (an access key's)."""

    allows: bool
    principals: Patterns | None
    actions: Patterns
    resources: Patterns
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The effect, and whether it hung on a condition: another request for the same may come out otherwise."""

    effect: Effect
    conditional: bool = False
    asks_for_tags: bool = False
    """True where what allows is a statement that says which tags the request may give."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy, read and checked."""

    statements: tuple[Statement, ...]

    def evaluate(self, request: Request) -> Outcome:
        """What the policy says to a request: deny before allow."""
        effect, conditional, tags = Effect.NONE, False, False
        for statement in self.statements:
            if not _speaks_of(statement, request):
                continue
            conditional = conditional or bool(statement.conditions)
            if not all(holds(condition, request.context) for condition in statement.conditions):
                continue
            if not statement.allows:
                return Outcome(Effect.DENY, bool(statement.conditions))
            effect = Effect.ALLOW
            tags = tags or any(condition.key.startswith(REQUEST_TAGS) for condition in statement.conditions)
        return Outcome(effect, conditional, tags)

    @property
    def public(self) -> bool:
        """Whether it allows something to everybody.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html, "The meaning of
        public": a wildcard principal, and no condition that pins the caller to fixed values.
        """
        return any(
            statement.allows
            and statement.principals is not None
            and (statement.principals.negated or ANYBODY in statement.principals.values)
            and not any(pins(condition) for condition in statement.conditions)
            for statement in self.statements
        )


@lru_cache(maxsize=1024)
def read_key_policy(text: str) -> Policy:
    """The policy of an access key: statements without a principal. Raises Malformed."""
    return Policy(tuple(_statement(raw, None) for raw in _statements(text)))


@lru_cache(maxsize=1024)
def read_bucket_policy(text: str, bucket: str) -> Policy:
    """The policy of a bucket: every statement names principals, and only the bucket and its keys. Raises Malformed."""
    if len(text.encode()) > MAX_POLICY:
        raise Malformed("Policy exceeds the maximum allowed document size.")
    return Policy(tuple(_statement(raw, bucket) for raw in _statements(text)))


def _statements(text: str) -> Iterator[dict[str, Any]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed("This policy contains invalid Json") from error
    if not isinstance(document, dict):
        raise Malformed("Policies must be valid JSON and the first byte must be '{'")
    if document.get("Version", "2008-10-17") not in _VERSIONS:
        raise Malformed("The policy must contain a valid version string")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if statements == []:
        raise Malformed("Could not parse the policy: Statement is empty!")
    if not isinstance(statements, list):
        raise Malformed("Missing required field Statement")
    for statement in statements:
        if not isinstance(statement, dict) or not set(statement) <= _STATEMENT:
            raise Malformed("Unknown field in a statement")
        yield statement


def _statement(raw: dict[str, Any], bucket: str | None) -> Statement:
    if "Effect" not in raw:
        raise Malformed("Missing required field Effect")
    if raw["Effect"] not in ("Allow", "Deny"):
        raise Malformed(f"Invalid effect: {str(raw['Effect'])[:64]}")
    principals = None
    if bucket is not None:
        name, value = _either(raw, "Principal", "NotPrincipal")
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
        if name == "NotPrincipal" and raw["Effect"] == "Allow":
            raise Malformed("Allow with NotPrincipal is not allowed")
        principals = Patterns(tuple(_principals(value)), name == "NotPrincipal")
    elif "Principal" in raw or "NotPrincipal" in raw:
        raise Malformed("The policy of a key names no principal")
    action, actions = _either(raw, "Action", "NotAction")
    resource, resources = _either(raw, "Resource", "NotResource")
    patterns = Patterns(_texts(actions), action == "NotAction")
    if not all(_ACTION.fullmatch(value) for value in patterns.values):
        raise Malformed("Policy has invalid action")
    if bucket is not None and not all(is_action(value) for value in patterns.values):
        raise Malformed("Policy has invalid action")
    places = Patterns(_texts(resources), resource == "NotResource")
    if not all(_names(value, bucket) for value in places.values):
        raise Malformed("Policy has invalid resource")
    if bucket is not None and not (patterns.negated or places.negated):
        _check_levels(patterns.values, places.values)
    conditions = tuple(_conditions(raw.get("Condition")))
    if bucket is not None and not all(_CONDITION_KEY.match(condition.key) for condition in conditions):
        raise Malformed("Policy has an invalid condition key")
    return Statement(raw["Effect"] == "Allow", principals, patterns, places, conditions)


def _either(raw: dict[str, Any], name: str, negation: str) -> tuple[str, Any]:
    """The one of two elements that is there."""
    if (name in raw) == (negation in raw):
        raise Malformed(f"Missing required field {name}")
    return (name, raw[name]) if name in raw else (negation, raw[negation])


def _texts(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(one, str) and one for one in values):
        raise Malformed("A list of texts is expected")
    return tuple(values)


def _names(resource: str, bucket: str | None) -> bool:
    """Whether a resource is an S3 one; in a bucket's policy, the bucket or something in it."""
    if bucket is None:
        return resource == "*" or resource.startswith(ARN)
    name, slash, _ = resource.removeprefix(ARN).partition("/")
    return resource.startswith(ARN) and (glob(name, bucket) or (not slash and glob(name, f"{bucket}/")))


def _check_levels(actions: tuple[str, ...], resources: tuple[str, ...]) -> None:
    """Refuse an action that none of the resources can be meant by: of buckets on objects, or the other way round."""
    names = [resource.removeprefix(ARN) for resource in resources]
    keys = any("/" in name or name.endswith("*") for name in names)
    buckets = any("/" not in name for name in names)
    for action in actions:
        level = LEVELS.get(action.lower())
        if (level is Level.OBJECT and not keys) or (level is Level.BUCKET and not buckets):
            raise Malformed("Action does not apply to any resource(s) in statement")


def _principals(value: Any) -> Iterator[str]:
    """Every spelling of a principal as ANYBODY, or as a canonical id or name; services and federations fit nobody."""
    if value == ANYBODY:
        yield ANYBODY
        return
    if not isinstance(value, dict) or not value:
        raise Malformed("Invalid principal in policy")
    for kind, names in value.items():
        if kind not in ("AWS", "CanonicalUser", "Service", "Federated"):
            raise Malformed("Invalid principal in policy")
        for name in _texts(names):
            if kind not in ("AWS", "CanonicalUser"):
                yield f"{kind} {name}"
            elif name == ANYBODY and kind == "AWS":
                yield ANYBODY
            else:
                yield _identifier(name)


def _identifier(name: str) -> str:
    """What an ARN of an account or user names: a user by name, an account by id or name."""
    match = _IAM.fullmatch(name)
    if match is None:
        if name.startswith("arn:") or not name or ANYBODY in name:
            raise Malformed("Invalid principal in policy")
        return name
    account, rest = match[1], match[2]
    kind, _, user = rest.partition("/")
    if kind == "root" and account:
        return account
    if kind in ("user", "role", "assumed-role") and user:
        return user.rpartition("/")[2]
    raise Malformed("Invalid principal in policy")


def _conditions(raw: Any) -> Iterator[Condition]:
    if raw is None:
        return
    if not isinstance(raw, dict):
        raise Malformed("Invalid Condition")
    for operator, keys in raw.items():
        if not isinstance(keys, dict):
            raise Malformed("Invalid Condition")
        for key, values in keys.items():
            condition = read_condition(operator, key, values)
            if condition is None:
                raise Malformed(f"Invalid Condition type : {operator}")
            yield condition


def _speaks_of(statement: Statement, request: Request) -> bool:
    return (
        (statement.principals is None or _fits(statement.principals, request.principal))
        and _one_of(statement.actions, request.action.lower(), request, lower=True)
        and _one_of(statement.resources, request.resource, request)
    )


def _fits(principals: Patterns, principal: Principal | None) -> bool:
    named = ANYBODY in principals.values or (
        principal is not None and bool({principal.id, principal.name} & set(principals.values))
    )
    return named != principals.negated


def _one_of(patterns: Patterns, text: str, request: Request, *, lower: bool = False) -> bool:
    found = any(matches(value.lower() if lower else value, text, request.context) for value in patterns.values)
    return found != patterns.negated


__all__ = [
    "ARN", "OPERATORS", "Effect", "Malformed", "Outcome", "Policy", "Principal", "Request", "read_bucket_policy",
    "read_key_policy",
]  # fmt: skip
