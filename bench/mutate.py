"""Broken pictures: one of every kind that is read, and what a fuzzer makes of them.

The rule of this file: a seed gives the same broken file for ever, so that every finding can be made again.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator

from demo import pictures

_SCENE = pictures.landscape(96, 128).copy_memory()
_LABELLED = pictures.with_metadata(_SCENE, orientation=6, fields=pictures.GPS_FIELDS, profile=pictures.display_p3())


def _packed(form: str, **options: int) -> bytes:
    """The scene as pillow-heif and pillow-jxl-plugin write it."""
    import pillow_heif
    import pillow_jxl  # noqa: F401 - registers the writer
    from PIL import Image

    pillow_heif.register_heif_opener()
    out = io.BytesIO()
    Image.frombytes("RGB", (_SCENE.width, _SCENE.height), _SCENE.write_to_memory()).save(out, form, **options)
    return out.getvalue()


WHOLE: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: _LABELLED.jpegsave_buffer(Q=85, keep="all"),
    "progressive jpeg": lambda: _SCENE.jpegsave_buffer(Q=85, interlace=True),
    "jpeg with a gain map": lambda: (_SCENE.colourspace("scrgb") * 3).copy(interpretation="scrgb").uhdrsave_buffer(),
    "png": lambda: _LABELLED.pngsave_buffer(keep="all"),
    "palette png": lambda: _SCENE.pngsave_buffer(palette=True, interlace=True),
    "webp": lambda: _LABELLED.webpsave_buffer(keep="all"),
    "lossless webp": lambda: _SCENE.webpsave_buffer(lossless=True),
    "gif": lambda: pictures.animation(96),
    "avif": lambda: _LABELLED.heifsave_buffer(compression="av1", effort=0, keep="all"),
    "heic": lambda: _packed("HEIF", quality=85),
    "jpeg xl": lambda: _packed("JXL", quality=85),
    "tiff": lambda: _LABELLED.tiffsave_buffer(keep="all"),
    "svg": pictures.drawing,
}

_NUMBERS = (b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\xff\xff")


def mutated(whole: bytes, seed: int) -> bytes:
    """A file with one to six things wrong: bytes changed, numbers made extreme, parts cut out, doubled or swapped."""
    chance = random.Random(seed)
    body = bytearray(whole)
    for _ in range(chance.randint(1, 6)):
        # Half of all damage is done to the head, where lengths and sizes are.
        at = chance.randrange(min(len(body), 600) if chance.random() < 0.5 else len(body))
        length = chance.randint(1, 64)
        match chance.randrange(6):
            case 0:
                body[at] ^= 1 << chance.randrange(8)
            case 1:
                number = chance.choice(_NUMBERS)
                body[at : at + len(number)] = number
            case 2:
                del body[at : at + length]
            case 3:
                body[at:at] = body[at : at + length]
            case 4:
                body[at : at + length] = chance.randbytes(length)
            case _:
                del body[max(at, 16) :]
        if not body:
            return b""
    return bytes(body)


def cases(first: int, count: int) -> Iterator[tuple[str, int, bytes]]:
    """(kind, seed, broken file) for so many seeds of every kind."""
    wholes = {name: bytes(make()) for name, make in WHOLE.items()}
    for seed in range(first, first + count):
        for name, whole in wholes.items():
            yield name, seed, mutated(whole, seed)
