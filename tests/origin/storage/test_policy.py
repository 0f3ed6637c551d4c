"""Promises about policies: what a document says is what it comes to, and it is read in bounded time."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.service.policy import Effect, Malformed, Principal, Request, read_bucket_policy, read_key_policy
from origin.service.policy_conditions import glob

ADA, BOB = Principal("a" * 64, "ada"), Principal("b" * 64, "bob")
EVERYBODY = {"Principal": "*"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(**changes: Any) -> dict[str, Any]:
    base = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def effect(
    *statements: dict[str, Any],
    principal: Principal | None = None,
    action: str = "s3:GetObject",
    resource: str = "arn:aws:s3:::b/k",
    **context: tuple[str, ...],
) -> Effect:
    keys = {name.replace("__", ":").replace("_", "-"): value for name, value in context.items()}
    return read_bucket_policy(document(*statements), "b").evaluate(Request(principal, action, resource, keys)).effect


@pytest.mark.parametrize("spelled", ["*", {"AWS": "*"}, {"AWS": ["*"]}])
def test_everybody_is_spelled_in_three_ways(spelled: Any) -> None:
    for who in (None, ADA):
        assert effect(statement(Principal=spelled), principal=who) is Effect.ALLOW


@pytest.mark.parametrize(
    "spelled",
    [
        {"AWS": ADA.id}, {"CanonicalUser": ADA.id}, {"AWS": [BOB.id, ADA.id]}, {"AWS": f"arn:aws:iam::{ADA.id}:root"},
        {"AWS": "arn:aws:iam:::user/ada"}, {"AWS": f"arn:aws:iam::{ADA.id}:user/path/ada"},
    ],
)  # fmt: skip
def test_one_owner_is_spelled_by_id_and_by_name(spelled: Any) -> None:
    assert effect(statement(Principal=spelled), principal=ADA) is Effect.ALLOW
    assert effect(statement(Principal=spelled), principal=None) is Effect.NONE


def test_not_principal_is_everybody_else() -> None:
    others = statement(Principal=None, NotPrincipal={"AWS": ADA.id}, Effect="Deny")
    assert effect(others, principal=BOB) is Effect.DENY
    assert effect(others, principal=ADA) is Effect.NONE


def test_a_service_is_nobody_here() -> None:
    assert effect(statement(Principal={"Service": "ec2.amazonaws.com"}), principal=ADA) is Effect.NONE


def test_a_deny_wins_in_any_order() -> None:
    allow, deny = statement(), statement(Effect="Deny", Resource="arn:aws:s3:::b/secret/*")
    for order in ((allow, deny), (deny, allow)):
        assert effect(*order) is Effect.ALLOW
        assert effect(*order, resource="arn:aws:s3:::b/secret/k") is Effect.DENY


@pytest.mark.parametrize(
    ("changes", "action", "resource", "expected"),
    [
        ({"Action": "s3:*"}, "s3:PutObject", "k", Effect.ALLOW),
        ({"Action": ["s3:Get*"]}, "s3:GetObjectAcl", "k", Effect.ALLOW),
        ({"Action": "S3:getobject"}, "s3:GetObject", "k", Effect.ALLOW),
        ({"Action": "s3:GetObjec?"}, "s3:GetObject", "k", Effect.ALLOW),
        ({"Action": "s3:GetObject"}, "s3:GetObjectAcl", "k", Effect.NONE),
        ({"Action": None, "NotAction": "s3:Delete*"}, "s3:GetObject", "k", Effect.ALLOW),
        ({"Action": None, "NotAction": "s3:Delete*"}, "s3:DeleteObject", "k", Effect.NONE),
        ({"Resource": "arn:aws:s3:::b/a*z"}, "s3:GetObject", "a/b/z", Effect.ALLOW),
        ({"Resource": "arn:aws:s3:::b/A"}, "s3:GetObject", "a", Effect.NONE),
        ({"Resource": None, "NotResource": "arn:aws:s3:::b/private/*"}, "s3:GetObject", "k", Effect.ALLOW),
        ({"Resource": None, "NotResource": "arn:aws:s3:::b/private/*"}, "s3:GetObject", "private/k", Effect.NONE),
    ],
)
def test_actions_and_resources_are_patterns(changes: Any, action: str, resource: str, expected: Effect) -> None:
    assert effect(statement(**changes), action=action, resource=f"arn:aws:s3:::b/{resource}") is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "given_value", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["x", "a"], "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", None, True),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringLike", "a*/?", "abc/d", True),
        ("StringNotLike", "a*", "abc", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "10", False),
        ("NumericEquals", "1", "x", False),
        ("NumericNotEquals", 1, "2", True),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-11-20T10:00:00Z", True),
        ("DateLessThan", "2026-01-01", "2026-11-20T10:00:00.000Z", False),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", "10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "10.0.0.1", "10.0.0.2", False),
        ("NotIpAddress", ["10.0.0.0/8", "192.168.0.0/16"], "192.168.1.1", False),
        ("NotIpAddress", "10.0.0.0/8", "8.8.8.8", True),
        ("Null", "true", None, True),
        ("Null", "false", None, False),
        ("Null", False, "x", True),
        ("ForAnyValue:StringEquals", "a", "a", True),
        ("ForAllValues:StringEquals", "a", None, True),
        ("ArnLike", "arn:aws:s3:::*", "arn:aws:s3:::b", True),
    ],
)
def test_each_operator_means_what_aws_says(operator: str, wanted: Any, given_value: str | None, expected: bool) -> None:
    context = {} if given_value is None else {"aws__some": (given_value,)}
    one = statement(Condition={operator: {"Aws:Some": wanted}})
    assert (effect(one, **context) is Effect.ALLOW) is expected


def test_every_operator_and_key_must_hold() -> None:
    one = statement(Condition={"StringEquals": {"aws:b": "1", "aws:c": "2"}, "Bool": {"aws:SecureTransport": "true"}})
    full: dict[str, tuple[str, ...]] = {"aws__b": ("1",), "aws__c": ("2",), "aws__securetransport": ("true",)}
    assert effect(one, **full) is Effect.ALLOW
    for name in full:
        assert effect(one, **{**full, name: ("no",)}) is Effect.NONE


def test_several_values_are_compared_as_sets() -> None:
    for prefix, expected in (("ForAllValues", Effect.NONE), ("ForAnyValue", Effect.ALLOW)):
        one = statement(Condition={f"{prefix}:StringEquals": {"aws:b": ["1", "2"]}})
        assert effect(one, aws__b=("1", "3")) is expected


def test_variables_stand_for_what_the_request_has() -> None:
    own = document({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/home/${aws:username}/*"})
    for name, expected in (("ada", Effect.ALLOW), ("bob", Effect.NONE)):
        request = Request(ADA, "s3:GetObject", "arn:aws:s3:::b/home/ada/k", {"aws:username": (name,)})
        assert read_key_policy(own).evaluate(request).effect is expected
    literal = statement(Resource="arn:aws:s3:::b/${*}")
    assert effect(literal, resource="arn:aws:s3:::b/k") is Effect.ALLOW


def test_an_outcome_says_whether_it_hung_on_a_condition() -> None:
    office = statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    for statements, conditional in (((office,), True), ((statement(),), False), ((statement(), office), True)):
        request = Request(None, "s3:GetObject", "arn:aws:s3:::b/k", {"aws:sourceip": ("10.0.0.1",)})
        assert read_bucket_policy(document(*statements), "b").evaluate(request).conditional is conditional
    elsewhere = Request(None, "s3:PutObject", "arn:aws:s3:::b/k", {})
    assert not read_bucket_policy(document(office), "b").evaluate(elsewhere).conditional


@pytest.mark.parametrize(
    ("changes", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": ADA.id}}, False),
        ({"Effect": "Deny"}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}, True),
        ({"Condition": {"StringLike": {"aws:Referer": "https://x.test/*"}}}, True),
        ({"Principal": None, "NotPrincipal": {"AWS": ADA.id}, "Effect": "Deny"}, False),
    ],
)
def test_public_is_what_aws_calls_public(changes: Any, public: bool) -> None:
    assert read_bucket_policy(document(statement(**changes)), "b").public is public


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "nonsense", '{"Statement": []}', "[" * 100_000, '{"Version": "1", "Statement": []}',
        document(statement(Effect="allow")), document(statement(Principal=None)), document(statement(Principal="ada")),
        document(statement(Principal={"AWS": "arn:aws:s3:::b"})), document(statement(Principal={"Robot": "*"})),
        document(statement(Action="ec2:Run")), document(statement(Action=[])), document(statement(NotAction="s3:Get*")),
        document(statement(Resource="arn:aws:s3:::other/*")), document(statement(Resource="*")),
        document(statement(Condition={"Like": {"a": "b"}})), document(statement(Condition={"StringEquals": "a"})),
        document(statement(Condition={"StringEquals": {"a": {}}})), document(statement(Extra=1)),
        document(statement(Sid="x" * 21_000)), document(statement(Principal=None, NotPrincipal={"AWS": ADA.id})),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        read_bucket_policy(text, "b")


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_patterns_match_as_shells_do(pattern: str, text: str) -> None:
    assert glob(pattern, text) == bool(re.fullmatch(fnmatch.translate(pattern), text))


def test_a_hostile_pattern_costs_no_more_than_its_length() -> None:
    assert not glob("a*" * 500 + "b", "a" * 2000)
