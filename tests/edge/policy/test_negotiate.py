"""Negotiation: real clients, q-values to the letter, other CDNs, and formats that can hold the result."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.negotiate import OWN, SOURCE_FORMATS, Result, Way, accept_class, choose_format, way
from tests.edge.policy import samples

CLIENTS = {
    samples.CHROME: ("avif", "webp"),
    samples.CHROME_PAGE: ("avif", "webp"),
    samples.FIREFOX: ("avif", "webp"),
    samples.FIREFOX_92: ("avif", "webp"),
    samples.SAFARI: ("avif", "webp"),
    samples.FIREFOX_65: ("webp",),
    samples.SAFARI_14: ("webp",),
    samples.SAFARI_9: (),
    samples.INTERNET_EXPLORER: (),
    samples.CURL: (),
    samples.MASTODON: (),
    "": (),
    "image/*": (),
    "image/*,*/*;q=0.8": (),
    "text/html": (),
}


@pytest.mark.parametrize(("accept", "formats"), CLIENTS.items())
def test_real_clients_are_offered_what_they_name(accept: str | None, formats: tuple[str, ...]) -> None:
    for source in ("jpeg", "png", "gif", "tiff"):
        assert accept_class(accept).preferred(source) == formats
    assert accept_class(accept).key == (",".join(formats) or "own")


@pytest.mark.parametrize(
    ("accept", "source", "formats"),
    [
        ("image/avif;q=0,image/webp", "jpeg", ("webp",)),
        ("image/avif;q=0.0,image/webp;q=0.000,*/*", "jpeg", ()),
        ("image/avif;q=0.5,image/webp", "jpeg", ("webp", "avif")),
        ("image/webp;q=0.5,*/*", "jpeg", ()),
        ("image/webp;q=0.5,image/*;q=0.4,*/*", "jpeg", ("webp",)),
        ("image/webp,image/png;q=0.9", "png", ("webp",)),
        ("image/webp;q=0.8,image/png", "png", ()),
        ("image/webp;q=0.8,image/png", "jpeg", ("webp",)),
        ("image/webp", "jpeg", ("webp",)),
        ("image/webp,*/*", "avif", ("webp",)),
        ("image/avif,image/webp,*/*", "webp", ("avif",)),
        ("image/avif,image/webp,*/*", "avif", ()),
        ("image/avif;q=0.9,image/webp", "avif", ("webp",)),
        ("image/avif,image/webp", "svg", ()),
    ],
)
def test_weights_decide_to_the_letter(accept: str, source: str, formats: tuple[str, ...]) -> None:
    assert accept_class(accept).preferred(source) == formats


def test_a_request_through_another_cdn_gets_the_sources_own_format() -> None:
    assert accept_class(samples.CHROME, transformed_by_cdn=True) is OWN


@given(st.text())
def test_nothing_is_offered_that_is_not_named(accept: str) -> None:
    offered = accept_class(accept)
    assert not offered.avif or "image/avif" in accept.lower()
    assert not offered.webp or "image/webp" in accept.lower()


weights = st.sampled_from(["", ";q=0", ";q=0.5", ";q=1"])
ranges = st.sampled_from(["image/avif", "image/webp", "image/jpeg", "image/png", "image/*", "*/*"])


@given(st.lists(st.tuples(ranges, weights).map("".join), max_size=5))
def test_classes_with_one_key_are_one_class(accepts: list[str]) -> None:
    one, other = accept_class(", ".join(accepts)), accept_class(" ,".join(accepts))
    assert one == other
    assert one.key == other.key
    if one.key == "own":
        assert all(one.preferred(source) == () for source in SOURCE_FORMATS)


def test_different_classes_have_different_keys() -> None:
    fields = [
        f"image/avif;q={avif},image/webp;q={webp},image/png;q={png},*/*;q={rest}"
        for avif, webp, png, rest in itertools.product(("0", "0.5", "1"), repeat=4)
    ]
    classes = {accept_class(field) for field in fields}
    assert len({offered.key for offered in classes}) == len(classes)


@pytest.mark.parametrize(
    ("cdn_loop", "via", "came"),
    [
        (None, None, Way.DIRECT),
        ("", "", Way.DIRECT),
        ("facet", None, Way.LOOP),
        ("cloudflare; loops=1, Facet; a=1", None, Way.LOOP),
        ("cloudflare; loops=1", None, Way.FOREIGN_CDN),
        ('"facet"', None, Way.FOREIGN_CDN),
        (None, "1.1 varnish, 1.1 vegur", Way.FOREIGN_CDN),
        (None, "1.1 facet", Way.DIRECT),
        (None, "1.1 facet (nearby)", Way.DIRECT),
        (None, "2.0 fra.bunny", Way.FOREIGN_CDN),
    ],
)
def test_the_way_of_a_request_is_known(cdn_loop: str | None, via: str | None, came: Way) -> None:
    assert way(cdn_loop, via) is came


@given(st.text(), st.text())
def test_no_text_makes_the_way_unknown(cdn_loop: str, via: str) -> None:
    assert way(cdn_loop, via) in Way


BOTH = frozenset({"avif", "webp"})


def _result(side: int = 100, *, animated: bool = False, has_alpha: bool = False) -> Result:
    return Result(side, side, animated=animated, has_alpha=has_alpha)


@pytest.mark.parametrize(
    ("source", "asked", "accept", "result", "format"),
    [
        ("jpeg", "auto", samples.CHROME, _result(), "avif"),
        ("jpeg", "auto", samples.FIREFOX_65, _result(), "webp"),
        ("jpeg", "auto", samples.CURL, _result(), "jpeg"),
        ("jpeg", "auto", samples.CHROME, _result(15), "webp"),
        ("jpeg", "avif", samples.CURL, _result(), "avif"),
        ("jpeg", "avif", samples.CHROME, _result(15), "png"),
        ("jpeg", "original", samples.CHROME, _result(), "jpeg"),
        ("gif", "auto", samples.CHROME, _result(animated=True), "webp"),
        ("gif", "auto", "image/avif,*/*", _result(animated=True), "gif"),
        ("gif", "jpeg", samples.CURL, _result(), "jpeg"),
        ("webp", "auto", samples.CHROME, _result(animated=True), "webp"),
        ("avif", "auto", samples.CURL, _result(), "avif"),
        ("avif", "auto", samples.CURL, _result(15), "jpeg"),
        ("avif", "auto", samples.CURL, _result(15, has_alpha=True), "png"),
        ("tiff", "auto", samples.CURL, _result(), "jpeg"),
        ("tiff", "auto", samples.CURL, _result(has_alpha=True), "png"),
        ("jpeg", "auto", samples.CHROME, _result(20_000), "jpeg"),
        ("jpeg", "webp", samples.CHROME, _result(20_000), None),
        ("webp", "auto", samples.CURL, _result(70_000), None),
    ],
)
def test_the_format_can_hold_the_result(
    source: str, asked: str, accept: str, result: Result, format: str | None
) -> None:
    assert choose_format(source, asked, accept_class(accept), BOTH, result) == format


def test_settings_can_take_a_format_out_of_negotiation_but_not_out_of_urls() -> None:
    chrome = accept_class(samples.CHROME)
    assert choose_format("jpeg", "auto", chrome, frozenset({"webp"}), _result()) == "webp"
    assert choose_format("jpeg", "auto", chrome, frozenset(), _result()) == "jpeg"
    assert choose_format("jpeg", "avif", chrome, frozenset(), _result()) == "avif"
