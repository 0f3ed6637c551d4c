"""What may be stored, and what of it."""

from __future__ import annotations

import pytest

from edge.policy.reasons import Detail
from edge.policy.storing import UNCACHEABLE_HEADER, kept_back, not_storable
from tests.edge.policy.samples import PASSING, SITE

MASTODON = "public, max-age=315576000, immutable"


def cc(value: str) -> dict[str, str]:
    return {"cache-control": value}


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (200, {}, None),
        (200, {"set-cookie": "a=b"}, None),
        (200, cc(MASTODON), None),
        (200, cc("no-store"), Detail.NO_STORE),
        (200, cc("no-store, must-understand"), None),
        (206, cc("no-store, must-understand"), Detail.NO_STORE),
        (200, cc("private"), Detail.PRIVATE),
        (200, cc('private="set-cookie"'), Detail.PRIVATE),
        (200, {"vary": "accept, *"}, Detail.UNCACHEABLE),
        (200, {UNCACHEABLE_HEADER: "1"}, Detail.UNCACHEABLE),
        (404, {}, None),
        (410, {}, None),
        (301, {}, None),
        (302, {}, Detail.UNCACHEABLE),
        (302, cc("max-age=60"), None),
        (206, cc("max-age=60"), Detail.UNCACHEABLE),
        (403, cc("max-age=60"), Detail.UNCACHEABLE),
        (500, cc("max-age=60"), Detail.UNCACHEABLE),
    ],
)
def test_what_must_not_be_stored_is_not(status: int, headers: dict[str, str], reason: Detail | None) -> None:
    assert not_storable(status, headers, SITE.behaviour) == reason


def test_answers_to_credentials_are_stored_only_if_declared_public() -> None:
    assert not_storable(200, cc("max-age=60"), SITE.behaviour, authorized=True) is Detail.AUTHORIZED
    for declared in ("public", "s-maxage=0", "must-revalidate"):
        assert not_storable(200, cc(declared), SITE.behaviour, authorized=True) is None


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (200, {}, None),
        (501, {}, None),
        (201, {}, Detail.UNCACHEABLE),
        (599, {}, Detail.UNCACHEABLE),
        (599, cc("max-age=60"), None),
        (599, cc("public"), None),
        (503, {"expires": "0"}, None),
        (206, cc("max-age=60"), Detail.UNCACHEABLE),
        (304, cc("max-age=60"), Detail.UNCACHEABLE),
        (200, cc('private="set-cookie"'), None),
        (200, cc("private"), Detail.PRIVATE),
        (200, cc("no-store, max-age=60, must-understand"), None),
        (599, cc("max-age=60, must-understand"), Detail.UNCACHEABLE),
        (200, {"cdn-cache-control": "max-age=60"} | cc("private"), None),
    ],
)
def test_a_transparent_site_stores_whatever_the_rfc_allows(
    status: int, headers: dict[str, str], reason: Detail | None
) -> None:
    assert not_storable(status, headers, PASSING.behaviour) == reason


def test_fields_for_one_client_are_kept_back() -> None:
    assert kept_back(cc('no-cache="A, b", private="c"')) == {"set-cookie", "set-cookie2", "a", "b", "c"}
