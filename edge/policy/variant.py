"""The query grammar of media sites: one table that makes the parser, the documentation and the tests.

The rule of this file: a parameter is a row of GRAMMAR. Names that are not in it are nothing; a value its row does not
allow, or a name given twice, is a BadParameter. Two queries that mean the same have the same `canonical()`.
"""

from __future__ import annotations

from dataclasses import dataclass

Gravity = tuple[float, float] | None
"""Where to crop or place: a focal point in fractions of width and height, or None for the most interesting part."""


class BadParameter(ValueError):
    """A known parameter with a value that is not allowed: 400."""

    def __init__(self, parameter: str, value: str, allowed: str) -> None:
        self.parameter = parameter
        self.value = value
        self.allowed = allowed
        super().__init__(f"{parameter}={value}: must be {allowed}")


@dataclass(frozen=True, slots=True)
class Variant:
    """What a URL asks for. `Variant()` asks for no change.

    width, height, blur: in pixels of the rendering, dpr already multiplied in; 0 is not given. fit: "contain",
    "cover", "fill" or "pad" ("inside" is another name of "contain"). format: "auto", "original" or an output format
    ("avif", "webp", "jpeg", "png", "gif"). quality: 1–100 on JPEG's scale, 0 is auto. background: "rrggbb" or
    "rrggbbaa", empty is none.
    """

    width: int = 0
    height: int = 0
    fit: str = "contain"
    gravity: Gravity = (0.5, 0.5)
    format: str = "auto"
    quality: int = 0
    background: str = ""
    blur: float = 0.0
    enlarge: bool = False

    @property
    def changes(self) -> bool:
        """Whether the URL asks for anything but the stored bytes or what negotiation picks."""
        raise NotImplementedError

    def canonical(self) -> str:
        """One string for one meaning, such as `fit=cover&format=webp&h=200&w=300`; empty for no change."""
        raise NotImplementedError


def parse(raw_query: str, max_side: int) -> Variant:
    """The variant that a raw query (without "?") asks for.

    max_side: the largest w × dpr and h × dpr (render.max_side). Raises BadParameter.
    """
    raise NotImplementedError


def table_markdown() -> str:
    """The grammar as a Markdown table, for the documentation."""
    raise NotImplementedError
