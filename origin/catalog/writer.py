"""The one writer: a thread that runs transaction functions in groups, one durable commit for each group.

The rule of this file: nobody hears an answer, good or bad, before the commit it rests on is durable. While one group
commits, the next one gathers, so the cost of a sync is shared by all who wait for it. After a failed commit nobody
knows what the disk holds (the kernel reports a failed sync once and then forgets it: Rebello et al., "Can Applications
Recover from fsync Failures?", USENIX ATC 2020), so nothing is written again until a restart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from origin.catalog.contract import CatalogBroken, CatalogError, CatalogFull, Tables

T = TypeVar("T")
Listener = Callable[[int, int], None]

GROUP = 256
"""The most functions in one commit: it bounds how long the first one waits for the others."""


class Engine(Protocol):
    """What the writer needs of a store. A lost transaction is one that the engine itself rolled back."""

    @property
    def tables(self) -> Tables: ...
    def begin(self) -> None: ...
    def savepoint(self) -> None: ...
    def keep(self) -> None:
        """Make the savepoint part of the group."""

    def undo(self) -> bool:
        """Go back to the savepoint. False where the whole transaction is lost."""

    def commit(self) -> None:
        """Commit durably. Raises CatalogFull where nothing was committed, CatalogBroken where nobody knows."""

    def rollback(self) -> None: ...
    def translate(self, error: BaseException) -> BaseException:
        """The engine's own errors as CatalogError; others as they are."""

    def close(self) -> None: ...


class Writer:
    """Owns the engine's writing side, in its own thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: SimpleQueue[tuple[Callable[[Tables], Any], Future[Any]] | None] = SimpleQueue()
        self._listeners: list[Listener] = []
        self._broken: str | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="catalog-writer", daemon=True)
        self._thread.start()

    def submit(self, function: Callable[[Tables], T]) -> Future[T]:
        """Queue a function; see `Catalog.write`."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(CatalogError("the catalog is closed"))
            else:
                self._queue.put((function, future))
        return future

    def on_commit(self, listener: Listener) -> None:
        """See `Catalog.on_commit`."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Finish what is queued, then close the engine. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        running = True
        while running:
            group = []
            item = self._queue.get()
            while item is not None:
                group.append(item)
                if len(group) == GROUP or self._queue.empty():
                    break
                item = self._queue.get()
            running = item is not None
            if group:
                self._run_group(group)
        self._engine.close()

    def _run_group(self, group: list[tuple[Callable[[Tables], Any], Future[Any]]]) -> None:
        live = [(function, future) for function, future in group if future.set_running_or_notify_cancel()]
        try:
            answers = self._transact([function for function, _ in live])
        except CatalogError as error:
            for _, future in live:
                future.set_exception(error)
            return
        for (_, future), (result, failure) in zip(live, answers, strict=True):
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)

    def _transact(self, functions: list[Callable[[Tables], Any]]) -> list[tuple[Any, BaseException | None]]:
        """Run and commit a group; returns result or exception of each. Raises CatalogError where all of it failed."""
        if self._broken is not None:
            raise CatalogBroken(self._broken)
        engine = self._engine
        answers: list[tuple[Any, BaseException | None]] = []
        try:
            engine.begin()
            for function in functions:
                engine.savepoint()
                try:
                    result = function(engine.tables)
                except Exception as error:
                    failure = engine.translate(error)
                    if not engine.undo():
                        raise failure if isinstance(failure, CatalogError) else CatalogError(str(failure)) from error
                    answers.append((None, failure))
                else:
                    engine.keep()
                    answers.append((result, None))
            position = engine.tables.events.number()
            mutation = engine.tables.meta.mutations()
            engine.commit()
        except Exception as error:
            engine.rollback()
            failure = engine.translate(error)
            if isinstance(failure, CatalogBroken):
                self._broken = str(failure)
            raise failure if isinstance(failure, CatalogError) else CatalogError(str(failure)) from error
        for listener in self._listeners:
            listener(position, mutation)
        return answers


__all__ = ["GROUP", "CatalogBroken", "CatalogError", "CatalogFull", "Engine", "Listener", "Writer"]
