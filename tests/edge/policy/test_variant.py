"""The query grammar: every row of the table, refusals that help, and one text for one meaning."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.variant import GRAMMAR, BadParameter, Parameter, Variant, parse, table_markdown

MAX_SIDE = 8192


def read(query: str) -> Variant:
    return parse(query, MAX_SIDE)


@pytest.mark.parametrize("row", GRAMMAR, ids=lambda row: row.name)
def test_every_row_takes_its_sample_and_refuses_junk_helpfully(row: Parameter) -> None:
    read(f"{row.name}={row.sample}")
    for bad in ("", "junk!", "-1", "%FF", "1e3x", "٣", " 1"):
        with pytest.raises(BadParameter) as refusal:
            read(f"{row.name}={bad}")
        assert refusal.value.parameter == row.name
        assert refusal.value.allowed == row.allowed.format(max_side=MAX_SIDE)
    assert f"`{row.name}`" in table_markdown()


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("w=-1", "w"),
        ("w=0", "w"),
        ("w=99999999", "w"),
        ("w=99999999999999999999", "w"),
        ("w=8193", "w"),
        ("w=abc", "w"),
        ("w=1.5", "w"),
        ("w=", "w"),
        ("w", "w"),
        ("w=100&w=100", "w"),
        ("w=100&%77=100", "w"),
        ("format=exe", "format"),
        ("quality=0", "quality"),
        ("quality=101", "quality"),
        ("dpr=0", "dpr"),
        ("dpr=11", "dpr"),
        ("w=5000&dpr=2", "dpr"),
        ("gravity=fp:2,0", "gravity"),
        ("gravity=fp:0.5", "gravity"),
        ("bg=fffff", "bg"),
        ("bg=red%3B", "bg"),
        ("enlarge=yes", "enlarge"),
    ],
)
def test_a_bad_or_repeated_parameter_is_refused(query: str, parameter: str) -> None:
    with pytest.raises(BadParameter) as refusal:
        read(query)
    assert refusal.value.parameter == parameter


def test_a_refusal_does_not_send_back_all_of_a_long_value() -> None:
    with pytest.raises(BadParameter) as refusal:
        read("w=" + "9" * 8000)
    assert len(refusal.value.value) < 200


@pytest.mark.parametrize(
    "query", ["", "&&", "t=1699999999", "x=1&x=2", "W=100", "width=9", "%zz=1", "=", "dpr=2", "w2=1"]
)
def test_what_is_not_in_the_table_asks_for_nothing(query: str) -> None:
    assert read(query) == Variant()
    assert not read(query).changes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("w=100&h=50", "h=50&w=100"),
        ("w=100&dpr=2", "w=200"),
        ("w=100&dpr=1", "w=0100"),
        ("w=33&dpr=1.5", "w=50"),
        ("w=1&dpr=0.1", "w=1"),
        ("format=jpg", "format=JPEG"),
        ("format=auto&fit=contain&blur=0&enlarge=0&gravity=center", ""),
        ("quality=AUTO", "quality=auto"),
        ("w=10&fit=cover", "w=10"),
        ("w=10&gravity=smart", "w=10"),
        ("w=10&h=10&gravity=n", "w=10&h=10"),
        ("w=10&h=10&fit=inside", "w=10&h=10&fit=contain"),
        ("w=10&h=10&fit=cover&gravity=north", "w=10&h=10&fit=cover&gravity=fp:.5,0.0"),
        ("w=10&h=10&fit=pad&gravity=smart", "w=10&h=10&fit=pad"),
        ("bg=fff", "bg=%23FFFFFF"),
        ("bg=ffff", "bg=white"),
        ("bg=12345600", "bg=transparent"),
        ("enlarge=1", ""),
        ("blur=2&dpr=2", "blur=4.0"),
        ("%77=10", "w=10&utm_source=x"),
        ("gravity=fp%3A0.1%2C0.2&w=9&h=9&fit=cover", "fit=cover&w=9&h=9&gravity=fp:0.10,0.20"),
    ],
)
def test_queries_that_mean_the_same_have_one_text(one: str, other: str) -> None:
    assert read(one).canonical() == read(other).canonical()
    assert read(one) == read(other)


def test_asking_for_the_original_is_no_change_unless_something_else_is_asked() -> None:
    assert not read("format=original").changes
    assert read("format=original&w=5").changes
    assert read("format=webp").changes
    assert read("quality=80").changes


values = {
    "w": st.integers(1, 800).map(str),
    "h": st.integers(1, 800).map(str),
    "dpr": st.sampled_from(["0.1", "0.5", "1", "1.25", "2", "3.3333", "10"]),
    "fit": st.sampled_from(["contain", "inside", "cover", "fill", "pad"]),
    "gravity": st.sampled_from(["n", "southeast", "smart", "center", "fp:0.123456,1", "fp:0,.5"]),
    "format": st.sampled_from(["auto", "avif", "webp", "jpeg", "jpg", "png", "gif", "original"]),
    "quality": st.one_of(st.just("auto"), st.integers(1, 100).map(str)),
    "bg": st.sampled_from(["fff", "0a0b0c", "01020380", "transparent", "black", "#abcd"]),
    "blur": st.sampled_from(["0", "0.3", "12.5", "100"]),
    "enlarge": st.sampled_from(["0", "1"]),
}
assert set(values) == {row.name for row in GRAMMAR}
queries = st.fixed_dictionaries({}, optional=values).flatmap(lambda given: st.permutations(list(given.items())))


@given(queries)
def test_the_canonical_text_means_the_same_and_is_its_own(pairs: list[tuple[str, str]]) -> None:
    variant = read("&".join(f"{name}={text}" for name, text in pairs).replace("#", "%23"))
    assert read(variant.canonical()) == variant
    assert read(variant.canonical()).canonical() == variant.canonical()
    assert (variant.canonical() == "") == (variant == Variant())


@given(queries, queries)
def test_different_variants_have_different_texts(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    first, second = (read("&".join("=".join(pair) for pair in pairs).replace("#", "%23")) for pairs in (one, other))
    assert (first == second) == (first.canonical() == second.canonical())


@given(st.text())
def test_any_text_is_read_or_refused(query: str) -> None:
    for text in (query, f"w={query}", f"gravity=fp:{query}", f"bg={query}", f"blur={query}"):
        try:
            read(text)
        except BadParameter:
            continue


@given(queries)
def test_a_variant_travels_between_processes(pairs: list[tuple[str, str]]) -> None:
    variant = read("&".join("=".join(pair) for pair in pairs).replace("#", "%23"))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(variant), type=Variant) == variant


def test_the_page_about_pictures_has_this_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "pictures.md"
    assert table_markdown() in page.read_text()
