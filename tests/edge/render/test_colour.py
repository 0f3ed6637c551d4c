"""Colour spaces and depths against numbers computed with numpy."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from demo import pictures
from edge.render import colour, facts, kinds, steps
from tests.edge.render import oracle
from tests.edge.render.oracle import LIMITS, close, plan

P3_COLOURS = [(200, 100, 50), (90, 140, 200), (128, 128, 128), (230, 220, 210), (0, 0, 0), (255, 255, 255)]


def tagged(colour_: tuple[int, ...], profile: bytes, size: int = 64) -> Any:
    return pictures.with_metadata(pictures.solid(size, size, colour_), profile=profile)


def made_profile(space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    """A minimal ICC profile (ICC.1:2022 §7.2) with these tags."""
    table, data = b"", b""
    start = 132 + 12 * len(tags)
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(value))
        data += value.ljust(-(-len(value) // 4) * 4, b"\0")
    size = start + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, 0x02400000, b"mntr", space, connection)
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D) + b"\0" * 48
    assert len(head) == 128
    return head + struct.pack(">I", len(tags)) + table + data


def xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(v * 65536) for v in (x, y, z)))


def gamma_curve(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def adobe_rgb() -> bytes:
    """Adobe RGB (1998), annex C: its primaries adapted to D50, gamma 563/256."""
    curve = gamma_curve(563 / 256)
    return made_profile(
        b"RGB ",
        {
            b"wtpt": xyz(0.9642, 1.0, 0.8249),
            b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
            b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
            b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        },
    )


def grey_gamma(value: float) -> bytes:
    return made_profile(b"GRAY", {b"wtpt": xyz(0.9642, 1.0, 0.8249), b"kTRC": gamma_curve(value)})


def perceptual_table(space: bytes) -> bytes:
    """A profile that has nothing but a table (lut16Type) for perceptual: bright where the numbers are low."""
    channels = len(space.strip())
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * channels, indexing="ij"), -1).reshape(-1, channels)
    lab = np.stack([100 * (1 - corners.mean(1)), 60 * (corners[:, 0] - corners[:, 1]), 40 * corners[:, 2]], 1)
    numbers = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], 1).round()
    head = b"mft2\0\0\0\0" + bytes([channels, 3, 2, 0]) + struct.pack(">9i", *(np.eye(3).ravel() * 65536).astype(int))
    ramps = struct.pack(">HH", 2, 2) + struct.pack(">HH", 0, 65535) * channels
    table = head + ramps + numbers.astype(">u2").tobytes() + struct.pack(">HH", 0, 65535) * 3
    return made_profile(space, {b"wtpt": xyz(0.9642, 1.0, 0.8249), b"A2B0": table}, b"Lab ")


@pytest.mark.parametrize(("mode", "space"), [("RGB", b"RGB "), ("CMYK", b"CMYK")])
@pytest.mark.parametrize("numbers", [(200, 60, 40, 10), (20, 120, 90, 40), (250, 250, 250, 0)])
def test_a_profile_that_has_only_a_perceptual_table_is_read(mode: str, space: bytes, numbers: tuple[int, ...]) -> None:
    picture = Image.new(mode, (64, 64), numbers[: len(mode)])
    with io.BytesIO() as file:
        picture.save(file, "TIFF", icc_profile=perceptual_table(space))
        source = file.getvalue()
    read = ImageCms.ImageCmsProfile(io.BytesIO(perceptual_table(space)))
    expected = ImageCms.profileToProfile(picture, read, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert expected is not None
    assert close(oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS)), expected.getpixel((0, 0)), 3)


@pytest.mark.parametrize("colour_", P3_COLOURS)
@pytest.mark.parametrize("size", [64, 16])
def test_display_p3_becomes_srgb_by_its_primaries(colour_: tuple[int, int, int], size: int) -> None:
    source = tagged(colour_, pictures.display_p3()).pngsave_buffer(keep="all")
    body = steps.render(source, plan(size, size), LIMITS)
    assert oracle.field(body, "icc-profile-data") is None
    assert close(oracle.pixels_of(body), oracle.p3_as_srgb(colour_), 2)


def test_a_red_beyond_srgb_is_as_red_as_srgb_can() -> None:
    source = tagged((255, 0, 0), pictures.display_p3()).pngsave_buffer(keep="all")
    assert close(oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS)), (255, 0, 0), 2)


@pytest.mark.parametrize("form", ["avif", "webp"])
def test_display_p3_is_kept_where_the_plan_keeps_it(form: str) -> None:
    source = tagged((255, 40, 20), pictures.display_p3()).pngsave_buffer(keep="all")
    body = steps.render(source, plan(16, 16, form, lossless=True, keep_profile=True), LIMITS)
    assert oracle.field(body, "icc-profile-data") == pictures.display_p3()
    assert close(oracle.pixels_of(body), (255, 40, 20), 3)


def test_an_srgb_source_gets_no_profile() -> None:
    source = tagged((255, 40, 20), bytes(pyvips.Operation.call("profile_load", "srgb"))).pngsave_buffer(keep="all")
    body = steps.render(source, plan(16, 16, "webp", lossless=True, keep_profile=True), LIMITS)
    assert oracle.field(body, "icc-profile-data") is None
    assert close(oracle.pixels_of(body), (255, 40, 20), 1)


def adobe_as_srgb(colour_: tuple[int, int, int]) -> np.ndarray:
    """Adobe RGB numbers as sRGB numbers: the D65 matrices of both specifications."""
    to_xyz = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
    to_srgb = np.array([[3.24097, -1.53738, -0.49861], [-0.96924, 1.87597, 0.04156], [0.05563, -0.20398, 1.05697]])
    return oracle.gamma(to_srgb @ to_xyz @ (np.array(colour_) / 255) ** (563 / 256))


@pytest.mark.parametrize("colour_", [(180, 120, 90), (100, 150, 140), (128, 128, 128)])
def test_adobe_rgb_becomes_srgb_by_its_primaries(colour_: tuple[int, int, int]) -> None:
    source = tagged(colour_, adobe_rgb()).pngsave_buffer(keep="all")
    assert close(oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS)), adobe_as_srgb(colour_), 3)


def test_other_wide_profiles_become_display_p3_where_a_profile_is_kept() -> None:
    source = tagged((180, 120, 90), adobe_rgb()).pngsave_buffer(keep="all")
    body = steps.render(source, plan(16, 16, "webp", lossless=True, keep_profile=True), LIMITS)
    assert colour.read_profile(oracle.field(body, "icc-profile-data")) is colour.Profile.P3
    assert close(oracle.p3_as_srgb(oracle.pixels_of(body)[8, 8]), adobe_as_srgb((180, 120, 90)), 4)


@pytest.mark.parametrize("rubbish", [b"", b"garbage", b"\0" * 200, pictures.display_p3()[:150]])
def test_a_broken_profile_counts_as_none(rubbish: bytes) -> None:
    assert colour.read_profile(rubbish) is colour.Profile.SRGB
    source = tagged((200, 100, 50), rubbish or b"x").pngsave_buffer(keep="none")
    assert close(oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS)), (200, 100, 50), 1)


@pytest.mark.parametrize(
    ("gamma", "slope", "offset"), [(-2.0, 1.0, 0.0), (2.4, -1.0, 0.0), (30_000.0, 9.0, 9.0), (0, 0, 0)]
)
def test_an_absurd_curve_is_no_srgb_and_no_crash(gamma: float, slope: float, offset: float) -> None:
    numbers = struct.pack(">iii", *(round(value * 65536) for value in (gamma, slope, offset)))
    curve = b"para\0\0\0\0" + struct.pack(">HH", 1, 0) + numbers
    tags = {
        b"rXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
    }
    profile = made_profile(b"RGB ", tags | {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})
    assert colour.read_profile(profile) is colour.Profile.RGB


def test_a_jpeg_with_a_broken_profile_is_still_a_picture() -> None:
    source = tagged((200, 100, 50), b"\0" * 300).jpegsave_buffer(Q=95, keep="all")
    assert close(oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS)), (200, 100, 50), 3)


def test_profiles_are_told_apart_by_their_primaries_and_curve() -> None:
    load = pyvips.Operation.call
    assert colour.read_profile(load("profile_load", "srgb")) is colour.Profile.SRGB
    assert colour.read_profile(load("profile_load", "p3")) is colour.Profile.P3
    assert colour.read_profile(load("profile_load", "cmyk")) is colour.Profile.CMYK
    assert colour.read_profile(adobe_rgb()) is colour.Profile.RGB
    assert colour.read_profile(grey_gamma(2.2)) is colour.Profile.GREY


SRGB_CURVE = b"para\0\0\0\0" + struct.pack(
    ">HH5i", 3, 0, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)


def tabled_curve(entries: int) -> bytes:
    values = oracle.linear(np.linspace(0, 255, entries)) * 65535
    return b"curv\0\0\0\0" + struct.pack(">I", entries) + values.round().astype(">u2").tobytes()


@pytest.mark.parametrize(
    ("curve", "is_srgb"),
    [
        (SRGB_CURVE, True),
        (tabled_curve(26), True),
        (tabled_curve(1024), True),
        (gamma_curve(2.2), False),
        (gamma_curve(1.8), False),
        (gamma_curve(2.4), False),
        (gamma_curve(1.0), False),
    ],
)
def test_srgb_primaries_with_another_curve_are_shown_by_it(curve: bytes, is_srgb: bool) -> None:
    primaries = {
        b"rXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
    }
    curves = {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    profile = made_profile(b"RGB ", {b"wtpt": xyz(0.9505, 1.0, 1.0891)} | primaries | curves)
    assert (colour.read_profile(profile) is colour.Profile.SRGB) is is_srgb
    source = tagged((20, 40, 90), profile).pngsave_buffer(keep="all")
    got = oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS))
    read = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    shown = ImageCms.profileToProfile(Image.new("RGB", (1, 1), (20, 40, 90)), read, ImageCms.createProfile("sRGB"))
    assert shown is not None
    assert close(got, shown.getpixel((0, 0)), 2)


def test_grey_stays_grey() -> None:
    source = pictures.solid(64, 64, (77,)).jpegsave_buffer(Q=95)
    body = steps.render(source, plan(16, 16, "jpeg"), LIMITS)
    assert oracle.pixels_of(body).shape[2] == 1
    assert close(oracle.pixels_of(body), 77, 2)


def test_grey_with_alpha_keeps_both() -> None:
    pixels = np.full((64, 64, 2), (77, 128), np.uint8)
    source = oracle.to_vips(pixels).pngsave_buffer()
    assert close(oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS)), (77, 128), 1)


def test_grey_with_a_profile_is_shown_as_it_says() -> None:
    source = tagged((128,), grey_gamma(1.0)).pngsave_buffer(keep="all")
    got = oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS))
    assert close(got, float(oracle.gamma(128 / 255)), 3)


@pytest.mark.parametrize(("ink", "roughly"), [((0, 0, 0, 0), (255, 255, 255)), ((0, 255, 255, 0), (235, 30, 40))])
def test_cmyk_without_a_profile_becomes_srgb(ink: tuple[int, ...], roughly: tuple[int, int, int]) -> None:
    source = pictures.solid(64, 64, ink).copy(interpretation="cmyk").jpegsave_buffer(Q=95, subsample_mode="off")
    got = oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS))
    assert got.shape[2] == 3
    assert close(got, roughly, 12)


def inverted_cmyk(stored: tuple[int, int, int, int], transform: int) -> bytes:
    """A JPEG of four components with these numbers, said to be Adobe's (TN 5116: all inks inverted; transform 2 is
    YCCK)."""
    out = io.BytesIO()
    planes = [Image.new("L", (64, 64), 255 - number) for number in stored]  # Pillow inverts what it writes
    Image.merge("CMYK", planes).save(out, "JPEG", quality=98, subsampling=0)
    body = bytearray(out.getvalue())
    body[body.index(b"Adobe") + 11] = transform
    return bytes(body)


@pytest.mark.parametrize(
    ("stored", "transform", "roughly"),
    [
        ((255, 0, 0, 255), 0, (235, 30, 40)),  # no cyan, all magenta and yellow
        ((0, 255, 255, 255), 0, (0, 160, 230)),
        ((179, 171, 0, 255), 2, (235, 30, 40)),  # Y, Cb, Cr of (0, 255, 255), the inks (T.872 §6.5.3)
        ((76, 85, 255, 255), 2, (0, 160, 230)),
        ((0, 128, 128, 255), 2, (255, 255, 255)),
    ],
)
def test_adobes_inverted_cmyk_and_ycck_become_srgb(
    stored: tuple[int, int, int, int], transform: int, roughly: tuple[int, int, int]
) -> None:
    for profile in (b"", colour_profile("cmyk")):
        source = inverted_cmyk(stored, transform)
        if profile:
            chunk = b"ICC_PROFILE\0\1\1" + profile[:60_000]  # cut off: counts as none
            source = source[:2] + b"\xff\xe2" + struct.pack(">H", len(chunk) + 2) + chunk + source[2:]
        for size in (64, 16):
            assert close(oracle.pixels_of(steps.render(source, plan(size, size), LIMITS)), roughly, 20)


def colour_profile(name: str) -> bytes:
    return bytes(pyvips.Operation.call("profile_load", name))


def test_16_bits_become_8_without_a_shift() -> None:
    pixels = np.full((64, 64, 3), (51400, 25700, 12850), np.uint16)
    source = oracle.to_vips(pixels, "rgb16").pngsave_buffer()
    assert facts.read(kinds.recognise(source), source, LIMITS).bits == 16
    for size in (64, 16):
        assert close(oracle.pixels_of(steps.render(source, plan(size, size), LIMITS)), (200, 100, 50), 1)


def test_a_16_bit_grey_with_alpha_becomes_8_bits() -> None:
    pixels = np.full((64, 64, 2), (25700, 32896), np.uint16)
    source = oracle.to_vips(pixels, "grey16").pngsave_buffer()
    for size in (64, 16):
        assert close(oracle.pixels_of(steps.render(source, plan(size, size), LIMITS)), (100, 128), 1)


def test_a_palette_png_keeps_its_colours() -> None:
    source = oracle.to_vips(oracle.quadrants(64, 64)).pngsave_buffer(palette=True)
    assert facts.read(kinds.recognise(source), source, LIMITS).palette
    for size in (64, 32):
        got = oracle.pixels_of(steps.render(source, plan(size, size), LIMITS))
        assert close(oracle.centres(got), pictures.QUADRANTS, 2)


def said(source: bytes, primaries: int, transfer: int) -> bytes:
    """An AVIF with a colour profile whose colour box says this instead (nclx, ISO/IEC 14496-12 §12.1.5)."""
    at = source.index(b"colrrICC") + 4
    return source[:at] + b"nclx" + struct.pack(">HHHB", primaries, transfer, 6, 0x80) + source[at + 11 :]


def pq(nits: float) -> float:
    """ITU-R BT.2100 table 4: the signal (0 … 1) for so much light."""
    y = (nits / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)


def avif_of(values: tuple[float, ...], bits: int) -> bytes:
    """A plain AVIF of these signals (0 … 1)."""
    pixels = np.full((64, 64, len(values)), [round(65535 * value) for value in values], np.uint16)
    image = oracle.to_vips(pixels, "rgb16")
    if bits == 8:
        image = (image >> 8).cast("uchar").copy(interpretation="srgb")
    tagged = pictures.with_metadata(image, profile=pictures.display_p3())
    options = {"compression": "av1", "bitdepth": bits, "Q": 95, "effort": 1, "subsample_mode": "off", "keep": "icc"}
    return bytes(tagged.heifsave_buffer(**options))


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize(("nits", "expected"), [(20.3, 0.1), (101.5, 0.5), (203.0, None), (4000.0, None)])
def test_pq_is_shown_by_its_light_and_not_dark(nits: float, expected: float | None, bits: int) -> None:
    got = oracle.pixels_of(steps.render(said(avif_of((pq(nits),) * 3, bits), 9, 16), plan(16, 16), LIMITS))
    if expected is None:
        assert float(oracle.gamma(0.85)) < got.mean() <= 255
    else:
        assert close(got, float(oracle.gamma(expected)), 4)


def test_a_pq_colour_keeps_its_hue() -> None:
    signals = tuple(pq(value) for value in (120.0, 40.0, 10.0))
    to_srgb = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
    expected = oracle.gamma(to_srgb @ (np.array([120.0, 40.0, 10.0]) / 203))
    got = oracle.pixels_of(steps.render(said(avif_of(signals, 10), 9, 16), plan(16, 16), LIMITS))
    assert close(got, expected, 6)


def test_hlg_reference_white_is_nearly_white() -> None:
    got = oracle.pixels_of(steps.render(said(avif_of((0.75,) * 3, 10), 9, 18), plan(16, 16), LIMITS))
    assert float(oracle.gamma(0.85)) < got.mean() < 255


def test_an_avif_that_says_display_p3_without_a_profile_is_display_p3() -> None:
    source = said(avif_of((200 / 255, 100 / 255, 50 / 255), 8), 12, 13)
    assert close(oracle.pixels_of(steps.render(source, plan(16, 16), LIMITS)), oracle.p3_as_srgb((200, 100, 50)), 4)
    kept = steps.render(source, plan(16, 16, "webp", lossless=True, keep_profile=True), LIMITS)
    assert oracle.field(kept, "icc-profile-data") == pictures.display_p3()
    assert close(oracle.pixels_of(kept), (200, 100, 50), 4)


def ultra_hdr() -> bytes:
    """A JPEG with a gain map: the top half is four times as bright as white on an HDR screen."""
    light = np.full((400, 600, 3), 0.4, np.float32)
    light[:200] = 4.0
    image = pyvips.Image.new_from_memory(light.tobytes(), 600, 400, 3, "float").copy(interpretation="scrgb")
    return bytes(image.uhdrsave_buffer(Q=90))


def test_a_gain_map_is_reduced_with_its_picture() -> None:
    source = ultra_hdr()
    found = facts.read(kinds.recognise(source), source, LIMITS)
    assert found.gain_map
    body = steps.render(source, plan(300, 200, "jpeg"), LIMITS)
    shown = pyvips.Image.uhdrload_buffer(body)
    assert (shown.width, shown.height) == (300, 200)
    before = pyvips.Image.uhdrload_buffer(source)
    for name in ("gainmap-max-content-boost", "gainmap-hdr-capacity-max", "gainmap-gamma"):
        assert close(shown.get(name), before.get(name), 0.05), name
    small = oracle.pixels_of(shown.get("gainmap-data"))
    assert small.shape[:2] == (100, 150)
    large = oracle.pixels_of(before.get("gainmap-data"))
    for share in (0.25, 0.75):
        rows = [float(array[int(share * array.shape[0]), array.shape[1] // 2, 0]) for array in (small, large)]
        assert close(rows[0], rows[1], 6)


def test_a_gain_map_is_left_behind_where_it_would_be_wrong() -> None:
    source = ultra_hdr()
    for changed in (
        plan(300, 200, "webp"),
        plan(100, 200, "jpeg", resize_width=300),
        plan(300, 200, "jpeg", blur=3.0),
        plan(300, 300, "jpeg", resize_height=200),
    ):
        assert b"21496" not in steps.render(source, changed, LIMITS)


def test_a_broken_gain_map_costs_only_itself() -> None:
    source = bytearray(ultra_hdr())
    second = source.rindex(b"\xff\xd8\xff")
    source[second : second + 200] = b"\0" * 200
    body = steps.render(bytes(source), plan(300, 200, "jpeg"), LIMITS)
    assert oracle.pixels_of(body).shape == (200, 300, 3)
