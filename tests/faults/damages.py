"""Ways in which a stored file can be wrong: one table of functions from what was stored to what is there instead."""

from __future__ import annotations

import random
from collections.abc import Callable

from origin.seal.frames import FRAME, HEADER, TAG

STORED_FRAME = FRAME + TAG
Damage = Callable[[bytes, bytes, random.Random], bytes | None]
"""(the file, another blob's file of the same length, chance) → the file's new bytes, None where it is deleted."""


def _flipped(data: bytes, at: int, chance: random.Random) -> bytes:
    wrong = bytearray(data)
    wrong[at] ^= 1 << chance.randrange(8)
    return bytes(wrong)


def _frame(number: int) -> slice:
    start = HEADER + number * STORED_FRAME
    return slice(start, start + STORED_FRAME)


def _swapped(data: bytes, one: int, two: int) -> bytes:
    first, second = sorted((one, two))
    a, b = _frame(first), _frame(second)
    return data[: a.start] + data[b] + data[a.stop : b.start] + data[a] + data[b.stop :]


DAMAGES: dict[str, Damage] = {
    "a bit of the header": lambda data, _, chance: _flipped(data, chance.randrange(HEADER), chance),
    "a bit of the first frame": lambda data, _, chance: _flipped(data, HEADER + chance.randrange(FRAME), chance),
    "a bit of a tag": lambda data, _, chance: _flipped(data, HEADER + FRAME + chance.randrange(TAG), chance),
    "a bit anywhere": lambda data, _, chance: _flipped(data, chance.randrange(len(data)), chance),
    "the last bit": lambda data, _, chance: _flipped(data, len(data) - 1, chance),
    "cut to nothing": lambda data, _, chance: b"",
    "cut to the header": lambda data, _, chance: data[:HEADER],
    "cut at a frame": lambda data, _, chance: data[: _frame(3).stop],
    "cut anywhere": lambda data, _, chance: data[: chance.randrange(1, len(data))],
    "cut by a byte": lambda data, _, chance: data[:-1],
    "zeros from a frame on": lambda data, _, chance: data[: _frame(2).start] + bytes(len(data) - _frame(2).start),
    "two frames swapped": lambda data, _, chance: _swapped(data, *chance.sample(range(10), 2)),
    "a frame twice": lambda data, _, chance: data[: _frame(5).start] + data[_frame(4)] + data[_frame(5).stop :],
    "a frame of another blob": lambda data, other, chance: (
        data[: _frame(1).start] + other[_frame(1)] + data[_frame(1).stop :]
    ),
    "another blob's frames": lambda data, other, chance: data[:HEADER] + other[HEADER:],
    "another blob's file": lambda data, other, chance: other,
    "deleted": lambda data, _, chance: None,
}
