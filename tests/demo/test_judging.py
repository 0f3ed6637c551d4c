"""The demo's table is worth something only if a wrong answer makes a wrong row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import pyvips

from demo import pictures
from demo.clients import READERS
from demo.reading import Answer, Question, Row, Source, judge

CHROME, SAFARI, OLD, FEDIVERSE = READERS


@pytest.fixture(scope="module")
def photo() -> Source:
    return Source("photo.jpg", "image/jpeg", pictures.photo(300, 400, quality=97))


@pytest.fixture(scope="module")
def marbles() -> Source:
    return Source("orbit.gif", "image/gif", pictures.animation(60, 4))


def upright(source: Source, width: int) -> Any:
    return pyvips.Image.thumbnail_buffer(source.body, width, height=10_000, export_profile="srgb")


def answer(body: bytes, kind: str, **fields: str) -> Answer:
    usual = {
        "content-type": kind,
        "content-length": str(len(body)),
        "vary": "Accept",
        "etag": '"tag"',
        "access-control-allow-origin": "*",
        "x-content-type-options": "nosniff",
        "cache-status": "facet; fwd=uri-miss; stored",
    }
    return Answer(200, usual | fields, body, 0.1)


def judged(question: Question, cold: Answer, hit: Answer | None = None) -> list[str]:
    again = hit or replace(cold, fields=cold.fields | {"cache-status": "facet; hit; ttl=300"})
    row = Row(question, cold, again)
    judge(row)
    return row.wrong


def question(source: Source, width: int = 0, reader: Any = CHROME) -> Question:
    return Question(reader, source, f"http://127.0.0.1/{source.name}", width)


def test_right_answers_are_right(photo: Source, marbles: Source) -> None:
    small = upright(photo, 120)
    assert judged(question(photo, 120), answer(small.webpsave_buffer(), "image/webp")) == []
    assert judged(question(photo, 120), answer(small.heifsave_buffer(compression="av1"), "image/avif")) == []
    assert judged(question(photo, 120, FEDIVERSE), answer(small.jpegsave_buffer(), "image/jpeg")) == []
    assert judged(question(photo, 0, OLD), answer(photo.body, "image/jpeg")) == []
    assert judged(question(marbles), answer(marbles.body, "image/gif")) == []


def test_a_type_that_was_not_named_is_wrong(photo: Source) -> None:
    small = upright(photo, 120).webpsave_buffer()
    for reader in (OLD, FEDIVERSE):
        assert "image/webp was not asked for" in judged(question(photo, 120, reader), answer(small, "image/webp"))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda image: image.rot180(), "does not look like the source"),
        (lambda image: image.rot90(), "instead of 120×160"),
        (lambda image: image.invert(), "does not look like the source"),
        (lambda image: image.crop(0, 0, 100, 160), "instead of 120×160"),
        (lambda image: image.bandjoin(128), "transparency"),
    ],
)
def test_another_picture_is_wrong(photo: Source, spoil: Callable[[Any], Any], sentence: str) -> None:
    wrong = judged(question(photo, 120), answer(spoil(upright(photo, 120)).webpsave_buffer(), "image/webp"))
    assert any(sentence in each for each in wrong)


def test_a_flattened_animation_is_wrong(marbles: Source) -> None:
    still = pyvips.Image.gifload_buffer(marbles.body).webpsave_buffer()
    assert "1 frames instead of 4" in judged(question(marbles), answer(still, "image/webp"))


def test_more_bytes_than_the_source_are_wrong(photo: Source) -> None:
    large = upright(photo, 300).webpsave_buffer(lossless=True)
    assert "larger than the source" in judged(question(photo), answer(large, "image/webp"))


def test_a_type_that_is_not_what_the_bytes_are_is_wrong(photo: Source) -> None:
    for kind in ("image/avif", "text/html", ""):
        wrong = judged(question(photo, 120), answer(upright(photo, 120).webpsave_buffer(), kind))
        assert any("does not decode" in each for each in wrong)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"vary": "Origin"}, "no Vary: Accept"),
        ({"access-control-allow-origin": ""}, "no CORS"),
        ({"x-content-type-options": ""}, "no nosniff"),
        ({"content-length": "1"}, "Content-Length is not the body's"),
        ({"etag": 'W/"tag"'}, "no strong ETag"),
    ],
)
def test_a_missing_field_is_wrong(photo: Source, fields: dict[str, str], sentence: str) -> None:
    body = upright(photo, 120).webpsave_buffer()
    assert sentence in judged(question(photo, 120), answer(body, "image/webp", **fields))


def test_a_second_answer_must_be_the_same_and_a_hit(photo: Source) -> None:
    body = upright(photo, 120).webpsave_buffer()
    cold = answer(body, "image/webp")
    other = replace(cold, body=body + b" ", fields=cold.fields | {"etag": '"other"'})
    assert judged(question(photo, 120), cold, other) == [
        "the second answer is not a hit (facet; fwd=uri-miss; stored)",
        "the second answer has other bytes",
        "the second answer has another ETag",
    ]
