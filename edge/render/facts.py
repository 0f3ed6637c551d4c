"""What a picture's header says, and the limits it must keep.

The rule of this file: nothing here decodes pixels. A picture over a limit is refused before any are.
"""

from __future__ import annotations

import msgspec

from edge.render import boxes, colour, drawings, gain_map, hdr, reel
from edge.render.boxes import Coding
from edge.render.containers import MOST_PACKED, Bytes, gif_blocks, packed_text, png_chunks
from edge.render.errors import TooLarge, TooManyFrames, TooManyPixels
from edge.render.kinds import Kind, field, load, reading

MAX_SIDE = 65_535
"""The most that JPEG and GIF can say; a PNG of one by 90 million pixels takes a minute to read line by line."""
_P3_PRIMARIES = 12
"""SMPTE EG 432-1 (ITU-T H.273 table 2)."""


class Limits(msgspec.Struct, frozen=True):
    """The settings of a renderer: render.max_pixels, render.max_frames and render.memory (bytes)."""

    max_pixels: int
    max_frames: int
    memory: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The header of a source."""

    format: str
    """A name of edge.render.kinds.KINDS."""
    content_type: str
    width: int
    """Of the stored raster and of one frame, before orientation; for an SVG, its size at 96 dpi."""
    height: int
    pages: int = 1
    """Frames of an animation (2 stands for all those of an animated AVIF); 1 for stills."""
    has_alpha: bool = False
    orientation: int = 1
    """Exif orientation, 1 … 8."""
    profile: colour.Profile = colour.Profile.SRGB
    coding: Coding | None = None
    """What an AVIF without a profile says its numbers mean; only where that is not sRGB."""
    bits: int = 8
    """Of one band."""
    palette: bool = False
    """At most 256 colours, by its encoding."""
    colour_bits: int = 8
    """Of a palette picture: as many bits as its palette needs."""
    gain_map: bool = False
    """A JPEG that is brighter on an HDR screen (edge.render.gain_map)."""
    interlaced: bool = False
    """Progressive JPEG or interlaced PNG: decoded as a whole, not line by line."""
    renderable: bool = True
    """False for an animation of which libvips could only show the first frame (APNG, animated AVIF)."""

    @property
    def pixels(self) -> int:
        """Of all frames together."""
        return self.width * self.height * self.pages


def read(kind: Kind, data: Bytes, limits: Limits) -> Facts:
    """The facts of a source. Raises Damaged where the header cannot be read, TooLarge, TooManyPixels, TooManyFrames."""
    with reading():
        if kind.name == "png" and packed_text(data) > MOST_PACKED:
            raise TooLarge("more compressed text than a picture needs")
        if kind.size is not None:
            _check_pixels(*kind.size(data), 1, limits)
        facts = _read(kind, data)
    if facts.pages > limits.max_frames:
        raise TooManyFrames(f"{facts.pages} frames")
    if kind.name != "svg":
        _check_pixels(facts.width, facts.height, facts.pages, limits)
    return facts


def _check_pixels(width: int, height: int, pages: int, limits: Limits) -> None:
    if width * height * pages > limits.max_pixels or max(width, height) > MAX_SIDE:
        raise TooManyPixels(f"{width} × {height} × {pages}")


def _read(kind: Kind, data: Bytes) -> Facts:
    rolled = reel.of(kind, data)
    image = kind.header(data) if kind.header is not None else load(kind, rolled.data)
    frames = _frames(kind, data) or len(rolled.shown)
    orientation = int(field(image, "orientation", 1))
    profile, coding = colour.profile_of(image), boxes.coding(data) if kind.name in ("avif", "heic") else None
    if coding is not None and coding.primaries == _P3_PRIMARIES and not hdr.is_hdr(coding):
        profile = colour.Profile.P3
    return Facts(
        format=kind.name,
        content_type=kind.content_type,
        width=image.width,
        height=int(field(image, "page-height", image.height)),
        pages=frames,
        has_alpha=bool(image.hasalpha()),
        orientation=orientation if 1 <= orientation <= 8 and kind.name != "avif" else 1,
        profile=profile,
        coding=coding if hdr.is_hdr(coding) else None,
        bits=16 if image.format in ("ushort", "short") else 8 if image.format == "uchar" else 32,
        palette=bool(field(image, "palette", 0)) or kind.name == "gif",
        colour_bits=int(field(image, "bits-per-sample", 8)),
        gain_map=kind.name == "jpeg" and gain_map.is_announced(data),
        interlaced=kind.name in ("jpeg", "png")
        and bool(field(image, "jpeg-multiscan", 0) or field(image, "interlaced", 0)),
        renderable=kind.name not in ("png", "avif") or frames == 1,
    )


def _frames(kind: Kind, data: Bytes) -> int:
    """The frames of an APNG by its animation control chunk, which comes before the first pixels, and more than one for
    an animated AVIF; 0 for others."""
    if kind.name == "avif" and bytes(data[8:12]) == b"avis":
        return 2
    if kind.name == "png":
        for chunk in png_chunks(data):
            if chunk.name == b"acTL":
                return max(1, int.from_bytes(data[chunk.start + 8 : chunk.start + 12], "big"))
            if chunk.name == b"IDAT":
                break
    return 0


def check_whole(kind: Kind, data: Bytes) -> None:
    """That a GIF or PNG is complete: their loaders show what there is of a cut-off file without a word, the others
    fail by themselves; and that an SVG does not repeat itself without end. Raises Damaged, TooLarge."""
    if kind.name == "svg":
        drawings.check(data)
    walker = {"gif": gif_blocks, "png": png_chunks}.get(kind.name)
    for _ in walker(data) if walker else ():
        pass
