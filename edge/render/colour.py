"""Colour: what an ICC profile is, the space pixels are resized in, and the space they leave in.

The rule of this file: only here is anything converted. Pictures are resized in *linear light* (libvips' scRGB, floats)
where that is affordable, in 8-bit gamma space otherwise; both undo the sRGB curve, which is Display-P3's as well and
near enough to AdobeRGB's for averaging neighbours. What the numbers mean (the profile) is settled after the resize,
on the few pixels that are left.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import Any

import pyvips

from edge.render import kinds

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

LINEAR_PIXELS = 4_000_000
"""The most decoded pixels, all frames together, that are always resized in linear light. With steps.HEADROOM every
JPEG of camera shape reduced to 800 px is within this."""

LINEAR_ROWS = 2_500_000
"""As many pixels as are left when the rows have been reduced, before the columns are, may go through linear light
however many are decoded: that is what it costs, 70 ms a megapixel more than gamma space and nothing for the decoded
ones. 24 megapixels: 135 ms more at 500 px (2.0 of these), 360 at 1280 px (5.1); 2-core x86-64 virtual machine,
2026-11-20. It scores 8 to 10 SSIMULACRA2 points more at 500 px."""

PROFILE_FIELD = "icc-profile-data"


class Profile(StrEnum):
    """What a picture's colour profile says its numbers mean."""

    SRGB = "srgb"
    """sRGB, said or unsaid; a profile that cannot be read counts as unsaid."""
    P3 = "p3"
    """Display-P3."""
    RGB = "rgb"
    """Any other RGB: AdobeRGB, ProPhoto, a monitor's own."""
    GREY = "grey"
    CMYK = "cmyk"


_SPACES = {b"RGB ": Profile.RGB, b"GRAY": Profile.GREY, b"CMYK": Profile.CMYK}
_COLORANTS = {
    Profile.SRGB: (0.4361, 0.2225, 0.0139, 0.3851, 0.7169, 0.0971, 0.1431, 0.0606, 0.7141),
    Profile.P3: (0.5151, 0.2412, -0.0011, 0.2920, 0.6922, 0.0419, 0.1571, 0.0666, 0.7841),
}
"""Red, green and blue in XYZ under D50: IEC 61966-2-1 and SMPTE EG 432-1, adapted as ICC.1 Annex E says."""
_COLORANT_TOLERANCE = 0.004
"""Profiles of the same space differ in the third digit, different spaces in the second."""
_CURVE = ((0.1, 0.0100, 0.0015), (0.5, 0.2140, 0.006))
"""Points of the sRGB curve (IEC 61966-2-1), and how far off a profile of it may be. Gamma 2.2 has 0.0063 at the first:
a third darker in the shadows; gamma 1.8 has 0.287 at the second."""


def read_profile(data: bytes) -> Profile:
    """What this ICC profile (ICC.1:2022 §7) describes; SRGB where it is broken. Raises nothing."""
    if len(data) < 132 or data[36:40] != b"acsp" or struct.unpack(">I", data[:4])[0] > len(data):
        return Profile.SRGB
    space = _SPACES.get(data[16:20], Profile.SRGB)
    if space is not Profile.RGB:
        return space
    try:
        tags = _tags(data)
        if b"A2B0" in tags:  # a table, which counts more than what follows
            return Profile.RGB
        colorants = [number for name in (b"rXYZ", b"gXYZ", b"bXYZ") for number in _xyz(tags[name])]
        curve = tags[b"gTRC"]
        srgb_curve = all(abs(_curve_at(curve, x) - light) <= tolerance for x, light, tolerance in _CURVE)
    except (KeyError, IndexError, struct.error):
        return Profile.RGB
    if srgb_curve:
        for profile, wanted in _COLORANTS.items():
            if all(abs(a - b) <= _COLORANT_TOLERANCE for a, b in zip(colorants, wanted, strict=True)):
                return profile
    return Profile.RGB


def intent_of(image: Image) -> str:
    """The rendering intent by which an image's profile can be read: relative, unless all it has is a table for
    perceptual (libvips takes a profile that lacks what it is asked for for none)."""
    data = kinds.field(image, PROFILE_FIELD, b"")
    try:
        tags = _tags(data)
    except struct.error:
        return "relative"
    return "perceptual" if b"A2B0" in tags and b"A2B1" not in tags else "relative"


def _tags(data: bytes) -> dict[bytes, bytes]:
    count = min(struct.unpack_from(">I", data, 128)[0], 100)
    rows = (struct.unpack_from(">4sII", data, 132 + 12 * number) for number in range(count))
    return {name: data[offset : offset + size] for name, offset, size in rows}


def _xyz(tag: bytes) -> tuple[float, float, float]:
    x, y, z = struct.unpack_from(">iii", tag, 8)
    return x / 65536, y / 65536, z / 65536


def _curve_at(tag: bytes, x: float) -> float:
    """The light of a device value (both 0 … 1): `curv` as gamma or table, `para` of the kinds 0 to 4 (ICC.1 §10.18)."""
    if tag[:4] == b"curv":
        count = struct.unpack_from(">I", tag, 8)[0]
        if count == 0:
            return x
        if count == 1:
            return float(x ** (struct.unpack_from(">H", tag, 12)[0] / 256))
        at, between = int(x * (count - 1)), x * (count - 1) % 1
        low, high = (number / 65535 for number in struct.unpack_from(">HH", tag, 12 + 2 * at))
        return float(low + (high - low) * between)
    kind = struct.unpack_from(">H", tag, 8)[0]
    gamma = struct.unpack_from(">i", tag, 12)[0] / 65536
    a, b = (number / 65536 for number in struct.unpack_from(">ii", tag, 16)) if kind else (1.0, 0.0)
    if not 0 < gamma < 10:
        return 0.0
    if kind >= 3:
        c, d = (number / 65536 for number in struct.unpack_from(">ii", tag, 24))
        if x < d:
            return float(c * x)
    return float(max(0.0, a * x + b) ** gamma)


def profile_of(image: Image) -> Profile:
    """The meaning of an image's numbers, by its profile and, where that contradicts its bands, by its bands."""
    profile = read_profile(kinds.field(image, PROFILE_FIELD, b""))
    if image.interpretation == "cmyk":
        return Profile.CMYK
    grey = image.interpretation in ("b-w", "grey16")
    if profile is Profile.CMYK or (profile is Profile.GREY) != grey:
        return Profile.SRGB
    return profile


def to_rgb(image: Image, profile: Profile) -> Image:
    """sRGB numbers from CMYK or from grey with a profile (libvips icc_transform, the embedded profile first)."""
    fallback = "cmyk" if profile is Profile.CMYK else "srgb"
    intent = intent_of(image)
    return without_profile(image.icc_transform("srgb", embedded=True, input_profile=fallback, intent=intent))


def linear_is_affordable(sizes: list[tuple[int, int]], height: int) -> bool:
    """Whether frames of these (width, height) should be resized to this height in linear light."""
    decoded = sum(width * tall for width, tall in sizes)
    return decoded <= LINEAR_PIXELS or sum(width for width, _ in sizes) * height <= LINEAR_ROWS


def as_p3(image: Image) -> Image:
    """The same numbers, saying that they are Display-P3."""
    tagged = image.copy()
    tagged.set_type(pyvips.GValue.blob_type, PROFILE_FIELD, pyvips.Operation.call("profile_load", "p3"))
    return tagged


def to_linear(image: Image) -> Image:
    """Linear light: libvips colourspace scrgb, 0 … 1 floats, alpha too."""
    return image.colourspace("scrgb")


def to_display(image: Image, grey: bool) -> Image:
    """8 bits a band with the sRGB curve (libvips colourspace srgb, or b-w for grey pictures)."""
    return image.colourspace("b-w" if grey else "srgb")


def to_output(image: Image, profile: Profile, keep: bool) -> Image:
    """Display numbers in the space the picture leaves in: sRGB without a profile, or Display-P3 with one.

    keep: the client understands profiles. Display-P3 is kept as it is, every other RGB becomes Display-P3, which
    holds all that a screen can show; without keep everything becomes sRGB (libvips icc_transform, relative).
    """
    if profile is Profile.SRGB:
        return without_profile(image)
    if keep and profile is Profile.P3:
        return image
    target = "p3" if keep else "srgb"
    moved = image.icc_transform(target, embedded=True, input_profile="srgb", intent=intent_of(image))
    return moved if keep else without_profile(moved)


def without_profile(image: Image) -> Image:
    """The same pixels saying nothing about their space, which means sRGB."""
    if not image.get_typeof(PROFILE_FIELD):
        return image
    bare = image.copy()
    bare.remove(PROFILE_FIELD)
    return bare


def background(hexadecimal: str, image: Image) -> tuple[float, float, float, float]:
    """The numbers (0 … 255) in this image's space for an sRGB colour written rrggbb or rrggbbaa; alpha comes last."""
    red, green, blue, alpha = bytes.fromhex(hexadecimal.ljust(8, "f"))
    if image.get_typeof(PROFILE_FIELD):
        pixel = pyvips.Image.black(1, 1, bands=3).linear(1, [red, green, blue], uchar=True).copy(interpretation="srgb")
        red, green, blue = pixel.icc_transform("p3", input_profile="srgb", intent="relative")(0, 0)
    return red, green, blue, alpha
