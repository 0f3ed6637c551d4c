"""What bytes are, where an upstream says nothing about it or something else (Synapse's media have neither name nor
type).

The rule of this file: only pictures of pixels, films and sound are ever recognised. Nothing here can become a document
that runs (HTML, SVG, PDF, scripts), and a type that an upstream names is only corrected from one picture to another;
`nosniff` is sent all the same, so no browser guesses further (WHATWG mimesniff §6).
"""

from __future__ import annotations

import re
from typing import Final

from edge.policy.hygiene import VAGUE
from wire.fields import media_type

LOOKED_AT: Final = 512
"""How many bytes from the start are enough."""

# The first row that matches counts.
_PICTURES: Final = (
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("image/avif", re.compile(rb"....ftyp(?:avi[fs]|mif1.{4}(?:[ -~]{4})*?avif)", re.DOTALL)),
    ("image/heic", re.compile(rb"....ftyp(?:hei[cxms]|hev[cx]|m[is]f1.{4}(?:[ -~]{4})*?hei[cx])", re.DOTALL)),
    ("image/jxl", re.compile(rb"\0\0\0\x0cJXL \r\n\x87\n")),
    ("image/tiff", re.compile(rb"II\*\0|MM\0\*")),
)
_FILMS_AND_SOUND: Final = (
    ("audio/mp4", re.compile(rb"....ftypM4[AB]", re.DOTALL)),
    ("video/quicktime", re.compile(rb"....ftypqt  ", re.DOTALL)),
    ("video/mp4", re.compile(rb"....ftyp(?:iso[2-9m]|mp4[12]|avc1|M4V|dash|f4v |MSNV|3g[p2])", re.DOTALL)),
    ("video/webm", re.compile(rb"\x1a\x45\xdf\xa3.{0,48}\x42\x82.?.?.?.?.?.?.?.?webm", re.DOTALL)),
    ("video/x-matroska", re.compile(rb"\x1a\x45\xdf\xa3.{0,48}\x42\x82.?.?.?.?.?.?.?.?matroska", re.DOTALL)),
    ("video/ogg", re.compile(rb"OggS.{22,280}\x80theora", re.DOTALL)),
    ("audio/ogg", re.compile(rb"OggS")),
    ("audio/flac", re.compile(rb"fLaC")),
    ("audio/wav", re.compile(rb"RIFF....WAVE", re.DOTALL)),
    ("audio/mpeg", re.compile(rb"ID3[\x02-\x04]")),
)

_OTHER_NAMES: Final = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/apng": "image/png"}
_CORRECTED: Final = frozenset(name for name, _ in _PICTURES) | _OTHER_NAMES.keys() | {"image/svg+xml"}


def worth_a_look(content_type: str) -> bool:
    """Whether the first bytes can say more than this content type (that of hygiene.effective_type) does."""
    return media_type(content_type) in VAGUE | _CORRECTED


def by_content(content_type: str, head: bytes) -> str:
    """The content type of a body that begins with `head` (LOOKED_AT bytes, or all there are).

    A vague type becomes that of any row, the type of a picture that of another picture; everything else stays.
    """
    said = media_type(content_type)
    rows = _PICTURES + _FILMS_AND_SOUND if said in VAGUE else _PICTURES if said in _CORRECTED else ()
    found = next((name for name, magic in rows if magic.match(head)), None)
    return content_type if found is None or found == _OTHER_NAMES.get(said, said) else found
