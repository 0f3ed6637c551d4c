"""Writers that change keys at random, and what the keys may hold after a crash.

The rule of this file: a key belongs to one writer, who does one thing at a time, so at any moment it holds what was
last acknowledged, or what was begun after that and not answered.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

SIZES = (0, 60, 9_000, 20_000, 70_000, 140_000, 300_000)
SHARED = 5
"""Distinct bodies of each size that all writers draw from, so that most of them are duplicates."""


class Verb(StrEnum):
    """What a writer does to a key."""

    PUT = "put"
    JOIN = "join"
    COPY = "copy"
    DELETE = "delete"


@dataclass(frozen=True)
class Deed:
    """One change. `bodies` are the parts of a JOIN or the body of a PUT; `source` is the key that is copied."""

    verb: Verb
    key: str
    bodies: tuple[bytes, ...] = ()
    source: str = ""


def digest(body: bytes) -> str:
    """What the journal keeps of a body."""
    return hashlib.sha256(body).hexdigest()


@dataclass
class Journal:
    """What each key may hold: the digest of a body, or None where there is no object."""

    held: dict[str, str | None] = field(default_factory=dict)
    begun: dict[str, list[str | None]] = field(default_factory=dict)

    def begin(self, key: str, state: str | None) -> None:
        """The key is asked to become `state`."""
        self.begun.setdefault(key, []).append(state)

    def done(self, key: str, state: str | None) -> None:
        """That was acknowledged; or it was seen after a crash. What was begun before is settled."""
        self.held[key] = state
        self.begun.pop(key, None)

    def allowed(self, key: str) -> set[str | None]:
        """Everything the key may hold now."""
        return {self.held.get(key), *self.begun.get(key, ())}

    def keys(self) -> set[str]:
        """Every key that was ever touched."""
        return set(self.held) | set(self.begun)


def deeds(seed: int, writer: int, keys: int, journal: Journal) -> Iterator[Deed]:
    """An endless run of changes of `keys` keys that belong to `writer`. Copies take what is certainly there."""
    chance = random.Random(f"{seed} {writer}")
    names = [f"w{writer}/k{number}" for number in range(keys)]
    while True:
        key = chance.choice(names)
        match chance.randrange(10):
            case 0 | 1:
                yield Deed(Verb.DELETE, key)
            case 2:
                present = [name for name in names if name != key and journal.held.get(name) is not None]
                if present:
                    yield Deed(Verb.COPY, key, source=chance.choice(present))
            case 3:
                yield Deed(Verb.JOIN, key, tuple(_body(chance) for _ in range(chance.randint(1, 3))))
            case _:
                yield Deed(Verb.PUT, key, (_body(chance),))


def _body(chance: random.Random) -> bytes:
    size = chance.choice(SIZES)
    if chance.random() < 0.5:
        return random.Random(f"{size} {chance.randrange(SHARED)}").randbytes(size)
    return chance.randbytes(size)


def outcome(deed: Deed, journal: Journal) -> str | None:
    """What the deed makes of its key."""
    match deed.verb:
        case Verb.DELETE:
            return None
        case Verb.COPY:
            return journal.held[deed.source]
        case _:
            return digest(b"".join(deed.bodies))
