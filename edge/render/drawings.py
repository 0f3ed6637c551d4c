"""How much an SVG draws: a kilobyte of references to references can be a million elements.

The rule of this file: references are counted before anything is drawn, and a drawing that repeats its elements too
often is refused. What is no XML is left to librsvg, which refuses it. Sources: SVG 2 §5.6 (use), §3.5 (url references).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.parsers import expat

from edge.render.containers import Bytes
from edge.render.errors import TooLarge

MOST_REPEATED = 50_000
"""Elements that come about by references. librsvg draws 500,000 before it gives up, in 2 to 5 s of CPU."""
_FEW = 20
"""As many references make no bomb; the usual drawing is not read twice."""
_REFERENCE = re.compile(rb"href|url\(")
_TARGET = re.compile(r"url\(\s*['\"]?#([^'\")\s]+)")


class _Part:
    """An element with an id and all within it, up to the next ones with an id: those and references are `uses`."""

    def __init__(self) -> None:
        self.elements = 0
        self.uses: list[str | _Part] = []


def check(data: Bytes) -> None:
    """Raises TooLarge for a drawing whose references repeat more than MOST_REPEATED elements."""
    if sum(1 for _ in zip(_REFERENCE.finditer(data), range(_FEW), strict=False)) < _FEW:
        return
    whole = _Part()
    named: dict[str, _Part] = {}
    opened = [whole]
    elements = 0

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal elements
        elements += 1
        part = opened[-1]
        if "id" in attributes:
            inner = named.setdefault(attributes["id"], _Part())
            part.uses.append(inner)
            part = inner
        opened.append(part)
        part.elements += 1
        for key, value in attributes.items():
            if key in ("href", "xlink:href") and value.startswith("#") and name.rpartition(":")[2] == "use":
                part.uses.append(value[1:])
            elif "url(" in value:
                part.uses += _TARGET.findall(value)

    def end(_name: str) -> None:
        opened.pop()

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(bytes(data), True)
        drawn = _drawn(whole, named, {})
    except expat.ExpatError:
        return
    except RecursionError:
        raise TooLarge("an SVG of references nested too deep") from None
    if drawn - elements > MOST_REPEATED:
        raise TooLarge(f"an SVG whose {elements} elements are {drawn} when drawn")


def _drawn(part: _Part, named: Mapping[str, _Part], known: dict[int, int]) -> int:
    """How many elements a part draws; one that refers to itself draws itself once."""
    if id(part) not in known:
        known[id(part)] = 0
        uses = (named.get(use) if isinstance(use, str) else use for use in part.uses)
        known[id(part)] = part.elements + sum(_drawn(use, named, known) for use in uses if use is not None)
    return known[id(part)]
