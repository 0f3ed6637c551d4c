"""The query grammar of media sites: one table that makes the parser, the documentation and the tests.

The rule of this file: a parameter is a row of GRAMMAR. Names that are not in it are nothing; a value its row does not
allow, or a name given twice, is a BadParameter. Two queries that mean the same have the same `canonical()`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

Gravity = tuple[float, float] | None
"""Where to crop or place: a focal point in fractions of width and height, or None for the most interesting part."""

CENTER: Final = (0.5, 0.5)
OUTPUT_FORMATS: Final = ("avif", "webp", "jpeg", "png", "gif")
TEXT_PLACEHOLDERS: Final = ("blurhash", "thumbhash", "color")
"""Formats of a few characters of text, to be shown until the picture is there."""
JSON_PLACEHOLDERS: Final = tuple(f"{name}.json" for name in TEXT_PLACEHOLDERS)
"""The same as JSON: what a URL's format becomes for a client that names application/json; no URL names these."""
PLACEHOLDERS: Final = (*TEXT_PLACEHOLDERS, *JSON_PLACEHOLDERS)
AUTO: Final = -1
"""The quality that is chosen for each picture."""
_MAX_BLUR = 100
_ECHO = 100  # characters of a bad value that go back to the client


class BadParameter(ValueError):
    """A known parameter with a value that is not allowed: 400."""

    def __init__(self, parameter: str, value: str, allowed: str) -> None:
        self.parameter = parameter
        self.value = value if len(value) <= _ECHO else value[:_ECHO] + "…"
        self.allowed = allowed
        super().__init__(f"{parameter}={self.value}: must be {allowed}")


@dataclass(frozen=True, slots=True)
class Variant:
    """What a URL asks for. `Variant()` asks for nothing.

    width, height, blur: in pixels of the rendering, dpr already multiplied in; 0 is not given. fit: "contain",
    "cover", "fill" or "pad" ("inside" is another name of "contain"). format: "auto", "original" or one of
    OUTPUT_FORMATS and PLACEHOLDERS. quality: 1–100 on JPEG's scale, AUTO, or 0 for not given. background: "rrggbb" or
    "rrggbbaa", empty is none.
    """

    width: int = 0
    height: int = 0
    fit: str = "contain"
    gravity: Gravity = CENTER
    format: str = "auto"
    quality: int = 0
    background: str = ""
    blur: float = 0.0
    enlarge: bool = False
    by_hints: bool = False
    """The URL asks for nothing: all of it comes from client hints, and may be left out."""

    @property
    def names_format(self) -> bool:
        """Whether the URL says what comes out, whatever the source is and the client accepts."""
        return self.format not in ("auto", "original")

    @property
    def changes(self) -> bool:
        """Whether the URL asks for more than the stored bytes or what negotiation picks of itself."""
        return not self.by_hints and self not in (_NOTHING, _ORIGINAL)

    def canonical(self) -> str:
        """One string for one meaning, such as `fit=cover&format=webp&h=200&w=300`; empty for `Variant()`."""
        given = {
            "bg": self.background,
            "blur": f"{self.blur:g}" if self.blur else "",
            "enlarge": "1" if self.enlarge else "",
            "fit": "" if self.fit == "contain" else self.fit,
            "format": "" if self.format == "auto" else self.format,
            "gravity": "" if self.gravity == CENTER else _gravity_text(self.gravity),
            "h": str(self.height or ""),
            "hints": "1" if self.by_hints else "",
            "quality": "auto" if self.quality == AUTO else str(self.quality or ""),
            "w": str(self.width or ""),
        }
        return "&".join(f"{name}={text}" for name, text in given.items() if text)


_NOTHING = Variant()
_ORIGINAL = Variant(format="original")


def _gravity_text(gravity: Gravity) -> str:
    return "smart" if gravity is None else f"fp:{gravity[0]:g},{gravity[1]:g}"


# Readers: the value that a text means, or None where it is not allowed.

_COMPASS: Mapping[str, tuple[float, float]] = {
    "center": CENTER,
    "centre": CENTER,
    "n": (0.5, 0.0),
    "north": (0.5, 0.0),
    "ne": (1.0, 0.0),
    "northeast": (1.0, 0.0),
    "e": (1.0, 0.5),
    "east": (1.0, 0.5),
    "se": (1.0, 1.0),
    "southeast": (1.0, 1.0),
    "s": (0.5, 1.0),
    "south": (0.5, 1.0),
    "sw": (0.0, 1.0),
    "southwest": (0.0, 1.0),
    "w": (0.0, 0.5),
    "west": (0.0, 0.5),
    "nw": (0.0, 0.0),
    "northwest": (0.0, 0.0),
}
_FITS = {"contain": "contain", "inside": "contain", "cover": "cover", "fill": "fill", "pad": "pad"}
_FORMATS = {"auto": "auto", "original": "original", "jpg": "jpeg"} | {
    name: name for name in (*OUTPUT_FORMATS, *TEXT_PLACEHOLDERS)
}
_COLOURS = {"white": "ffffff", "black": "000000", "transparent": ""}
_SWITCH = {"0": False, "1": True}

_WHOLE = re.compile(r"[0-9]{1,9}")
_DECIMAL = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,4})?")
_FRACTION = r"(0(?:\.[0-9]{1,6})?|1(?:\.0{1,6})?|\.[0-9]{1,6})"
_FOCUS = re.compile(rf"fp:{_FRACTION},{_FRACTION}")
_HEX = re.compile(r"#?([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")


def _whole(text: str, most: int) -> int | None:
    value = int(text) if _WHOLE.fullmatch(text) else 0
    return value if 1 <= value <= most else None


def _decimal(text: str, least: str, most: int) -> Decimal | None:
    value = Decimal(text) if _DECIMAL.fullmatch(text) else None
    return value if value is not None and Decimal(least) <= value <= most else None


def _gravity(text: str, _: int) -> Gravity | str:
    if match := _FOCUS.fullmatch(text):
        return round(float(match[1]), 3), round(float(match[2]), 3)
    return _COMPASS.get(text, text if text == "smart" else None)


def _quality(text: str, _: int) -> int | None:
    return AUTO if text == "auto" else _whole(text, 100)


def _background(text: str, _: int) -> str | None:
    match = _HEX.fullmatch(text)
    if match is None:
        return _COLOURS.get(text)
    digits = match[1] if len(match[1]) > 4 else "".join(digit * 2 for digit in match[1])
    alpha = digits[6:]
    return "" if alpha == "00" else digits[:6] if alpha == "ff" else digits  # transparent is as if none was given


class Parameter(NamedTuple):
    """One row of GRAMMAR."""

    name: str
    meaning: str
    allowed: str
    """For people; {max_side} stands for render.max_side."""
    default: str
    sample: str
    read: Callable[[str, int], Any]
    """(text, max_side) → value, or None where the text is not allowed. Texts come in lower case."""


_AUTO_FORMAT = "what the client's Accept names and the source's own format otherwise"

GRAMMAR: tuple[Parameter, ...] = (
    Parameter("w", "width in CSS pixels", "a whole number from 1 to {max_side}", "the source's", "640", _whole),
    Parameter("h", "height in CSS pixels", "a whole number from 1 to {max_side}", "the source's", "480", _whole),
    Parameter(
        "dpr",
        "device pixels for each CSS pixel: multiplies w, h and blur",
        "a number from 0.1 to 10",
        "1",
        "2",
        lambda text, _: _decimal(text, "0.1", 10),
    ),
    Parameter(
        "fit",
        "contain (also: inside) keeps the ratio within w × h; cover fills w × h and crops; fill stretches; "
        "pad is contain on a canvas of exactly w × h. With one of w and h the ratio is kept",
        "contain, inside, cover, fill or pad",
        "contain",
        "cover",
        lambda text, _: _FITS.get(text),
    ),
    Parameter(
        "gravity",
        "what cover keeps, and where pad places the picture",
        "center, n, ne, e, se, s, sw, w, nw, smart, or fp:X,Y with fractions from 0 to 1",
        "center",
        "fp:0.5,0.25",
        _gravity,
    ),
    Parameter(
        "format",
        f"format of the result; auto is {_AUTO_FORMAT}; blurhash, thumbhash (in Base64) and color (#rrggbb, the "
        "dominant one) are placeholders of a few characters of text, or JSON for a client that names application/json",
        "auto, avif, webp, jpeg, jpg, png, gif, original, blurhash, thumbhash or color",
        "auto",
        "webp",
        lambda text, _: _FORMATS.get(text),
    ),
    Parameter(
        "quality",
        "on JPEG's scale; the other formats are matched to it. auto chooses the number for each picture, so that all "
        "look alike",
        "a whole number from 1 to 100, or auto",
        "render.quality",
        "70",
        _quality,
    ),
    Parameter(
        "bg",
        "background of pad, and what shows through where the picture is transparent",
        "a colour in hex such as fff, ffffff or ffffff80, or white, black or transparent",
        "white; transparent where the picture is and the format can be",
        "ffcc00",
        _background,
    ),
    Parameter(
        "blur",
        "blurs, by a radius (sigma) in CSS pixels",
        f"a number from 0 to {_MAX_BLUR}",
        "0",
        "5",
        lambda text, _: _decimal(text, "0", _MAX_BLUR),
    ),
    Parameter(
        "enlarge", "1 allows a result larger than the source", "0 or 1", "0", "1", lambda text, _: _SWITCH.get(text)
    ),
)
_ROWS = {row.name: row for row in GRAMMAR}


def parse(raw_query: str, max_side: int) -> Variant:
    """The variant that a raw query (without "?") asks for.

    max_side: the largest w × dpr and h × dpr (render.max_side). Raises BadParameter. Names and values are decoded as
    forms are (`+` is a space); words may be in upper case.
    """
    if not raw_query:
        return _NOTHING
    texts: dict[str, str] = {}
    values: dict[str, Any] = {}
    for pair in raw_query.split("&"):
        raw_name, _, raw_text = pair.partition("=")
        name, text = unquote_plus(raw_name), unquote_plus(raw_text)
        row = _ROWS.get(name)
        if row is None:
            continue
        if name in texts:
            raise BadParameter(name, text, "given once")
        texts[name] = text
        values[name] = row.read(text.lower(), max_side)
        if values[name] is None:
            raise BadParameter(name, text, row.allowed.format(max_side=max_side))
    return _resolved(values, texts, max_side) if values else _NOTHING


def _resolved(values: Mapping[str, Any], texts: Mapping[str, str], max_side: int) -> Variant:
    """The variant of the values: dpr multiplied in, and what has no effect beside the others left out."""
    dpr = values.get("dpr", Decimal(1))
    width, height = (_times(values.get(name, 0), dpr) for name in ("w", "h"))
    if max(width, height) > max_side:
        raise BadParameter("dpr", texts["dpr"], f"such that w × dpr and h × dpr are at most {max_side}")
    boxed = bool(width and height)
    fit = values.get("fit", "contain") if boxed else "contain"
    gravity = values.get("gravity", CENTER) if fit in ("cover", "pad") else CENTER
    if gravity == "smart":
        gravity = None if fit == "cover" else CENTER
    return Variant(
        width=width,
        height=height,
        fit=fit,
        gravity=gravity,
        format=values.get("format", "auto"),
        quality=values.get("quality", 0),
        background=values.get("bg", ""),
        blur=float(min(round(values.get("blur", Decimal(0)) * dpr, 2), _MAX_BLUR)),
        enlarge=bool(width or height) and values.get("enlarge", False),
    )


def _times(side: int, dpr: Decimal) -> int:
    """side × dpr in whole pixels, halves up; at least 1 where a side was given."""
    return max(int((side * dpr).to_integral_value(ROUND_HALF_UP)), min(side, 1))


def table_markdown() -> str:
    """The grammar as a Markdown table, for the documentation."""
    rows = (
        f"| `{row.name}` | {row.meaning} | {row.allowed.format(max_side='render.max_side')} | {row.default} "
        f"| `?{row.name}={row.sample}` |"
        for row in GRAMMAR
    )
    return "\n".join(("| parameter | meaning | allowed | default | example |", "|---|---|---|---|---|", *rows)) + "\n"
