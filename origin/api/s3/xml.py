"""S3's XML: reading it within limits, writing it.

The rule of this file: a document that declares a type or an entity is refused before anything is expanded, and
depth, number of elements and size are bounded, so a document costs what it weighs. Namespaces and prefixes are
taken off: S3 clients send them or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from wire.refusals import Refusal

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
PROLOG = b'<?xml version="1.0" encoding="UTF-8"?>\n'

MAX_DEPTH = 16
MAX_ELEMENTS = 100_000

Value = str | int | bool | None | Sequence["Item"]
Item = tuple[str, Value]

_ESCAPES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    **{chr(code): f"&#x{code:X};" for code in range(0x20) if chr(code) not in "\t\n"},
}
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_TO_ESCAPE = re.compile("[" + "".join(re.escape(char) for char in _ESCAPES) + "]")


@dataclass(slots=True)
class Element:
    """One element: its local name, attributes by local name, text and children."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if child.name == name)

    def find(self, name: str) -> Element | None:
        """The first child of that name."""
        return next(self.all(name), None)

    def value(self, name: str) -> str | None:
        """The text of the first child of that name, without white space around it."""
        child = self.find(name)
        return None if child is None else child.text.strip()

    def require(self, name: str) -> str:
        """The text of the first child of that name as it stands. Raises Refusal (MalformedXML) without one."""
        child = self.find(name)
        if child is None:
            raise malformed()
        return child.text


def integer(text: str | None) -> int | None:
    """A number in an element; None where there is no element. Raises Refusal (MalformedXML)."""
    if text is None:
        return None
    if _INTEGER.fullmatch(text) is None:
        raise malformed()
    return int(text)


def malformed() -> Refusal:
    """The refusal of a document that is not what the operation takes."""
    return Refusal(
        "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
    )


def parse(data: bytes, root: str) -> Element:
    """The document's root element, which must have the local name `root`. Raises Refusal (MalformedXML)."""
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except (expat.ExpatError, UnicodeError, LookupError) as error:
        raise malformed() from error
    if reader.root is None or reader.root.name != root:
        raise malformed()
    return reader.root


class _Reader:
    """Builds the tree from expat's events."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise malformed()
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].text += text

    def _refuse(self, *_: object) -> None:
        raise malformed()


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def document(root: str, items: Iterable[Item], *, namespace: str | None = NAMESPACE) -> bytes:
    """A whole document: prolog, root element in S3's namespace, children."""
    return PROLOG + element(root, items, namespace=namespace)


def element(root: str, items: Iterable[Item] | str, *, namespace: str | None = NAMESPACE) -> bytes:
    """The root element alone, for an answer whose prolog has been sent already."""
    opening = root if namespace is None else f'{root} xmlns="{namespace}"'
    content = escape(items) if isinstance(items, str) else "".join(_write(items))
    return f"<{opening}>{content}</{root}>".encode("utf-8", "surrogatepass")


def escape(text: str) -> str:
    """Text for an element. Control characters become character references, as in AWS's listings."""
    return _TO_ESCAPE.sub(lambda match: _ESCAPES[match[0]], text)


def _write(items: Iterable[Item]) -> Iterator[str]:
    """Elements in order; None is left out, a tag may carry attributes after its name."""
    for tag, value in items:
        if value is None:
            continue
        if isinstance(value, bool):
            content = "true" if value else "false"
        elif isinstance(value, str | int):
            content = escape(str(value))
        else:
            content = "".join(_write(value))
        yield f"<{tag}>{content}</{tag.partition(' ')[0]}>"
