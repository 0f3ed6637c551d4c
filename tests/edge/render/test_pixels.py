"""Renderings against pixels computed with numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pyvips

from demo import pictures
from edge.policy.plan import RenderPlan
from edge.render import steps
from tests.edge.render import oracle
from tests.edge.render.oracle import LIMITS, close, plan


def render(source: bytes, wanted: RenderPlan) -> bytes:
    return steps.render(source, wanted, LIMITS)


def saved(image: Any, form: str, **options: Any) -> bytes:
    savers = {
        "jpeg": lambda: image.jpegsave_buffer(Q=95, subsample_mode="off", keep="all", **options),
        "png": lambda: image.pngsave_buffer(keep="all", **options),
        "webp": lambda: image.webpsave_buffer(lossless=True, keep="all", **options),
        "tiff": lambda: image.tiffsave_buffer(keep="all", **options),
        "avif": lambda: image.heifsave_buffer(compression="av1", lossless=True, effort=0, keep="all", **options),
    }
    return bytes(savers[form]())


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int, form: str) -> None:
    stored = oracle.to_vips(oracle.stored_for(oracle.quadrants(160, 96), orientation))
    source = saved(pictures.with_metadata(stored, orientation=orientation), form)
    for width, height in ((160, 96), (80, 48)):
        got = oracle.pixels_of(render(source, plan(width, height)))
        assert got.shape[:2] == (height, width)
        assert close(oracle.centres(got), pictures.QUADRANTS, 4)


@pytest.mark.parametrize("form", ["avif", "jpeg", "png", "webp"])
def test_a_turned_source_is_turned_once_in_every_format(form: str) -> None:
    stored = oracle.to_vips(oracle.stored_for(oracle.quadrants(160, 96), 6))
    source = saved(pictures.with_metadata(stored, orientation=6), "jpeg")
    body = render(source, plan(160, 96, form))
    assert not oracle.field(body, "orientation")
    got = oracle.pixels_of(body)
    assert got.shape[:2] == (96, 160)
    assert close(oracle.centres(got), pictures.QUADRANTS, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_demo_stores_orientations_as_exif_wants_them(orientation: int) -> None:
    stored = pictures.turned_for(pictures.quadrants(40, 24), orientation)
    assert np.array_equal(
        oracle.pixels_of(stored.pngsave_buffer()), oracle.stored_for(oracle.quadrants(40, 24), orientation)
    )


def test_a_crop_takes_the_upright_side() -> None:
    stored = oracle.to_vips(oracle.stored_for(oracle.quadrants(200, 100), 6))
    source = saved(pictures.with_metadata(stored, orientation=6), "png")
    cut = plan(60, 50, resize_width=100, resize_height=50, gravity=(1.0, 0.5))
    got = oracle.pixels_of(render(source, cut))
    assert got.shape[:2] == (50, 60)
    red, green, _, yellow = pictures.QUADRANTS
    assert close(got[10, 5], red, 2)
    assert close(got[10, 40], green, 2)
    assert close(got[40, 40], yellow, 2)


@pytest.mark.parametrize("form", ["avif", "jpeg", "png", "webp", "gif"])
def test_every_format_gives_the_size_and_colours_asked_for(form: str) -> None:
    source = saved(oracle.to_vips(oracle.quadrants(400, 300)), "png")
    body = render(source, plan(100, 75, form))
    got = oracle.pixels_of(body)
    assert got.shape[:2] == (75, 100)
    assert close(oracle.centres(got), pictures.QUADRANTS, 8)


@pytest.mark.parametrize("form", ["avif", "jpeg", "png", "webp", "gif"])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 3)])
def test_tiny_results_are_pictures_too(form: str, size: tuple[int, int]) -> None:
    source = saved(oracle.to_vips(oracle.quadrants(40, 40)), "png")
    assert oracle.pixels_of(render(source, plan(*size, form))).shape[:2] == (size[1], size[0])


def test_the_smallest_source_can_be_enlarged() -> None:
    source = saved(pictures.solid(1, 1, (10, 200, 30)), "png")
    assert close(oracle.pixels_of(render(source, plan(64, 64))), (10, 200, 30), 1)


@pytest.mark.parametrize("form", ["jpeg", "png"])
def test_light_is_averaged_and_not_numbers(form: str) -> None:
    board = np.indices((512, 512)).sum(axis=0) % 2 * 255
    source = saved(oracle.to_vips(np.repeat(board[:, :, None].astype(np.uint8), 3, axis=2)), form)
    got = oracle.pixels_of(render(source, plan(256, 256)))[16:-16, 16:-16]
    assert close(got.mean(), float(oracle.gamma(0.5)), 3)


def test_the_speed_profile_averages_numbers_and_writes_a_picture_of_the_same_size() -> None:
    board = np.indices((512, 512)).sum(axis=0) % 2 * 255
    source = saved(oracle.to_vips(np.repeat(board[:, :, None].astype(np.uint8), 3, axis=2)), "png")
    for form in ("png", "jpeg", "webp", "avif"):
        got = oracle.pixels_of(render(source, plan(256, 256, form, fast=True)))[16:-16, 16:-16]
        assert close(got.mean(), 128, 3)


def test_a_large_jpeg_keeps_headroom_while_it_is_shrunk() -> None:
    stripes = (np.arange(1600) // 2 % 2 * 255).astype(np.uint8)
    source = saved(oracle.to_vips(np.repeat(np.tile(stripes, (1600, 1))[:, :, None], 3, axis=2)), "jpeg")
    got = oracle.pixels_of(render(source, plan(400, 400)))[16:-16, 16:-16]
    assert close(got.mean(), float(oracle.gamma(0.5)), 4)


@pytest.mark.parametrize("form", ["png", "webp", "avif"])
def test_transparent_edges_have_no_dark_fringe(form: str) -> None:
    pixels = np.zeros((200, 200, 4), np.uint8)
    pixels[:, :100] = (255, 60, 20, 255)
    got = oracle.pixels_of(render(saved(oracle.to_vips(pixels), "png"), plan(50, 50, form, lossless=form != "png")))
    assert got.shape[2] == 4
    seen = got[got[..., 3] > 16]
    assert close(seen[:, :3], (255, 60, 20), 6)
    assert got[25, 5, 3] == 255
    assert got[25, 45, 3] == 0


def test_half_transparent_colours_keep_their_colour_and_alpha() -> None:
    pixels = np.full((90, 90, 4), (200, 100, 50, 128), np.uint8)
    got = oracle.pixels_of(render(saved(oracle.to_vips(pixels), "png"), plan(30, 30)))
    assert close(got, (200, 100, 50, 128), 1)


@pytest.mark.parametrize(("background", "expected"), [("", (255, 255, 255)), ("0040ff", (0, 64, 255))])
def test_a_format_without_transparency_gets_a_ground(background: str, expected: tuple[int, int, int]) -> None:
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[:, :30] = (255, 0, 0, 255)
    got = oracle.pixels_of(render(saved(oracle.to_vips(pixels), "png"), plan(60, 60, "jpeg", background=background)))
    assert close(got[30, 8], (254, 0, 0), 6)
    assert close(got[30, 52], expected, 6)


def test_padding_lies_around_the_picture_where_gravity_puts_it() -> None:
    source = saved(pictures.solid(100, 50, (0, 200, 0)), "png")
    padded = plan(40, 40, resize_width=40, resize_height=20, background="ff0000", gravity=(0.5, 1.0))
    got = oracle.pixels_of(render(source, padded))
    assert got.shape == (40, 40, 3)
    assert close(got[5, 20], (255, 0, 0), 1)
    assert close(got[35, 20], (0, 200, 0), 1)


def test_padding_without_a_background_is_transparent_or_white() -> None:
    source = saved(pictures.solid(100, 50, (0, 200, 0)), "png")
    padded = {"resize_width": 40, "resize_height": 20}
    assert close(oracle.pixels_of(render(source, plan(40, 40, **padded)))[2, 20], (0, 0, 0, 0), 0)
    assert close(oracle.pixels_of(render(source, plan(40, 40, "jpeg", **padded)))[2, 20], (255, 255, 255), 3)


def test_a_translucent_background_shows_through_and_lies_under_the_picture() -> None:
    source = saved(pictures.solid(100, 50, (0, 200, 0)), "png")
    padded = plan(40, 40, resize_width=40, resize_height=20, background="0000ff80")
    got = oracle.pixels_of(render(source, padded))
    assert close(got[2, 20], (0, 0, 255, 128), 1)
    assert close(got[20, 20], (0, 200, 0, 255), 1)


def test_a_grey_picture_can_lie_on_a_coloured_ground() -> None:
    source = saved(pictures.solid(100, 50, (90,)), "png")
    got = oracle.pixels_of(render(source, plan(40, 40, resize_width=40, resize_height=20, background="ff8000")))
    assert close(got[2, 20], (255, 128, 0), 1)
    assert close(got[20, 20], (90, 90, 90), 1)


def test_a_smart_crop_keeps_what_draws_the_eye() -> None:
    noise = np.random.default_rng(7).integers(0, 2, (60, 60, 1)) * 255
    pixels = np.full((200, 400, 3), 120, np.uint8)
    pixels[70:130, 320:380] = np.concatenate([noise, np.zeros_like(noise), 255 - noise], axis=2)
    got = oracle.pixels_of(
        render(saved(oracle.to_vips(pixels), "png"), plan(200, 200, resize_width=400, resize_height=200, gravity=None))
    )
    assert got.shape[:2] == (200, 200)
    assert got.std() > 30


def test_blur_softens_without_a_fringe() -> None:
    pixels = np.zeros((100, 100, 4), np.uint8)
    pixels[:, :50] = (255, 60, 20, 255)
    got = oracle.pixels_of(render(saved(oracle.to_vips(pixels), "png"), plan(100, 100, blur=4.0)))
    assert 100 < got[50, 50, 3] < 155
    assert close(got[got[..., 3] > 16][:, :3], (255, 60, 20), 6)


def test_a_plan_that_changes_nothing_is_lossless_in_a_lossless_format() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)
    source = saved(oracle.to_vips(pixels), "png")
    assert np.array_equal(oracle.pixels_of(render(source, plan(96, 64, "png"))), pixels)
    assert np.array_equal(oracle.pixels_of(render(source, plan(96, 64, "webp", lossless=True))), pixels)


def test_an_svg_is_drawn_at_the_size_asked_for() -> None:
    source = b'<?xml version="1.0"?><!-- a --><svg xmlns="http://www.w3.org/2000/svg" width="10" height="10">'
    source += b'<rect width="5" height="10" fill="#00ff00"/></svg>'
    got = oracle.pixels_of(render(source, plan(400, 400)))
    assert close(got[200, 198], (0, 255, 0, 255), 0)
    assert close(got[200, 202][3], 0, 0)


def test_identical_plans_on_identical_bytes_give_identical_bytes() -> None:
    source = pictures.photo(480, 640)
    for form in ("jpeg", "webp", "avif", "png", "gif"):
        wanted = plan(120, 160, form)
        assert render(source, wanted) == render(source, wanted)


def test_renderings_carry_no_metadata() -> None:
    source = pictures.photo(480, 640)
    assert b"Facet" in source
    assert oracle.field(source, "exif-ifd3-GPSLatitude")
    for form in ("jpeg", "webp", "avif", "png", "gif"):
        body = render(source, plan(120, 160, form, keep_profile=form in ("webp", "avif")))
        assert not [name for name in oracle.fields(body) if name.startswith(("exif", "xmp", "iptc"))], form
        assert oracle.field(body, "orientation") in (None, 1)
        assert b"Facet" not in body


def test_copyright_stays_where_the_plan_says_so_and_nothing_else_does() -> None:
    for form in ("jpeg", "webp"):
        body = render(pictures.photo(480, 640), plan(120, 160, form, keep_copyright=True))
        assert str(oracle.field(body, "exif-ifd0-Copyright")).startswith("Public domain")
        assert oracle.field(body, "exif-ifd0-Make") is None
        assert oracle.field(body, "exif-ifd3-GPSLatitude") is None
        assert oracle.field(body, "orientation") in (None, 1)


def test_the_demo_photo_is_what_it_claims() -> None:
    body = pictures.photo(480, 640)
    image = pyvips.Image.new_from_buffer(body, "")
    assert (image.width, image.height, image.get("orientation")) == (640, 480, 6)
    assert image.get("icc-profile-data") == pictures.display_p3()
