"""thumbor's URLs: `/unsafe|signature/fit-in/WxH/halign/valign/smart/filters:…/source` (thumbor's documentation,
"Usage" and "Security").

The rule of this file: the parts come in thumbor's order; FILTERS is all that is understood of filters, and every other
part or filter is refused by name. As there, a picture is enlarged unless `no_upscale()` or fit-in says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from edge.policy.dialects.reading import (
    NOT_SUPPORTED,
    BadSignature,
    Option,
    Reading,
    Rules,
    Wanted,
    direct,
    ignored,
    read_option,
    segments,
    signed,
    source,
)
from edge.policy.variant import BadParameter

_SIZE: Final = re.compile(r"([0-9]*)x([0-9]*)")
_ACROSS: Final = {"left": "w", "center": "", "right": "e"}
_DOWN: Final = {"top": "n", "middle": "", "bottom": "s"}
_REFUSED: Final = re.compile(
    r"meta|debug|trim(?::.*)?|[0-9]+x[0-9]+:[0-9]+x[0-9]+|(?:full-|adaptive-)+fit-in|-?[0-9a-z]*x-?[0-9a-z]*"
)
_FILTER: Final = re.compile(r":?([a-z_]+)\(([^()]*)\)")


def _colour(wanted: Wanted, name: str, arguments: list[str]) -> None:
    if arguments[0] in ("auto", "blur") or len(arguments) > 2:
        raise BadParameter(name, ",".join(arguments), "a colour")
    wanted.set("bg", name, arguments[0])


def _fill(wanted: Wanted, name: str, arguments: list[str]) -> None:
    _colour(wanted, name, arguments)
    wanted.set("fit", name, "pad")


def _blur(wanted: Wanted, name: str, arguments: list[str]) -> None:
    """Radius and sigma; without a sigma the radius stands for it."""
    if len(arguments) > 2:
        raise BadParameter(name, ",".join(arguments), "a radius, or a radius and a sigma")
    wanted.set("blur", name, "" if arguments[-1] == "0" else arguments[-1])


def _enlarge(text: str) -> Option:
    def read(wanted: Wanted, name: str, arguments: list[str]) -> None:
        ignored("")(wanted, name, arguments)
        wanted.set("enlarge", name, text)

    return read


FILTERS: Final[Mapping[str, Option]] = {
    "quality": direct("quality"),
    "format": direct("format"),
    "blur": _blur,
    "fill": _fill,
    "background_color": _colour,
    "no_upscale": _enlarge(""),
    "upscale": _enlarge("1"),
    "strip_exif": ignored(""),
}


def read(raw_path: str, rules: Rules, max_side: int) -> Reading:
    """What a URL means. raw_path: within the site. Raises BadParameter, BadSignature."""
    first, _, rest = raw_path[1:].partition("/")
    if first == "unsafe":
        if not rules.unsigned:
            raise BadSignature("this site answers signed URLs alone")
    elif not any(signed(unquote(first), text, rules.key, b"", 20, "sha1") for text in (rest, unquote(rest))):
        raise BadSignature("the URL's signature is not that of the site's key")
    parts = segments(f"/{rest}")
    wanted = Wanted()
    fits_in = _take(parts, "fit-in")
    size = _SIZE.fullmatch(parts[0])
    if size is None and (_REFUSED.fullmatch(unquote(parts[0])) and len(parts) > 1):
        raise BadParameter(unquote(parts[0]), "", NOT_SUPPORTED)
    if size is not None and len(parts) > 1:
        _sized(wanted, parts.pop(0), fits_in)
    across = _ACROSS[parts.pop(0)] if parts[0] in _ACROSS and len(parts) > 1 else ""
    down = _DOWN[parts.pop(0)] if parts[0] in _DOWN and len(parts) > 1 else ""
    wanted.set("gravity", "align", "smart" if _take(parts, "smart") else down + across)
    if unquote(parts[0]).startswith("filters:"):
        _filtered(wanted, parts)
        if wanted.given.get("fit", ("", ""))[1] == "pad" and not fits_in:
            wanted.set("fit", "fill", "cover")  # there is nothing to fill
    if not parts:
        raise BadParameter("source", "", "given")
    return Reading(source(unquote("/".join(parts)), rules), wanted.variant(max_side))


def _take(parts: list[str], word: str) -> bool:
    """Whether a part is there, which is taken away."""
    found = len(parts) > 1 and parts[0] == word
    if found:
        del parts[0]
    return found


def _sized(wanted: Wanted, text: str, fits_in: bool) -> None:
    width, height = (side.lstrip("0") for side in text.split("x"))
    wanted.set("w", text, width)
    wanted.set("h", text, height)
    if not fits_in:
        wanted.set("fit", text, "cover")
        wanted.set("enlarge", text, "1")


def _filtered(wanted: Wanted, parts: list[str]) -> None:
    """Read the filters, whose arguments may hold slashes, and take their parts away."""
    text = unquote(parts.pop(0))
    while not text.endswith(")") and len(parts) > 1:
        text += "/" + unquote(parts.pop(0))
    text, at = text.removeprefix("filters:"), 0
    while at < len(text):
        match = _FILTER.match(text, at)
        if match is None:
            raise BadParameter("filters", text[at:], "name(arguments), joined by colons")
        read_option(FILTERS, wanted, match[1], [part.strip() for part in match[2].split(",")])
        at = match.end()
