"""Parts of answers: what they answer, and what two of them are together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.policy.partial import Held, held, joined, rest_of, wanted
from wire.ranges import Part

SIZE = 30
PARTS = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)).map(lambda ends: Part(min(ends), max(ends)))


def part(span: Part, tag: str = '"a"', size: int = SIZE) -> dict[str, str]:
    return {"etag": tag, "content-range": f"bytes {span.start}-{span.end}/{size}"}


@given(PARTS, PARTS)
def test_parts_are_joined_exactly_where_no_byte_between_them_is_missing(one: Part, other: Part) -> None:
    bytes_of = [set(range(span.start, span.end + 1)) for span in (one, other)]
    together = bytes_of[0] | bytes_of[1]
    whole = together == set(range(min(together), max(together) + 1))
    expected = Held(Part(min(together), max(together)), SIZE) if whole else None
    assert joined(part(one), part(other)) == joined(part(other), part(one)) == expected


@given(PARTS, PARTS)
def test_parts_of_two_versions_are_never_joined(one: Part, other: Part) -> None:
    assert joined(part(one), part(other, '"b"')) is None
    assert joined(part(one), part(other, size=SIZE + 1)) is None
    assert joined(part(one, 'W/"a"'), part(other, 'W/"a"')) is None


@given(PARTS, PARTS)
def test_a_part_answers_exactly_what_lies_within_it(stored: Part, asked: Part) -> None:
    within = stored.start <= asked.start and asked.end <= stored.end
    request = {"range": f"bytes={asked.start}-{asked.end}"}
    assert wanted(request, part(stored), None) == (asked if within else None)
    assert wanted(request | {"if-range": '"b"'}, part(stored), None) is None
    assert wanted(request | {"if-none-match": '"a"'}, part(stored), None) is None
    assert wanted({}, part(stored), None) is None


@given(st.text())
def test_what_is_no_content_range_holds_nothing(text: str) -> None:
    found = held({"content-range": text})
    assert found is None or found.part.start <= found.part.end < found.size


def test_the_rest_is_asked_for_by_a_strong_tag_alone() -> None:
    assert rest_of(part(Part(0, 4))) == {"range": "bytes=5-", "if-range": '"a"'}
    assert rest_of(part(Part(1, 4))) is None
    assert rest_of(part(Part(0, 4), 'W/"a"')) is None
