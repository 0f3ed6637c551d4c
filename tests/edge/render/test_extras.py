"""HEIC and JPEG XL as sources: pixels, orientation, profiles, what is broken, and what is missing."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401 - registers the writer
import pytest
from PIL import Image

from demo import pictures
from edge.render import colour, facts, kinds, steps, strip
from edge.render.errors import Damaged, NeedsHeic, NeedsJxl, TooManyPixels, Unreadable
from tests.edge.render import oracle
from tests.edge.render.oracle import LIMITS, close, plan

UPRIGHT = oracle.quadrants(160, 96)


def exif(orientation: int) -> bytes:
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010F] = "Facet Camera"
    return bytes(made.tobytes())


def heic(pixels: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(out, quality=95, chroma=444, **options)
    return out.getvalue()


def jxl(pixels: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JXL", **({"lossless": True} | options))
    return out.getvalue()


MAKERS = {"heic": heic, "jxl": jxl}


def transparent(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 255, np.uint8)], axis=2)


@pytest.mark.parametrize("form", MAKERS)
@pytest.mark.parametrize("alpha", [False, True])
def test_pixels_and_size_are_the_sources(form: str, alpha: bool) -> None:
    source = MAKERS[form](transparent(UPRIGHT) if alpha else UPRIGHT)
    found = facts.read(kinds.recognise(source), source, LIMITS)
    assert (found.format, found.width, found.height, found.has_alpha) == (form, 160, 96, alpha)
    for width, height in ((160, 96), (80, 48)):
        got = oracle.pixels_of(steps.render(source, plan(width, height), LIMITS))
        assert got.shape == (height, width, 4 if alpha else 3)
        assert close(oracle.centres(got), pictures.QUADRANTS, 3)


@pytest.mark.parametrize("form", MAKERS)
def test_grey_stays_grey(form: str) -> None:
    source = MAKERS[form](np.full((48, 64), 90, np.uint8))
    assert close(oracle.pixels_of(steps.render(source, plan(32, 24), LIMITS))[..., :1], 90, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_a_heic_comes_out_upright(orientation: int) -> None:
    source = heic(oracle.stored_for(UPRIGHT, orientation), exif=exif(orientation))
    got = oracle.pixels_of(steps.render(source, plan(160, 96), LIMITS))
    assert close(oracle.centres(got), pictures.QUADRANTS, 4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_a_jpeg_packed_as_jpeg_xl_comes_out_upright(orientation: int, tmp_path: Any) -> None:
    path = tmp_path / "photo.jpg"
    stored = Image.fromarray(oracle.stored_for(UPRIGHT, orientation))
    stored.save(path, quality=95, subsampling=0, exif=exif(orientation))
    out = io.BytesIO()
    Image.open(path).save(out, "JXL", lossless_jpeg=True)
    for source in (out.getvalue(), strip.strip(out.getvalue())):
        got = oracle.pixels_of(steps.render(source, plan(160, 96), LIMITS))
        assert close(oracle.centres(got), pictures.QUADRANTS, 5)
    assert b"Facet Camera" not in strip.strip(out.getvalue())


def test_the_display_p3_of_a_heic_becomes_srgb_or_stays() -> None:
    image = Image.fromarray(np.full((64, 64, 3), (200, 100, 50), np.uint8))
    image.info["icc_profile"] = pictures.display_p3()
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=95, chroma=444)
    assert facts.read(kinds.recognise(out.getvalue()), out.getvalue(), LIMITS).profile is colour.Profile.P3
    got = oracle.pixels_of(steps.render(out.getvalue(), plan(32, 32), LIMITS))
    assert close(got, oracle.p3_as_srgb((200, 100, 50)), 4)
    kept = steps.render(out.getvalue(), plan(32, 32, "webp", lossless=True, keep_profile=True), LIMITS)
    assert close(oracle.pixels_of(kept), (200, 100, 50), 3)


def test_ten_bits_become_eight() -> None:
    deep = UPRIGHT.astype(np.uint16) * 257
    out = io.BytesIO()
    pillow_heif.from_bytes(mode="RGB;16", size=(160, 96), data=deep.tobytes()).save(out, quality=95, chroma=444)
    assert facts.read(kinds.recognise(out.getvalue()), out.getvalue(), LIMITS).bits == 16
    assert close(
        oracle.centres(oracle.pixels_of(steps.render(out.getvalue(), plan(80, 48), LIMITS))), pictures.QUADRANTS, 3
    )


@pytest.mark.parametrize("form", MAKERS)
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95, -2])
def test_a_truncated_file_is_an_error(form: str, kept: float) -> None:
    source = MAKERS[form](np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8))
    with pytest.raises(Unreadable):
        steps.render(source[: round(len(source) * kept) if kept > 0 else -2], plan(64, 48), LIMITS)


@pytest.mark.parametrize("form", MAKERS)
def test_metadata_is_taken_out_and_the_picture_stays(form: str) -> None:
    source = MAKERS[form](UPRIGHT, exif=exif(1))
    assert b"Facet Camera" in source
    bare = strip.strip(source)
    assert b"Facet Camera" not in bare
    assert steps.render(bare, plan(160, 96), LIMITS) == steps.render(source, plan(160, 96), LIMITS)


@pytest.mark.parametrize("size", [(64, 48), (1, 1), (300, 7), (256, 256), (1000, 750), (40, 70_000 // 40)])
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(size: tuple[int, int]) -> None:
    source = jxl(np.zeros((size[1], size[0], 3), np.uint8))
    kind = kinds.recognise(source)
    assert kind.size is not None
    assert kind.size(source) == size
    few = facts.Limits(max_pixels=size[0] * size[1] - 1, max_frames=1, memory=LIMITS.memory)
    with pytest.raises(TooManyPixels):
        facts.read(kind, source, few)


def test_an_animated_or_endless_jpeg_xl_is_no_picture() -> None:
    # all_default 0, extra fields 1, orientation 0, no own size, no preview, animation 1, behind 8 × 8 pixels.
    bits = "1" + "00000" + "100" + "0" + "1" + "000" + "0" + "0" + "1"
    moving = b"\xff\n" + int(bits[::-1], 2).to_bytes(4, "little") + b"\0" * 60
    with pytest.raises(Unreadable):
        steps.render(moving, plan(8, 8), LIMITS)
    with pytest.raises(Damaged):
        steps.render(b"\xff\n" + b"\0" * 60, plan(8, 8), LIMITS)


@pytest.mark.parametrize(
    ("form", "package", "error"), [("heic", "pillow_heif", NeedsHeic), ("jxl", "pillow_jxl", NeedsJxl)]
)
def test_a_missing_package_is_named(
    form: str, package: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MAKERS[form](UPRIGHT)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(error):
        steps.render(source, plan(80, 48), LIMITS)


@pytest.mark.parametrize("brand", [b"hevc", b"msf1"])
def test_moving_pictures_of_the_same_family_are_not_taken_for_stills(brand: bytes) -> None:
    for source in (heic(UPRIGHT), pictures.landscape(64, 64).heifsave_buffer(compression="av1", effort=0)):
        with pytest.raises(Unreadable):
            kinds.recognise(source[:8] + brand + source[12:])


def test_an_animated_avif_is_known_for_one_and_gives_its_first_frame_as_a_still() -> None:
    frames = [Image.fromarray(np.roll(UPRIGHT, 40 * number, axis=1)) for number in range(3)]
    out = io.BytesIO()
    frames[0].save(out, "AVIF", quality=95, save_all=True, append_images=frames[1:], duration=100)
    source = out.getvalue()
    found = facts.read(kinds.recognise(source), source, LIMITS)
    assert (found.format, found.renderable, found.pages > 1) == ("avif", False, True)
    got = oracle.pixels_of(steps.render(source, plan(80, 48), LIMITS))
    assert close(oracle.centres(got), pictures.QUADRANTS, 6)
