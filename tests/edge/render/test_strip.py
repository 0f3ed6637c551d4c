"""Stripping source bytes: the same pixels, nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import pyvips

from demo import pictures
from edge.render.errors import Damaged, Unreadable
from edge.render.strip import strip
from tests.edge.render import oracle

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">secret place</x:xmpmeta>'
FORMS = ["jpeg", "png", "webp"]


def tagged(form: str, orientation: int) -> bytes:
    fields = {"exif-ifd0-Make": "secret maker", **pictures.GPS_FIELDS}
    image = pictures.with_metadata(
        pictures.landscape(60, 80).copy_memory(), orientation=orientation, fields=fields, profile=pictures.display_p3()
    )
    image.set_type(pyvips.GValue.blob_type, "xmp-data", XMP)
    savers = {"jpeg": image.jpegsave_buffer, "png": image.pngsave_buffer, "webp": image.webpsave_buffer}
    return bytes(savers[form](keep="all"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_pixels_profile_and_orientation_stay_and_location_goes(form: str, orientation: int) -> None:
    source = tagged(form, orientation)
    assert b"secret" in source
    assert oracle.field(source, "exif-ifd3-GPSLatitude")
    bare = strip(source)
    assert len(bare) < len(source)
    assert b"secret" not in bare
    assert not [name for name in oracle.fields(bare) if name.startswith(("exif-ifd3", "xmp", "iptc"))]
    assert oracle.field(bare, "exif-ifd0-Make") is None
    assert (oracle.field(bare, "orientation") or 1) == orientation
    assert oracle.field(bare, "icc-profile-data") == pictures.display_p3()
    assert np.array_equal(oracle.pixels_of(bare), oracle.pixels_of(source))


@pytest.mark.parametrize("form", FORMS)
def test_stripping_twice_changes_nothing_more(form: str) -> None:
    once = strip(tagged(form, 8))
    assert strip(once) == once


def test_a_progressive_jpeg_and_what_follows_it() -> None:
    scene = pictures.landscape(60, 80).copy_memory()
    source = scene.jpegsave_buffer(interlace=True, keep="none", restart_interval=2)
    comment = b"\xff\xfe\x00\x08secret"
    with_more = source[:2] + comment + source[2:] + b"secret video with a place"
    bare = strip(with_more)
    assert b"secret" not in bare
    assert bare == source


def test_cmyk_keeps_the_segment_that_says_so() -> None:
    source = pictures.solid(40, 40, (10, 200, 90, 30)).copy(interpretation="cmyk").jpegsave_buffer()
    assert np.array_equal(oracle.pixels_of(strip(source)), oracle.pixels_of(source))


def test_an_animated_gif_keeps_frames_and_loop_and_loses_comments() -> None:
    source = pictures.animation(60, 4)
    comment = b"\x21\xfe\x06secret\x00"
    xmp = b"\x21\xff\x0bXMP DataXMP\x06secret\x00"
    head = 13 + 3 * 32
    with_more = source[:head] + comment + xmp + source[head:] + b"secret"
    assert strip(with_more) == source


def test_an_animated_webp_keeps_its_frames() -> None:
    strip_of_frames = pyvips.Image.gifload_buffer(pictures.animation(60, 4), n=-1)
    strip_of_frames = strip_of_frames.copy()
    strip_of_frames.set_type(pyvips.GValue.blob_type, "xmp-data", XMP)
    source = strip_of_frames.webpsave_buffer(lossless=True, keep="all")
    bare = strip(source)
    assert b"secret" in source
    assert b"secret" not in bare
    assert np.array_equal(oracle.frames_of(bare), oracle.frames_of(source))
    assert oracle.field(bare, "delay") == oracle.field(source, "delay")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_source_is_damaged(form: str, share: float) -> None:
    source = tagged(form, 1)
    with pytest.raises(Damaged):
        strip(source[: int(len(source) * share)])


def test_an_avif_loses_its_metadata_and_nothing_moves() -> None:
    fields = {"exif-ifd0-Make": "secret maker", **pictures.GPS_FIELDS}
    image = pictures.with_metadata(pictures.landscape(60, 80).copy_memory(), fields=fields).copy()
    image.set_type(pyvips.GValue.blob_type, "xmp-data", XMP)
    source = bytes(image.heifsave_buffer(compression="av1", effort=0, keep="all"))
    assert b"secret maker" in source
    assert b"secret place" in source
    bare = strip(source)
    assert b"secret" not in bare
    assert len(bare) == len(source)
    assert oracle.field(bare, "exif-ifd3-GPSLatitude") is None
    assert np.array_equal(oracle.pixels_of(bare), oracle.pixels_of(source))
    assert strip(bare) == bare


@pytest.mark.parametrize("name", [b"iloc", b"iinf", b"infe", b"meta"])
def test_a_broken_avif_is_stripped_or_damaged(name: bytes) -> None:
    fields = {"exif-ifd0-Make": "maker"}
    image = pictures.with_metadata(pictures.solid(32, 32, (1, 2, 3)), fields=fields)
    source = bytearray(image.heifsave_buffer(compression="av1", effort=0, keep="all"))
    at = source.index(name)
    for offset in range(-4, 24):
        for value in (0, 255):
            broken = bytearray(source)
            broken[at + offset] = value
            try:
                strip(bytes(broken))
            except Unreadable:
                continue


def test_kinds_without_a_stripper_are_refused() -> None:
    tiff = pictures.solid(32, 32, (1, 2, 3)).tiffsave_buffer()
    for source in (tiff, pictures.drawing(), b"text"):
        with pytest.raises(Unreadable):
            strip(source)
