"""Kinds of picture that libvips in the wheel cannot read, through packages that are installed as extras.

The rule of this file: a package is imported when the first such picture comes, in the renderer that reads it and
under its limits, and works with one thread. Without it the answer names the extra. Sources: pillow-heif (libheif with
libde265), pillow-jxl-plugin (libjxl), ISO/IEC 18181-1 §A.2 and Annex D (JPEG XL headers).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyvips

from edge.render.boxes import boxes
from edge.render.containers import Bytes
from edge.render.errors import Damaged, NeedsHeic, NeedsJxl, RenderError, Unreadable

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

_PROFILE = "icc-profile-data"
_BANDS = {"L": 1, "I": 1, "LA": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}


def heic(data: Bytes) -> Image:
    """A HEIC's primary picture, upright. Raises Damaged, NeedsHeic."""
    with _typed():
        found = _opened(data)
        return _image(found.data, found, found.stride, found.info.get("icc_profile"))


def heic_header(data: Bytes) -> Image:
    """An image that is like the picture in all but its pixels, which are not decoded. Raises Damaged, NeedsHeic."""
    with _typed():
        found = _opened(data)
        (width, height), (mode, _, deep) = found.size, str(found.mode).partition(";")
        profile = found.info.get("icc_profile")
    if mode not in _BANDS:
        raise Unreadable(f"pixels of the kind {found.mode}")
    black = pyvips.Image.black(width, height, bands=_BANDS[mode])
    return _said(black.cast("ushort") if deep else black, profile)


def _opened(data: Bytes) -> Any:
    for _ in boxes(data, 0, len(data)):  # whole boxes: libde265 shows half a picture of half its bytes
        pass
    package = _package("pillow_heif", NeedsHeic)
    package.options.DECODE_THREADS = 1
    return package.open_heif(bytes(data), convert_hdr_to_8bit=False)


def jxl(data: Bytes) -> Image:
    """A JPEG XL's picture, upright. Raises Damaged, Unreadable (an animation), NeedsJxl."""
    if _Header(data).animated:
        raise Unreadable("an animated JPEG XL")
    package = _package("pillow_jxl", NeedsJxl)
    with _typed():
        is_jpeg, found, pixels, profile, *_ = package.Decoder(num_threads=0)(bytes(data))
    if is_jpeg:  # a JPEG packed without loss comes out as the JPEG it was
        return pyvips.Image.jpegload_buffer(pixels, fail_on="truncated").autorot().copy_memory()
    return _image(pixels, found, 0, profile)


def jxl_size(data: Bytes) -> tuple[int, int]:
    """Width and height as stored. Raises Damaged."""
    header = _Header(data)
    return header.width, header.height


def _package(name: str, missing: type[RenderError]) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise missing(f"{name} is not installed") from None


@contextmanager
def _typed() -> Iterator[None]:
    """Turn whatever a package says of a source into Damaged: the kinds of its errors are its own."""
    try:
        yield
    except (RenderError, MemoryError, pyvips.Error):
        raise
    except Exception as error:
        raise Damaged(f"{type(error).__name__}: {error}".partition("\n")[0]) from None


def _image(pixels: bytes, found: Any, stride: int, profile: bytes | None) -> Image:
    """A pyvips image of what a package has found; stride is the bytes of a row, 0 where rows follow each other."""
    mode, _, deep = str(found.mode).partition(";")
    if mode not in _BANDS or deep not in ("", "16"):
        raise Unreadable(f"pixels of the kind {found.mode}")
    width, height = found.size if hasattr(found, "size") else (found.width, found.height)
    size = _BANDS[mode] * (2 if deep else 1)
    row = stride // size if stride else width
    if len(pixels) < row * height * size:
        raise Damaged("fewer pixels than the header says")
    image = pyvips.Image.new_from_memory(pixels, row, height, _BANDS[mode], "ushort" if deep else "uchar")
    return _said(image.crop(0, 0, width, height), profile)


def _said(image: Image, profile: bytes | None) -> Image:
    """The image, saying what its numbers mean."""
    deep = image.format == "ushort"
    grey = ("grey16" if deep else "b-w") if image.bands < 3 else ""
    meant = image.copy(interpretation=grey or ("rgb16" if deep else "srgb"))
    if profile:
        meant.set_type(pyvips.GValue.blob_type, _PROFILE, profile)
    return meant


class _Header:
    """What a JPEG XL codestream says first: its size, and whether it moves."""

    def __init__(self, data: Bytes) -> None:
        self._bits = int.from_bytes(bytes(_codestream(data)[2:42]), "little")
        self._left = 40 * 8
        small = self._take(1)
        self.height = 8 * (self._take(5) + 1) if small else self._number()
        ratio = self._take(3)
        if ratio:
            across, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
            self.width = self.height * across // down
        else:
            self.width = 8 * (self._take(5) + 1) if small else self._number()
        self.animated = self._moves()

    def _moves(self) -> bool:
        """The animation flag of the image metadata, behind its orientation, own size and preview flags."""
        if self._take(1) or not self._take(1):
            return False
        self._take(3)
        if self._take(1):
            small = self._take(1)
            self._take(5) if small else self._number()
            if not self._take(3):
                self._take(5) if small else self._number()
        return not self._take(1) and bool(self._take(1))

    def _number(self) -> int:
        return self._take((9, 13, 18, 30)[self._take(2)]) + 1

    def _take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise Damaged("a JPEG XL that ends within its header")
        value = self._bits & ((1 << count) - 1)
        self._bits >>= count
        return value


def _codestream(data: Bytes) -> Bytes:
    """The first bytes of the codestream, which may lie in a container (ISO/IEC 18181-2)."""
    if bytes(data[:2]) == b"\xff\n":
        return data
    for box in boxes(data, 0, len(data)):
        if box.name in (b"jxlc", b"jxlp"):
            return data[box.start + (8 if box.name == b"jxlc" else 12) : box.end]
    raise Damaged("a JPEG XL container without a picture")
