"""Known bytes take what new bytes take, step by step, until the answer: who uploads learns nothing of what is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from conf.schema import Blobs
from origin.service.ingest import SEGMENT
from origin.service.service import Service
from origin.service.steps import Step
from tests.origin.storage.services import NewBucket, with_blobs
from tests.origin.storage.support import BUCKET, blob_files, caller, join, put, settings

INLINE = 16 * 1024


class Watch:
    """Everything that is asked of disk, catalog and network until the answer: steps, syncs, statements, requests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        for name in ("fsync", "fdatasync", "stat", "open", "link"):
            monkeypatch.setattr(os, name, self._noting(name, getattr(os, name)))
        monkeypatch.setattr(apsw, "connection_hooks", [*apsw.connection_hooks, self._trace])

    def _noting(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **named: Any) -> Any:
            self.seen.append(name)
            return real(*arguments, **named)

        return noted

    def _trace(self, connection: apsw.Connection) -> None:
        def note(_: Any, statement: str, __: Any) -> bool:
            self.seen.append(statement)
            return True

        connection.set_exec_trace(note)

    def step(self, step: Step) -> None:
        self.seen.append(step.name)

    def taken(self) -> list[str]:
        """What was seen until the answer, in an order of its own: threads have none."""
        seen, self.seen = self.seen[: self.seen.index("ANSWER")], []
        return sorted(seen)


@pytest.mark.parametrize("size", [INLINE + 1, 64 * 1024, SEGMENT, SEGMENT + 1])
async def test_a_put_of_known_bytes_does_what_one_of_new_bytes_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    watch = Watch(monkeypatch)
    service = await Service.open(settings(tmp_path / "data", sync=True), observe=watch.step)
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    known = os.urandom(size)
    await put(service, ada, "first", known)
    took = []
    for number in range(4):
        watch.seen.clear()
        await put(service, ada, f"k{number}", os.urandom(size) if number % 2 else known)
        took.append(watch.taken())
        await service._duplicates.idle()
    assert took[0].count("fdatasync") == -(-size // SEGMENT)
    assert took[0] == took[1] == took[2] == took[3]
    assert len(blob_files(service.settings)) == 3 * -(-size // SEGMENT)
    await service.close()


async def test_a_part_of_known_bytes_does_what_one_of_new_bytes_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    service = await Service.open(settings(tmp_path / "data", sync=True), observe=watch.step)
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    known = os.urandom(70_000)
    await put(service, ada, "first", known)
    took = []
    for number in range(4):
        watch.seen.clear()
        await join(service, ada, f"k{number}", [os.urandom(70_000) if number % 2 else known])
        took.append(watch.taken())
    assert took[0] == took[1] == took[2] == took[3]
    await service.close()


async def test_known_bytes_cost_a_bucket_the_same_requests(tmp_path: Path, moto: NewBucket) -> None:
    remote: Blobs = moto()
    service = await Service.open(with_blobs(tmp_path, remote))
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    asked: list[str] = []
    service.stores.blobs._client.meta.events.register(  # type: ignore[attr-defined]
        "before-call.s3.*", lambda model, **_: asked.append(model.name)
    )
    known = os.urandom(70_000)
    await put(service, ada, "first", known)
    took = []
    for number in range(4):
        asked.clear()
        await put(service, ada, f"k{number}", os.urandom(70_000) if number % 2 else known)
        took.append(list(asked))
        await service._duplicates.idle()
    assert took[0] == took[1] == took[2] == took[3] != []
    await service.close()
