"""Placeholders: against what the reference encoders give for the same pixels, and against the picture."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import numpy as np
import pytest
import pyvips

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


@pytest.mark.parametrize(("make", "blurhash", "thumbhash"), REFERENCE)
def test_hashes_are_those_of_the_reference_encoders(make: Any, blurhash: bytes, thumbhash: bytes) -> None:
    assert placeholders.blurhash(make()) == blurhash
    assert placeholders.thumbhash(make()) == thumbhash


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
