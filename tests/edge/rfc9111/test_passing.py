"""The pass-through kind: what reaches the upstream, what comes back, and what is never added."""

from __future__ import annotations

from collections.abc import Callable

from tests.edge.rfc9111.conftest import House
from tests.edge.rfc9111.script import line

Script = Callable[..., str]
FRESH = {"cache_control": "max-age=3600"}


def test_methods_headers_and_bodies_pass_in_both_directions(house: House, script: Script) -> None:
    path = script(line(201, "made", X_Answer="yes", Location="/elsewhere"))
    answer = house.send(path, b"the body", method="REPORT")
    (heard,) = house.upstream.heard[path]
    assert (heard.method, heard.body) == ("REPORT", b"the body")
    assert (answer.status, answer.body, answer["X-Answer"]) == (201, b"made", "yes")
    assert answer["Location"] == "/elsewhere"
    assert "fwd=method" in answer.cache


def test_a_request_keeps_its_fields_but_those_of_the_connection(house: House, script: Script) -> None:
    path = script(line(200, "x"))
    house.ask(path, X_Mine="1", Cookie="a=b", TE="trailers", Keep_Alive="timeout=5", Via="1.0 other")
    (heard,) = house.upstream.heard[path]
    assert (heard.headers["x-mine"], heard.headers["cookie"]) == ("1", "a=b")
    assert heard.headers["via"] == "1.0 other, 1.1 facet"
    assert not heard.headers.keys() & {"te", "keep-alive"}


def test_a_request_says_no_more_than_its_client(house: House, script: Script) -> None:
    path = script(line(200, "x"))
    house.ask(path)
    (heard,) = house.upstream.heard[path]
    assert heard.headers.keys() == {"host", "via", "cdn-loop", "x-forwarded-proto"}
    house.ask(path, User_Agent="theirs", Accept_Encoding="br")
    assert house.upstream.heard[path][1].headers["user-agent"] == "theirs"
    assert house.upstream.heard[path][1].headers["accept-encoding"] == "br"


def test_an_upstream_that_changes_the_protocol_is_not_followed(house: House, script: Script) -> None:
    answer = house.ask(script(line(101, Upgrade="other", Connection="upgrade")))
    assert (answer.status, "detail=upstream-malformed" in answer.cache) == (502, True)


def test_a_hit_is_called_negative_only_where_it_says_what_is_not_there(house: House, script: Script) -> None:
    for status, negative in ((200, False), (204, False), (301, False), (404, True), (410, True), (500, False)):
        path = script(line(status, **FRESH))
        house.ask(path)
        answer = house.ask(path)
        assert (answer.hit, "detail=negative" in answer.cache) == (True, negative)


def test_nothing_is_added_that_the_upstream_did_not_say(house: House, script: Script) -> None:
    answer = house.ask(script(line(200, "x", Content_Type="image/png", Server="theirs")))
    added = {"etag", "last-modified", "cache-control", "content-security-policy", "access-control-allow-origin"}
    assert not added & {name.lower() for name, _ in answer.fields}
    assert answer["Server"] == "theirs"


def test_stored_headers_come_back_with_an_age_and_without_what_is_one_clients(house: House, script: Script) -> None:
    path = script(
        line(
            200,
            "x",
            cache_control='max-age=3600, no-cache="x-secret", private="x-mine"',
            X_Secret="s",
            X_Mine="m",
            X_Kept="k",
            Set_Cookie="a=b",
            Connection="x-hop",
            X_Hop="h",
        )
    )
    first, second = house.ask(path), house.ask(path)
    assert (first["Set-Cookie"], first["X-Secret"], first["X-Mine"]) == ("a=b", "s", "m")
    assert not first.has("X-Hop")
    assert second.hit
    assert (second["X-Kept"], second["Date"], int(second["Age"]) < 60) == ("k", first["Date"], True)
    assert not any(second.has(name) for name in ("Set-Cookie", "X-Secret", "X-Mine", "X-Hop"))


def test_only_what_has_explicit_freshness_or_a_guess_is_stored(house: House, script: Script) -> None:
    for status in (200, 404, 503, 599):
        path = script(line(status, "x", **FRESH))
        assert [house.ask(path).status, house.ask(path).status] == [status, status]
        assert house.upstream.count(path) == 1
    path = script(line(200, "x"), line(200, "y"))
    assert [house.ask(path).body, house.ask(path).body] == [b"x", b"y"]


def test_a_guess_is_made_from_last_modified(house: House, script: Script) -> None:
    old = "Tue, 15 Nov 1994 12:45:26 GMT"
    path = script(line(200, "x", Last_Modified=old))
    house.ask(path)
    assert house.ask(path).hit
    path = script(line(201, "x", Last_Modified=old), line(201, "y", Last_Modified=old))
    assert [house.ask(path).body, house.ask(path).body] == [b"x", b"y"]


def test_the_targeted_field_takes_the_place_of_cache_control(house: House, script: Script) -> None:
    path = script(line(200, "x", cache_control="no-store", CDN_Cache_Control="max-age=3600"))
    house.ask(path)
    assert house.ask(path).hit
    path = script(line(200, "x", CDN_Cache_Control="no-store", **FRESH), line(200, "y"))
    assert [house.ask(path).body, house.ask(path).body] == [b"x", b"y"]


def test_answers_to_credentials_are_not_shared_unless_public(house: House, script: Script) -> None:
    path = script(line(200, "x", **FRESH), line(200, "y"))
    assert [house.ask(path, Authorization="a b").body, house.ask(path).body] == [b"x", b"y"]
    path = script(line(200, "x", cache_control="max-age=60, public"))
    assert [house.ask(path, Authorization="a b").body, house.ask(path).body] == [b"x", b"x"]


def test_a_clients_directives_are_obeyed(house: House, script: Script) -> None:
    path = script(line(200, "x", **FRESH), line(200, "y", **FRESH), line(200, "z", **FRESH))
    house.ask(path)
    assert house.ask(path, Cache_Control="no-cache").body == b"y"
    assert house.ask(path, Pragma="no-cache").body == b"z"
    assert house.ask(path, Cache_Control="max-age=3000, min-fresh=100").body == b"z"
    assert house.ask(path, Cache_Control="only-if-cached").body == b"z"
    unknown = script()
    assert house.ask(unknown, Cache_Control="only-if-cached").status == 504
    path = script(line(200, "x", **FRESH), line(200, "y"))
    assert [house.ask(path, Cache_Control="no-store").body, house.ask(path).body] == [b"x", b"y"]


def test_other_kinds_do_not_obey_a_clients_directives(house: House, script: Script) -> None:
    path = script(line(200, "x", **FRESH))
    for fields in ({}, {"Cache_Control": "no-cache"}, {"Pragma": "no-cache"}, {"Cache_Control": "max-age=0"}):
        assert house.ask(path, host="assets.test", **fields).body == b"x"
    assert house.upstream.count(path) == 1


def test_a_body_longer_than_the_settings_allow_is_refused(house: House, script: Script) -> None:
    answer = house.send(script(), b"x" * (1024 * 1024 + 1))
    assert answer.status == 413
