"""What an unsafe request names, and groups."""

from __future__ import annotations

import pytest

from edge.policy.invalidation import groups, invalidated_groups, invalidates, same_resource, targets

HERE = ("http", "a.test:81", "/x/y?q")


@pytest.mark.parametrize(
    ("method", "status", "changed"),
    [("POST", 200, True), ("PUT", 302, True), ("M-SEARCH", 204, True), ("POST", 400, False), ("DELETE", 500, False)]
    + [(safe, 200, False) for safe in ("GET", "HEAD", "OPTIONS", "TRACE")],
)
def test_successful_unsafe_requests_invalidate(method: str, status: int, changed: bool) -> None:
    assert invalidates(method, status) is changed


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, ("/x/y?q",)),
        ({"location": "/z"}, ("/x/y?q", "/z")),
        ({"content-location": "z?1"}, ("/x/y?q", "/x/z?1")),
        ({"location": "http://A.test:81/z", "content-location": "/z"}, ("/x/y?q", "/z")),
        ({"location": "http://a.test/z"}, ("/x/y?q",)),
        ({"location": "https://a.test:81/z"}, ("/x/y?q",)),
        ({"location": "http://b.test:81/z"}, ("/x/y?q",)),
        ({"location": "http://[/z"}, ("/x/y?q",)),
        ({"location": ""}, ("/x/y?q",)),
    ],
)
def test_targets_are_of_the_same_origin(answer: dict[str, str], expected: tuple[str, ...]) -> None:
    assert targets(*HERE, answer) == expected


def test_a_content_location_is_the_same_resource_or_not() -> None:
    assert same_resource(*HERE, "/x/y?q")
    assert same_resource(*HERE, "http://a.test:81/x/y?q")
    assert not same_resource(*HERE, "/x/y")


def test_groups_are_strings_and_only_unsafe_methods_invalidate_them() -> None:
    assert groups({"cache-groups": '"a", "b";x=1, token, 3'}) == ("a", "b")
    assert groups({"cache-groups": '"a", broken"'}) == ()
    assert invalidated_groups("POST", {"cache-group-invalidation": '"a"'}) == ("a",)
    assert invalidated_groups("GET", {"cache-group-invalidation": '"a"'}) == ()
