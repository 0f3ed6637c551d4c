"""What the encoders make of photographs and of drawings."""

from __future__ import annotations

import numpy as np
import pytest

from demo import pictures
from edge.render import content, facts, kinds, steps
from tests.edge.render import oracle
from tests.edge.render.oracle import LIMITS, plan


def screen() -> bytes:
    """Coloured bars as thin as strokes of text on a plain ground."""
    pixels = np.full((240, 320, 3), 250, np.uint8)
    for number, x in enumerate(range(20, 300, 14)):
        pixels[30:210, x : x + 2] = ((220, 20, 30), (20, 40, 220), (30, 30, 30))[number % 3]
    return bytes(oracle.to_vips(pixels).pngsave_buffer())


def subsampled(body: bytes) -> bool:
    """Whether a JPEG's first component has more samples than the others (T.81 §B.2.2)."""
    at = next(at for at in (body.find(b"\xff\xc0"), body.find(b"\xff\xc2")) if at > 0)
    return body[at + 11] != 0x11


def test_drawings_are_told_from_photographs() -> None:
    for source, drawing in ((screen(), True), (pictures.photo(480, 640), False), (pictures.animation(), True)):
        kind = kinds.recognise(source)
        image = kinds.load(kind, source).copy_memory()
        assert content.is_drawing(image, facts.read(kind, source, LIMITS)) is drawing


def test_what_cannot_be_seen_does_not_count() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (64, 64, 4), np.uint8)
    noise[:, :60, 3] = 0
    noise[:, 60:, 3] = 255
    noise[:, :60, :3] = 0
    source = bytes(oracle.to_vips(noise).pngsave_buffer())
    found = facts.read(kinds.recognise(source), source, LIMITS)
    assert not content.is_drawing(oracle.to_vips(noise), found)
    noise[..., 3] = 0
    assert not content.is_drawing(oracle.to_vips(noise), found)


def test_a_drawing_keeps_its_chroma_and_a_photograph_shares_it() -> None:
    assert not subsampled(steps.render(screen(), plan(320, 240, "jpeg", quality=80), LIMITS))
    assert subsampled(steps.render(pictures.photo(480, 640), plan(120, 160, "jpeg", quality=80), LIMITS))


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif"])
def test_coloured_strokes_stay_coloured(form: str) -> None:
    body = steps.render(screen(), plan(320, 240, form, quality=70), LIMITS)
    got = oracle.pixels_of(body).astype(int)
    red, blue = got[120, 20], got[120, 34]
    assert red[0] - red[2] > 120
    assert blue[2] - blue[0] > 120


def test_a_drawing_is_lossless_in_webp_where_that_is_smaller() -> None:
    source = screen()
    body = steps.render(source, plan(320, 240, "webp", quality=80), LIMITS)
    assert np.array_equal(oracle.pixels_of(body), oracle.pixels_of(source))
    assert len(body) < len(source)


@pytest.mark.parametrize("form", ["webp", "gif"])
def test_an_animation_of_flat_art_at_half_its_size_is_not_larger_than_its_source(form: str) -> None:
    source = pictures.animation()
    body = steps.render(source, plan(120, 120, form, quality=77, animated=True), LIMITS)
    assert len(body) < len(source)


def test_a_palette_picture_of_flat_art_stays_one() -> None:
    source = bytes(oracle.to_vips(oracle.pixels_of(screen())).pngsave_buffer(palette=True, bitdepth=4))
    body = steps.render(source, plan(160, 120, "png"), LIMITS)
    assert facts.read(kinds.recognise(body), body, LIMITS).palette
