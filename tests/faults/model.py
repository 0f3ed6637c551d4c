"""The service against a dictionary: whatever is done in whatever order, both hold the same."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from origin.jobs.collect import collect_once
from origin.service.model import ANONYMOUS, Caller, ServiceError, WriteConditions
from origin.service.service import Service
from tests.faults.conftest import scratch_folder
from tests.faults.examine import recount
from tests.faults.small import SEGMENT
from tests.origin.storage.support import BUCKET, Clock, caller, copy, get, join, put
from tests.origin.storage.support import settings as scratch_settings

T = TypeVar("T")
KEYS = st.sampled_from(["a", "a/b", "a/c/d", "b", "ä", "~"])
SIZES = (0, 1, 16_384, 16_385, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT + 5)
BODIES = st.builds(
    lambda size, seed: (bytes([seed]) * 7 + b"." * size)[:size], st.sampled_from(SIZES), st.integers(1, 3)
)
ACLS = st.sampled_from(["private", "public-read"])


class Machine(RuleBasedStateMachine):
    """One bucket, and what must be in it: key → (body, ACL)."""

    def __init__(self) -> None:
        super().__init__()
        self._exit = contextlib.ExitStack()
        self._settings = scratch_settings(self._exit.enter_context(scratch_folder()) / "data", min_part=0)
        self._runner = self._exit.enter_context(asyncio.Runner())
        self._clock = Clock()
        self._model: dict[str, tuple[bytes, str]] = {}

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    @initialize()
    def begin(self) -> None:
        async def work() -> None:
            self._service = await Service.open(self._settings, clock=self._clock)
            self._ada = await caller(self._service, access_key="ada-key", permissions=["admin"])
            await self._service.buckets.create(self._ada, BUCKET)

        self._do(work())

    @rule(key=KEYS, body=BODIES, acl=ACLS)
    def put(self, key: str, body: bytes, acl: str) -> None:
        info = self._do(put(self._service, self._ada, key, body, acl=acl))
        assert info.etag == hashlib.md5(body).hexdigest()
        self._model[key] = (body, acl)

    @rule(key=KEYS, body=BODIES)
    def put_where_nothing_is(self, key: str, body: bytes) -> None:
        conditions = WriteConditions(if_none_match="*")
        if key in self._model:
            with pytest.raises(ServiceError, match="PreconditionFailed"):
                self._do(put(self._service, self._ada, key, body, conditions=conditions))
        else:
            self._do(put(self._service, self._ada, key, body, conditions=conditions))
            self._model[key] = (body, "private")

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self._do(self._service.objects.delete(self._ada, BUCKET, key))
        self._model.pop(key, None)

    @rule(source=KEYS, key=KEYS)
    def copy(self, source: str, key: str) -> None:
        if source == key:
            return
        if source not in self._model:
            with pytest.raises(ServiceError, match="NoSuchKey"):
                self._do(copy(self._service, self._ada, source, key))
        else:
            self._do(copy(self._service, self._ada, source, key))
            self._model[key] = (self._model[source][0], "private")

    @rule(key=KEYS, parts=st.lists(BODIES, min_size=1, max_size=4))
    def join(self, key: str, parts: list[bytes]) -> None:
        self._model[key] = (self._do(join(self._service, self._ada, key, parts)), "private")

    @rule(key=KEYS, acl=ACLS)
    def share(self, key: str, acl: str) -> None:
        change = self._service.acls.set_object(self._ada, BUCKET, key, acl)
        if key in self._model:
            self._do(change)
            self._model[key] = (self._model[key][0], acl)
        else:
            with pytest.raises(ServiceError, match="NoSuchKey"):
                self._do(change)

    @rule(key=KEYS, start=st.integers(0, 4 * SEGMENT), length=st.integers(1, 2 * SEGMENT))
    def read_a_range(self, key: str, start: int, length: int) -> None:
        body = self._model.get(key, (b"", ""))[0]
        asked = get(self._service, self._ada, key, f"bytes={start}-{start + length - 1}")
        if key in self._model and start < len(body):
            assert self._do(asked) == body[start : start + length]
        else:
            with pytest.raises(ServiceError, match=r"NoSuchKey|InvalidRange"):
                self._do(asked)

    @rule(key=KEYS)
    def read_as_anybody(self, key: str) -> None:
        body, acl = self._model.get(key, (b"", "private"))
        if acl == "public-read":
            assert self._do(get(self._service, ANONYMOUS, key)) == body
        else:
            with pytest.raises(ServiceError, match="AccessDenied"):
                self._do(get(self._service, ANONYMOUS, key))

    @rule(prefix=st.sampled_from(["", "a", "a/", "z"]), size=st.integers(1, 3), delimiter=st.sampled_from(["", "/"]))
    def list(self, prefix: str, size: int, delimiter: str) -> None:
        async def pages() -> tuple[list[str], list[str]]:
            keys: list[str] = []
            prefixes: list[str] = []
            token: str | None = None
            while True:
                page = await self._service.listing.v2(
                    self._ada, BUCKET, prefix=prefix, delimiter=delimiter, max_keys=size, token=token
                )
                keys += [entry.key for entry in page.objects]
                prefixes += page.prefixes
                token = page.next_token
                if not page.truncated:
                    return keys, prefixes

        below = sorted((key for key in self._model if key.startswith(prefix)), key=str.encode)
        folded = {key: key.find(delimiter, len(prefix)) if delimiter else -1 for key in below}
        assert self._do(pages()) == (
            [key for key in below if folded[key] < 0],
            sorted({key[: at + 1] for key, at in folded.items() if at >= 0}),
        )

    @rule(seconds=st.sampled_from([1.0, 10_000.0]))
    def collect(self, seconds: float) -> None:
        self._clock.now += seconds
        self._do(collect_once(self._service.stores, self._clock.now))

    @rule()
    def reopen(self) -> None:
        async def work() -> None:
            await self._service.close()
            self._service = await Service.open(self._settings, clock=self._clock)
            found = await self._service.keys.secret("ada-key")
            assert found is not None
            self._ada = Caller(found[0])

        self._do(work())

    @invariant()
    def both_hold_the_same(self) -> None:
        for key, (body, _) in self._model.items():
            assert self._do(get(self._service, self._ada, key)) == body

    def teardown(self) -> None:
        async def work() -> None:
            for number in range(1, 4):
                await collect_once(self._service.stores, self._clock.now + number * 10_000)
            await self._service.close()

        try:
            if hasattr(self, "_service"):
                self._do(work())
                assert list(recount(self._settings)) == []
        finally:
            self._exit.close()


def histories(count: int, steps: int, seed_of: int | None = None) -> None:
    """Try `count` histories of up to `steps` changes, always the same ones for a seed. Raises what is wrong."""
    machine = type("Machine", (Machine,), {})
    run_state_machine_as_test(
        machine if seed_of is None else seed(seed_of)(machine),
        settings=settings(
            max_examples=count,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
