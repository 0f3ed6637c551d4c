"""Versioning against a model: a dict of stacks of versions, whatever is done in whatever order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from origin.jobs.check import check
from origin.service.model import Caller, Copied, CopyRequest, ObjectInfo, PutRequest, ServiceError, Target
from origin.service.service import Service
from origin.service.version_ids import NULL, Versioning
from tests.origin.storage import support
from tests.origin.storage.support import BUCKET, stream

T = TypeVar("T")
KEYS = st.sampled_from(["a", "b", "b/c"])
PICK = st.integers(0, 9)


@dataclass
class Entry:
    """A version of the model; a marker has no body."""

    version_id: str
    body: bytes | None


@dataclass
class Model:
    """What the bucket holds: for each key its versions, the newest first."""

    state: Versioning = Versioning.NEVER
    keys: dict[str, list[Entry]] = field(default_factory=dict)

    def add(self, key: str, version_id: str | None, body: bytes | None) -> None:
        stack = self.keys.setdefault(key, [])
        stack[:] = [entry for entry in stack if entry.version_id != NULL or version_id not in (None, NULL)]
        stack.insert(0, Entry(version_id or NULL, body))

    def remove(self, key: str, version_id: str) -> None:
        stack = self.keys.get(key, [])
        stack[:] = [entry for entry in stack if entry.version_id != version_id]

    def latest(self, key: str) -> Entry | None:
        stack = self.keys.get(key, [])
        return stack[0] if stack else None


class Versions(RuleBasedStateMachine):
    """Writes, copies and deletes in every state of versioning."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.service: Service = self.run(Service.open(support.settings(Path(self.folder.name) / "data")))
        self.ada: Caller = self.run(support.caller(self.service, permissions=["admin"]))
        self.run(self.service.buckets.create(self.ada, BUCKET))
        self.model = Model()
        self.bodies = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def attempt(self, work: Coroutine[Any, Any, T]) -> T | str:
        """What came of it, or the code of its refusal."""
        try:
            return self.run(work)
        except ServiceError as error:
            return error.code

    def teardown(self) -> None:
        found = self.run(check(self.service.stores))
        self.run(self.service.close())
        self.loop.close()
        self.folder.cleanup()
        assert found.clean, found.document()

    def shown(self, version_id: str | None) -> None:
        """Ids are shown as the state says."""
        fresh = self.model.state is Versioning.ENABLED
        null = None if self.model.state is Versioning.NEVER else NULL
        assert (len(version_id or "") == 32) if fresh else version_id == null

    @rule(state=st.sampled_from([Versioning.ENABLED, Versioning.SUSPENDED]))
    def set_state(self, state: Versioning) -> None:
        self.run(self.service.versions.set_state(self.ada, BUCKET, state))
        self.model.state = state

    @rule(key=KEYS)
    def put(self, key: str) -> None:
        self.bodies += 1
        body = b"%d" % self.bodies
        info = self.run(self.service.objects.put(self.ada, PutRequest(bucket=BUCKET, key=key), stream(body)))
        self.shown(info.version_id)
        self.model.add(key, info.version_id, body)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        done = self.run(self.service.objects.delete(self.ada, BUCKET, key))
        if self.model.state is Versioning.NEVER:
            assert done.marker is None
            self.model.remove(key, NULL)
        else:
            self.shown(done.marker)
            self.model.add(key, done.marker, None)

    @precondition(lambda self: any(self.model.keys.values()))
    @rule(key=KEYS, pick=PICK, many=st.booleans())
    def delete_version(self, key: str, pick: int, many: bool) -> None:
        stack = self.model.keys.get(key, [])
        version_id = stack[pick % len(stack)].version_id if stack else NULL
        marker = next((version_id for entry in stack if entry.version_id == version_id and entry.body is None), None)
        if many:
            targets = [Target(key, version_id)]
            (done,) = self.run(self.service.objects.delete_many(self.ada, BUCKET, targets))
        else:
            done = self.run(self.service.objects.delete(self.ada, BUCKET, key, version_id))
        assert (done.error, done.marker) == (None, marker)
        self.model.remove(key, version_id)

    @rule(source=KEYS, pick=PICK, key=KEYS)
    def copy(self, source: str, pick: int, key: str) -> None:
        stack = self.model.keys.get(source, [])
        if not stack:
            return
        entry = stack[pick % len(stack)]
        request = CopyRequest(
            source_bucket=BUCKET, source_key=source, source_version=entry.version_id, bucket=BUCKET, key=key
        )
        copy = self.attempt(self.service.objects.copy(self.ada, request))
        assert copy == "InvalidRequest" if entry.body is None else isinstance(copy, Copied)
        if isinstance(copy, Copied):
            self.shown(copy.info.version_id)
            self.model.add(key, copy.info.version_id, entry.body)

    @rule(key=KEYS, pick=PICK)
    def read_version(self, key: str, pick: int) -> None:
        stack = self.model.keys.get(key, [])
        entry = stack[pick % len(stack)] if stack else None
        wanted = "NoSuchVersion" if entry is None else entry.body or "MethodNotAllowed"
        assert self.attempt(self.read(key, entry.version_id if entry else NULL)) == wanted

    async def read(self, key: str, version_id: str | None) -> bytes:
        async with await self.service.objects.open(self.ada, BUCKET, key, version_id) as reading:
            return b"".join([bytes(chunk) async for chunk in reading.chunks()])

    @invariant()
    def the_latest_versions_read_back(self) -> None:
        for key in self.model.keys:
            latest = self.model.latest(key)
            assert self.attempt(self.read(key, None)) == ((latest and latest.body) or "NoSuchKey")

    @invariant()
    def both_listings_are_the_models(self) -> None:
        live = [key for key in sorted(self.model.keys) if (top := self.model.latest(key)) and top.body is not None]
        assert [info.key for info in self.run(self.service.listing.v2(self.ada, BUCKET)).objects] == live
        expected = [
            (key, entry.version_id, place == 0, entry.body is None)
            for key in sorted(self.model.keys)
            for place, entry in enumerate(self.model.keys[key])
        ]
        assert [self.seen(info) for info in self.listed()] == expected

    def listed(self) -> list[ObjectInfo]:
        """Every version, in pages of two."""
        listed: list[ObjectInfo] = []
        key, version = "", None
        while True:
            page = self.run(
                self.service.listing.versions(self.ada, BUCKET, key_marker=key, version_marker=version, max_keys=2)
            )
            listed += page.versions
            if not page.truncated:
                return listed
            key, version = page.next_key_marker or "", page.next_version_marker

    @staticmethod
    def seen(info: ObjectInfo) -> tuple[str, str, bool, bool]:
        return info.key, info.version_id or NULL, info.latest, info.delete_marker


Versions.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestVersions = Versions.TestCase
