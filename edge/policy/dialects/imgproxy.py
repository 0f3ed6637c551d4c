"""imgproxy's URLs: `/signature/option:argument…/…/plain/source@extension`, or the source in URL-safe Base64
(imgproxy's documentation, "Processing an image" and "Signing the URL").

The rule of this file: OPTIONS is all that is understood; any other option is refused by name.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from itertools import zip_longest
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

_TYPES: Final = {"fit": "contain", "fill": "cover", "fill-down": "cover", "force": "fill", "": ""}
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False", ""})
_GRAVITIES: Final = {
    "ce": "center",
    "no": "n",
    "noea": "ne",
    "ea": "e",
    "soea": "se",
    "so": "s",
    "sowe": "sw",
    "we": "w",
    "nowe": "nw",
    "sm": "smart",
    "": "",
}


def _type(wanted: Wanted, name: str, arguments: list[str]) -> None:
    text = arguments[0] if len(arguments) == 1 else ":".join(arguments)
    if text not in _TYPES:
        raise BadParameter(name, text, "fit, fill, fill-down or force")
    wanted.set("fit", name, _TYPES[text])


def _enlarge(wanted: Wanted, name: str, arguments: list[str]) -> None:
    wanted.set("enlarge", name, "1" if _switch(name, arguments) else "")


def _extend(wanted: Wanted, name: str, arguments: list[str]) -> None:
    if _switch(name, arguments[:1]):
        if wanted.given.get("fit", ("", "contain"))[1] not in ("contain", "pad"):
            raise BadParameter(name, ":".join(arguments), "with the resizing type fit")
        wanted.set("fit", name, "pad")
        if arguments[1:]:
            _gravity(wanted, name, arguments[1:])


def _switch(name: str, arguments: list[str]) -> bool:
    text = arguments[0] if len(arguments) == 1 else ":".join(arguments)
    if text not in _TRUE | _FALSE:
        raise BadParameter(name, text, "1 or 0")
    return text in _TRUE


def _gravity(wanted: Wanted, name: str, arguments: list[str]) -> None:
    kind, *rest = arguments
    if kind == "fp" and len(rest) == 2:
        wanted.set("gravity", name, f"fp:{rest[0]},{rest[1]}")
    elif kind in _GRAVITIES and all(text in ("", "0", "0.0") for text in rest) and len(rest) <= 2:
        wanted.set("gravity", name, _GRAVITIES[kind])
    else:
        raise BadParameter(name, ":".join(arguments), "no, so, ea, we, noea, … or ce without offsets, sm, or fp:X:Y")


def _background(wanted: Wanted, name: str, arguments: list[str]) -> None:
    text = arguments[0]
    if len(arguments) == 3:
        if not all(part.isascii() and part.isdigit() and int(part) <= 255 for part in arguments):
            raise BadParameter(name, ":".join(arguments), "R:G:B with numbers from 0 to 255, or a colour in hex")
        text = "".join(f"{int(part):02x}" for part in arguments)
    elif len(arguments) != 1:
        raise BadParameter(name, ":".join(arguments), "R:G:B or a colour in hex")
    wanted.set("bg", name, text)


def _several(*names: str) -> Option:
    """An option whose arguments are those of other options, in this order; the last may take all that is left."""

    def read(wanted: Wanted, name: str, arguments: list[str]) -> None:
        if len(arguments) > len(names) and names[-1] != "ex":
            raise BadParameter(name, ":".join(arguments), f"at most {len(names)} values")
        own, left = arguments[: len(names)], arguments[len(names) :]
        for option, text in zip_longest(names, own):
            if text:
                OPTIONS[option](wanted, name, [text, *left] if option == "ex" else [text])

    return read


OPTIONS: Final[Mapping[str, Option]] = {
    **dict.fromkeys(("resize", "rs"), _several("rt", "w", "h", "el", "ex")),
    **dict.fromkeys(("size", "s"), _several("w", "h", "el", "ex")),
    **dict.fromkeys(("resizing_type", "rt"), _type),
    **dict.fromkeys(("width", "w"), direct("w")),
    **dict.fromkeys(("height", "h"), direct("h")),
    "dpr": direct("dpr"),
    **dict.fromkeys(("enlarge", "el"), _enlarge),
    **dict.fromkeys(("extend", "ex"), _extend),
    **dict.fromkeys(("gravity", "g"), _gravity),
    **dict.fromkeys(("quality", "q"), direct("quality")),
    **dict.fromkeys(("format", "f", "ext"), direct("format")),
    **dict.fromkeys(("blur", "bl"), direct("blur")),
    **dict.fromkeys(("background", "bg"), _background),
    **dict.fromkeys(("strip_metadata", "sm"), ignored(*sorted(_TRUE))),
    **dict.fromkeys(("auto_rotate", "ar"), ignored(*sorted(_TRUE))),
    **dict.fromkeys(("cachebuster", "cb"), ignored()),
}


def read(raw_path: str, rules: Rules, max_side: int) -> Reading:
    """What a URL means. raw_path: within the site. Raises BadParameter, BadSignature."""
    signature, slash, rest = raw_path[1:].partition("/")
    if not rules.unsigned and not signed(
        signature, slash + rest, rules.key, rules.salt, rules.signature_size, "sha256"
    ):
        raise BadSignature("the URL's signature is not that of the site's key and salt")
    parts = segments(slash + rest)
    wanted = Wanted()
    # What has no colon begins the source; a plain one may hold colons itself.
    while len(parts) > 1 and parts[0] != "plain" and ":" in unquote(parts[0]):
        name, *arguments = unquote(parts.pop(0)).split(":")
        read_option(OPTIONS, wanted, name, arguments)
    text, extension = _plain(parts[1:]) if parts[0] == "plain" else _encoded(parts)
    if extension:
        wanted.set("format", "extension", extension)
    return Reading(source(text, rules), wanted.variant(max_side))


def _plain(parts: list[str]) -> tuple[str, str]:
    text, _, extension = "/".join(parts).partition("@")
    return unquote(text), unquote(extension)


def _encoded(parts: list[str]) -> tuple[str, str]:
    if parts[0] == "enc":
        raise BadParameter("enc", "", NOT_SUPPORTED)
    text, _, extension = "".join(parts).partition(".")
    try:
        return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)).decode(), unquote(extension)
    except ValueError:
        raise BadParameter("source", text, "a source in URL-safe Base64, or plain/ and a source") from None
