"""The conditions of policies: one table of operators, and patterns with wildcards and variables.

The rule of this file: an operator is a row of `OPERATORS`. A key that the request does not have fails every positive
operator, and none of the negated ones or of those with IfExists.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wire.dates import parse_iso8601

Context = Mapping[str, tuple[str, ...]]
Test = Callable[[str, str], bool]
"""(what the request has, what the policy says) → whether they agree."""

_VARIABLE = re.compile(r"\$\{([^}]{1,128})\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. A negated one holds where its test agrees with none of the values."""

    test: Test
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of a condition block; `every` is ForAllValues, `if_exists` the suffix, `key` in lower case."""

    operator: str
    key: str
    values: tuple[str, ...]
    if_exists: bool = False
    every: bool = False


def _number(compare: Callable[[float, float], bool]) -> Test:
    def test(given: str, wanted: str) -> bool:
        try:
            return compare(float(given), float(wanted))
        except ValueError:
            return False

    return test


def _date(compare: Callable[[float, float], bool]) -> Test:
    def test(given: str, wanted: str) -> bool:
        left, right = _seconds(given), _seconds(wanted)
        return left is not None and right is not None and compare(left, right)

    return test


def _seconds(text: str) -> float | None:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        text += "T00:00:00Z"
    return float(text) if text.isascii() and text.isdigit() else parse_iso8601(text)


def _inside(given: str, wanted: str) -> bool:
    """Whether an address is in a network (CIDR) or is the address."""
    try:
        address, network = ipaddress.ip_address(given), ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address) in network


def _like(given: str, wanted: str) -> bool:
    return glob(wanted, given)


def _same_text(given: str, wanted: str) -> bool:
    return given.lower() == wanted.lower()


_COMPARISONS = {
    "Equals": operator.eq, "LessThan": operator.lt, "LessThanEquals": operator.le, "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}  # fmt: skip

OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(operator.eq),
    "StringNotEquals": Operator(operator.eq, True),
    "StringEqualsIgnoreCase": Operator(_same_text),
    "StringNotEqualsIgnoreCase": Operator(_same_text, True),
    "StringLike": Operator(_like),
    "StringNotLike": Operator(_like, True),
    "ArnEquals": Operator(_like),
    "ArnNotEquals": Operator(_like, True),
    "ArnLike": Operator(_like),
    "ArnNotLike": Operator(_like, True),
    "BinaryEquals": Operator(operator.eq),
    "Bool": Operator(_same_text),
    "IpAddress": Operator(_inside),
    "NotIpAddress": Operator(_inside, True),
    **{f"Numeric{name}": Operator(_number(compare)) for name, compare in _COMPARISONS.items()},
    "NumericNotEquals": Operator(_number(operator.eq), True),
    **{f"Date{name}": Operator(_date(compare)) for name, compare in _COMPARISONS.items()},
    "DateNotEquals": Operator(_date(operator.eq), True),
}
NULL = "Null"
_IF_EXISTS = "IfExists"
_SETS = {"ForAllValues:": True, "ForAnyValue:": False}

# Keys that pin down who may use a statement, where a positive operator gives them fixed values.
_PINNING = frozenset(
    {
        "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount", "aws:sourceip",
        "aws:userid", "aws:username", "aws:principalorgid", "aws:principalarn", "aws:principalaccount",
        "s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)  # fmt: skip


def read_condition(name: str, key: str, values: Any) -> Condition | None:
    """A condition as it is written in a policy, None where there is no such operator or form."""
    every = False
    for prefix, meaning in _SETS.items():
        if name.startswith(prefix):
            name, every = name.removeprefix(prefix), meaning
    if_exists = name.endswith(_IF_EXISTS)
    name = name.removesuffix(_IF_EXISTS)
    if name not in OPERATORS and (name != NULL or if_exists):
        return None
    listed = values if isinstance(values, list) else [values]
    if not all(isinstance(value, str | bool | int | float) for value in listed):
        return None
    texts = tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in listed)
    return Condition(name, key.lower(), texts, if_exists, every)


def holds(condition: Condition, context: Context) -> bool:
    """Whether the condition holds for a request."""
    given = context.get(condition.key)
    if condition.operator == NULL:
        return any((given is None) == (value.lower() == "true") for value in condition.values)
    rule = OPERATORS[condition.operator]
    if not given:
        return condition.if_exists or condition.every or rule.negated
    wanted = [_filled(value, context) for value in condition.values]
    agreed = [any(rule.test(one, value) for value in wanted) for one in given]
    if rule.negated:
        return not any(agreed)
    return all(agreed) if condition.every else any(agreed)


def pins(condition: Condition) -> bool:
    """Whether it lets only fixed callers through, so that a statement for everybody is not public."""
    rule = OPERATORS.get(condition.operator)
    if rule is None or rule.negated or condition.if_exists or condition.key not in _PINNING:
        return False
    if condition.key == "aws:sourceip":
        return all(_narrow(value) for value in condition.values)
    return not any("*" in value or "?" in value or "${" in value for value in condition.values)


def _narrow(network: str) -> bool:
    """Whether a network is smaller than what AWS takes for everybody."""
    try:
        parsed = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    return parsed.prefixlen >= (8 if parsed.version == 4 else 32)


def matches(pattern: str, text: str, context: Context) -> bool:
    """Whether a text fits a pattern with `*`, `?` and `${variables}`."""
    return glob(_filled(pattern, context), text)


def _filled(pattern: str, context: Context) -> str:
    """A pattern with its variables replaced; one that the request does not have matches nothing."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in _LITERALS:
            return _LITERALS[name]
        given = context.get(name.lower(), ())
        return given[0] if len(given) == 1 else "\0"

    return _VARIABLE.sub(value, pattern) if "${" in pattern else pattern


def glob(pattern: str, text: str) -> bool:
    """Whether the whole text fits a pattern in which `*` is any text and `?` any one character.

    Goes back to the last `*` only, so its time is bounded by the product of the lengths.
    """
    at, position, star, resume = 0, 0, -1, 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, position
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[position]):
            at += 1
            position += 1
        elif star >= 0:
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return all(character == "*" for character in pattern[at:])
