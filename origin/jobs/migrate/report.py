"""What a migration did: counts for the answer, and a file that names every failure and every note.

The rule of this file: the file is written as things happen, so it is there after a run that was cut short, and a run of
any size costs a few counts in memory.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

MOST_SHOWN = 20
"""Notes and reasons that the answer itself names."""


class Report:
    """The counts of one run. A copied version is one whose bytes, or whose delete marker, were adopted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self.listed = 0
        self.listed_bytes = 0
        self.copied = 0
        self.copied_bytes = 0
        self.markers = 0
        self.unchanged = 0
        self.refreshed = 0
        self.newer = 0
        self.removed = 0
        self.verified = 0
        self.failed = 0
        self.settings: list[str] = []
        self._notes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def fail(self, key: str, version_id: str | None, reason: str) -> None:
        """A version was not copied."""
        self.failed += 1
        self._count(self._reasons, reason)
        self._write("failed", key, version_id, reason)

    def note(self, key: str, version_id: str | None, what: str) -> None:
        """Something of a version, or of the bucket (key ""), is not here as it is there."""
        self._count(self._notes, what)
        self._write("note", key, version_id, what)

    @staticmethod
    def _count(counter: Counter[str], what: str) -> None:
        counter[what if what in counter or len(counter) < MOST_SHOWN else "others"] += 1

    def _write(self, outcome: str, key: str, version_id: str | None, reason: str) -> None:
        line = {"outcome": outcome, "key": key, "version": version_id, "reason": reason}
        self._file.write(orjson.dumps(line) + b"\n")
        self._file.flush()

    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        counts = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {
            **counts,
            "notes": dict(self._notes),
            "reasons": dict(self._reasons),
            "details": str(self._path) if self._notes or self._reasons else None,
        }
