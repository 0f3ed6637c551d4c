"""pict-rs' URLs, as Lemmy asks them: `/image/original/{alias}` and `/image/process.{ext}?src={alias}&thumbnail=96`
(pict-rs' README, "API").

The rule of this file: PARAMETERS is all that is understood; any other parameter, and a crop after a resize, is refused
by name. Other paths name nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

from edge.policy.dialects.reading import (
    NOT_SUPPORTED,
    Option,
    Reading,
    Rules,
    Wanted,
    direct,
    ignored,
    read_option,
    source,
)
from edge.policy.variant import BadParameter, Variant

_FILTERS: Final = "lanczos|lanczos2|lanczossharp|lanczos2sharp|lanczos3|catmullrom|mitchell|robidouxsharp|triangle"
_RESIZE: Final = re.compile(rf"(?:(?:{_FILTERS})\.)?([0-9]{{1,5}})", re.IGNORECASE)
_CROP: Final = re.compile(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})")
_EXTENSIONS: Final = frozenset({"avif", "gif", "jpg", "jpeg", "png", "webp"})
_ORIGINAL: Final = Variant(format="original")


def _inside(wanted: Wanted, name: str, arguments: list[str]) -> None:
    """A square that the picture lies in; the filter makes no difference here."""
    match = _RESIZE.fullmatch(arguments[0])
    if match is None:
        raise BadParameter(name, arguments[0], "a number of pixels, after the name of a filter and a dot if need be")
    wanted.set("w", name, match[1])
    wanted.set("h", name, match[1])


def _crop(wanted: Wanted, name: str, arguments: list[str]) -> None:
    """A ratio, noted until the size is known."""
    if "w" in wanted.given or not _CROP.fullmatch(arguments[0]):
        raise BadParameter(name, arguments[0], "WIDTHxHEIGHT, before resize and thumbnail")
    wanted.set("fit", name, arguments[0])


PARAMETERS: Final[Mapping[str, Option]] = {
    "thumbnail": _inside,
    "resize": _inside,
    "crop": _crop,
    "blur": direct("blur"),
    "identity": ignored("true"),
}


def read(raw_path: str, raw_query: str, rules: Rules, max_side: int) -> Reading | None:
    """What a URL means; None for a path that is none of these. raw_path: within the site. Raises BadParameter."""
    pairs = parse_qsl(raw_query, keep_blank_values=True)
    if raw_path.startswith("/image/original"):
        alias = unquote(raw_path.removeprefix("/image/original").removeprefix("/")) or _alias(pairs)
        return Reading(source(alias, rules), _ORIGINAL)
    kind, _, extension = raw_path.rpartition(".")
    if kind != "/image/process":
        return None
    if extension not in _EXTENSIONS:
        raise BadParameter("extension", extension, " or ".join(sorted(_EXTENSIONS)))
    wanted = Wanted()
    wanted.set("format", "extension", extension)
    seen: set[str] = set()
    for name, text in pairs:
        if name in seen:
            raise BadParameter(name, text, "given once")
        seen.add(name)
        if name not in ("src", "alias"):
            read_option(PARAMETERS, wanted, name, [text])
    _cropped(wanted, max_side)
    return Reading(source(_alias(pairs), rules), wanted.variant(max_side))


def _alias(pairs: list[tuple[str, str]]) -> str:
    if any(name == "proxy" for name, _ in pairs):
        raise BadParameter("proxy", "", NOT_SUPPORTED)
    found = [text for name, text in pairs if name in ("src", "alias")]
    if len(found) != 1:
        raise BadParameter("src", "", "given once")
    return found[0]


def _cropped(wanted: Wanted, max_side: int) -> None:
    """Turn a noted ratio into the largest box of it: in the square, or of any size, which shrinks to the picture."""
    option, ratio = wanted.given.get("fit", ("", ""))
    if not ratio:
        return
    width, height = map(int, ratio.split("x"))
    side = min(int(wanted.given["w"][1]), max_side) if "w" in wanted.given else max_side
    longer = max(width, height)
    wanted.set("w", option, str(max(1, round(width * side / longer))))
    wanted.set("h", option, str(max(1, round(height * side / longer))))
    wanted.set("fit", option, "cover")
