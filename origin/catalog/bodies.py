"""The part of the catalog's contract about inline bodies: the checksums by which a scrub knows them.

The rule of this file: a checksum is BLAKE3 of the sealed bytes, made where they are stored, so no key is ever needed.
A body that is found bad is flagged; sealing the same plaintext again for the same manifest heals it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRow:
    """The inline body of a manifest, with the checksum that it had when it was stored; None where there is none."""

    manifest: int
    size: int
    seal_id: bytes
    sealed: bytes
    checksum: bytes | None
    flagged: bool


class Bodies(Protocol):
    """Inline bodies by their manifests' numbers."""

    def after(self, number: int, limit: int) -> list[BodyRow]:
        """Bodies of manifests numbered over `number`, by number."""

    def totals(self, after: int = 0) -> int:
        """How many bodies there are, of manifests numbered over `after`."""

    def flag(self, number: int) -> None:
        """Mark a body that is known to be bad."""

    def verified(self, number: int, checksum: bytes | None, *, good: bool) -> bool:
        """Note what a look at a body found; False where it is another one by now, or gone."""

    def flagged(self) -> int:
        """How many bodies are flagged."""

    def bad(self, identity: bytes) -> list[BodyRow]:
        """The flagged bodies of content with that identity. Costs what it finds."""

    def heal(self, number: int, sealed: bytes) -> None:
        """Give a manifest a fresh body, sealed for its seal id, and clear the flag."""
