"""Placeholders: against what the reference encoders give for the same pixels, and against the picture."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import blurhash
import numpy as np
import pytest
import pyvips
import thumbhash

from demo import pictures
from edge.render import placeholders, steps
from tests.edge.render import oracle
from tests.edge.render.oracle import LIMITS, close, plan


def scene() -> Any:
    return pictures.landscape(24, 32).copy_memory()


def gem() -> Any:
    return pyvips.Image.pngload_buffer(pictures.transparent_png(64)).resize(0.5).copy_memory()


REFERENCE = [
    (scene, b"TSDJYXR.Rj-@R-ax9aWWs.9$oes.", b"m/cJLQRmeH94CIhniIaYh3ZwZmgH"),
    (gem, b"LePjZIxH~Tx]%Mj[WBju~TkVI=sT", b"qcWFBQI1Nep7hZM++BeM8MaHB2h3iICLaA=="),
]
"""What the npm packages blurhash 2.0.5 and thumbhash 0.1.1 give."""


@pytest.mark.parametrize(("make", "blur", "thumb"), REFERENCE)
def test_hashes_are_those_of_the_reference_encoders(make: Any, blur: bytes, thumb: bytes) -> None:
    assert placeholders.blurhash(make()) == blur
    assert placeholders.thumbhash(make()) == thumb


@pytest.mark.parametrize("seed", range(6))
def test_hashes_of_invented_pictures_are_those_of_two_python_encoders(seed: int) -> None:
    random = np.random.default_rng(seed)
    side = int(random.integers(1, 33))
    width, height = (32, side) if seed % 2 else (side, 32)
    pixels = random.integers(0, 256, (height, width, 3), np.uint8)
    image = oracle.to_vips(pixels)
    across, down = (4, 3) if width >= height else (3, 4)
    assert placeholders.blurhash(image).decode() == blurhash.encode(pixels.tolist(), across, down)
    opaque = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
    expected = thumbhash.rgba_to_thumb_hash(width, height, opaque.ravel().tolist())
    assert b64decode(placeholders.thumbhash(image)) == bytes(expected)


@pytest.mark.parametrize("form", ["blurhash", "thumbhash", "color"])
def test_json_says_what_the_text_says(form: str) -> None:
    source = bytes(pictures.photo(60, 80))
    text = steps.render(source, plan(24, 32, form), LIMITS).decode()
    assert json.loads(steps.render(source, plan(24, 32, f"{form}.json"), LIMITS)) == {form: text}


@pytest.mark.parametrize("form", ["blurhash", "thumbhash", "color"])
@pytest.mark.parametrize("size", [(32, 24), (1, 32), (32, 1), (1, 1)])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_every_shape_has_its_placeholder(form: str, size: tuple[int, int], bands: int) -> None:
    values = np.random.default_rng(bands).integers(0, 256, (90, 120, bands), np.uint8)
    source = bytes(oracle.to_vips(values).pngsave_buffer())
    text = steps.render(source, plan(*size, form), LIMITS).decode()
    assert text.isascii()
    assert len(text) == {"blurhash": 28, "color": 7}.get(form, len(text))
    if form == "thumbhash":
        assert 5 <= len(b64decode(text, validate=True)) <= 25


def test_the_dominant_colour_is_the_one_seen_most() -> None:
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[:, :40] = (200, 100, 50, 255)
    pixels[:, 50:] = (0, 0, 255, 60)
    source = bytes(oracle.to_vips(pixels).pngsave_buffer())
    text = steps.render(source, plan(32, 32, "color"), LIMITS).decode()
    assert close(list(bytes.fromhex(text[1:])), (200, 100, 50), 4)


def test_a_picture_that_cannot_be_seen_is_white() -> None:
    source = bytes(oracle.to_vips(np.zeros((20, 20, 4), np.uint8)).pngsave_buffer())
    assert steps.render(source, plan(20, 20, "color"), LIMITS) == b"#ffffff"


def test_a_placeholder_is_made_of_the_upright_picture() -> None:
    upright = oracle.quadrants(64, 32)
    turned = oracle.to_vips(oracle.stored_for(upright, 6))
    lying = bytes(pictures.with_metadata(turned, orientation=6).pngsave_buffer(keep="all"))
    standing = bytes(oracle.to_vips(upright).pngsave_buffer())
    wanted = plan(32, 16, "blurhash")
    assert steps.render(lying, wanted, LIMITS) == steps.render(standing, wanted, LIMITS)
