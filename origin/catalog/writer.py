"""The one writer: transaction functions run in groups, one durable commit for each group.

The rule of this file: nobody hears an answer, good or bad, before the commit it rests on is durable. While one group
commits, the next one gathers, so the cost of a sync is shared by all who wait for it. After a failed commit nobody
knows what the disk holds (the kernel reports a failed sync once and then forgets it: Rebello et al., "Can Applications
Recover from fsync Failures?", USENIX ATC 2020), so nothing is written again until a restart.

Functions run in the writer's thread, or, where they are brief and an event loop was lent, in turns of that loop: every
statement lets go of the interpreter, and beside a busy loop a thread waits milliseconds to get it back (14 KB PUT, 32
connections: 740/s with the thread alone). The commit, which waits for the disk, is the thread's in any case. One of
the two has the engine at a time: the loop takes it only when it is free, and the thread, before it gives it back after
a commit, runs what has queued for it meanwhile, so neither waits for long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from origin.catalog.contract import CatalogBroken, CatalogError, CatalogFull, Tables
from origin.catalog.turns import Loop, Promise

T = TypeVar("T")
Listener = Callable[[int, int], None]
Function = Callable[[Tables], Any]

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A function and who waits for it: a thread's Future, or the promise of a brief function."""

    function: Function
    promise: Promise[Any] | Future[Any]


Answer = tuple[_Asked, Any, BaseException | None]


@dataclass(frozen=True, slots=True)
class _Ran:
    """A group whose statements ran: result or exception of each, or the error that all of it failed with."""

    group: Sequence[_Asked]
    answers: Sequence[Answer]
    failure: CatalogError | None = None


class Writer:
    """Owns the engine's writing side."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: SimpleQueue[_Asked | _Ran | None] = SimpleQueue()
        self._listeners: list[Listener] = []
        self._broken: str | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._taken = False
        """Whether loop or thread has the engine."""
        self._loop: Loop | None = None
        self._gathered: list[_Asked] = []
        """Brief functions for the next turn."""
        self._seen = 0
        """How many had gathered when the loop was last asked for more."""
        self._thread = threading.Thread(target=self._work, name="catalog-writer", daemon=True)
        self._thread.start()

    def submit(self, function: Callable[[Tables], T]) -> Future[T]:
        """Queue a function for the thread; see `Catalog.write`."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(CatalogError("the catalog is closed"))
            else:
                self._queue.put(_Asked(function, future))
        return future

    def lend(self, loop: Loop) -> None:
        """See `Catalog.lend`."""
        self._loop = loop

    def brief(self, function: Callable[[Tables], T], promise: Promise[T]) -> None:
        """Gather a function for the next turn of the loop; see `Catalog.write_brief`."""
        assert self._loop is not None, "a loop is lent first"
        with self._lock:
            if self._closed:
                promise.set_exception(CatalogError("the catalog is closed"))
                return
            self._gathered.append(_Asked(function, promise))
            first = len(self._gathered) == 1
        if first:
            self._seen = 0
            self._loop.call_soon(self._turn)

    def on_commit(self, listener: Listener) -> None:
        """See `Catalog.on_commit`."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Finish what is queued and gathered, then close the engine. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for asked in (*self._gathered, None):
                    self._queue.put(asked)
                self._gathered = []
        self._thread.join()

    # In the loop.

    def _turn(self) -> None:
        """Run a gathered group's statements, once the loop brings no more of them and if the engine is free."""
        assert self._loop is not None
        with self._lock:
            gathered = len(self._gathered)
            if self._seen < gathered < GROUP:
                self._seen = gathered
                self._loop.call_soon(self._turn)
                return
            if self._taken or not gathered:
                return  # the thread calls `_after` when it gives the engine back
            self._taken = True
            group, self._gathered = self._gathered[:GROUP], self._gathered[GROUP:]
        self._queue.put(self._statements([asked for asked in group if not asked.promise.done()]))

    def _after(self, answers: Iterable[Answer]) -> None:
        """Answer brief functions, and go on with those that gathered meanwhile."""
        for answer in answers:
            _settle(*answer)
        self._seen = 0
        self._turn()

    # In the thread.

    def _work(self) -> None:
        waiting: list[_Asked] = []
        running = True
        while running or waiting or self._taken:
            ran: _Ran | None = None
            item = self._queue.get()
            while True:
                if item is None:
                    running = False
                elif isinstance(item, _Ran):
                    ran = item
                else:
                    waiting.append(item)
                if len(waiting) >= GROUP or self._queue.empty():
                    break
                item = self._queue.get()
            if self._serve(ran, waiting):
                waiting = []
        self._engine.close()

    def _serve(self, ran: _Ran | None, waiting: list[_Asked]) -> bool:
        """Commit a turn's group and run what waits. False where the loop has the engine: its group comes next."""
        with self._lock:
            if ran is None and self._taken:
                return False
            self._taken = True
        answers = [] if ran is None else self._commit(ran)
        if waiting:
            live = [asked for asked in waiting if _goes_on(asked.promise)]
            answers += self._commit(self._statements(live))
        brief = [answer for answer in answers if not isinstance(answer[0].promise, Future)]
        for answer in answers:
            if isinstance(answer[0].promise, Future):
                _settle(*answer)
        with self._lock:
            self._taken = False
        if self._loop is not None and (brief or self._gathered):
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._after, brief)
        return True

    # In either, whoever has the engine.

    def _statements(self, group: Sequence[_Asked]) -> _Ran:
        """Run a group's functions in one transaction, which stays open."""
        engine = self._engine
        answers: list[Answer] = []
        try:
            if self._broken is not None:
                raise CatalogBroken(self._broken)
            engine.begin()
            for asked in group:
                engine.savepoint()
                try:
                    result = asked.function(engine.tables)
                except Exception as error:
                    failure = engine.translate(error)
                    if not engine.undo():
                        raise failure if isinstance(failure, CatalogError) else CatalogError(str(failure)) from error
                    answers.append((asked, None, failure))
                else:
                    engine.keep()
                    answers.append((asked, result, None))
        except Exception as error:
            return self._failed(group, error)
        return _Ran(group, answers)

    def _commit(self, ran: _Ran) -> list[Answer]:
        """Make a group durable; returns what to answer. Listeners hear of it before anybody does."""
        engine = self._engine
        if ran.failure is None:
            try:
                position = engine.tables.events.number()
                mutation = engine.tables.meta.mutations()
                engine.commit()
            except Exception as error:
                ran = self._failed(ran.group, error)
            else:
                for listener in self._listeners:
                    listener(position, mutation)
        if ran.failure is not None:
            return [(asked, None, ran.failure) for asked in ran.group]
        return list(ran.answers)

    def _failed(self, group: Sequence[_Asked], error: Exception) -> _Ran:
        """Roll a group back."""
        self._engine.rollback()
        failure = self._engine.translate(error)
        if isinstance(failure, CatalogBroken):
            self._broken = str(failure)
        if not isinstance(failure, CatalogError):
            failure = CatalogError(str(failure))
        failure.__cause__ = error if failure is not error else error.__cause__
        return _Ran(group, (), failure)


def _goes_on(promise: Promise[Any] | Future[Any]) -> bool:
    """Whether somebody still waits."""
    return promise.set_running_or_notify_cancel() if isinstance(promise, Future) else not promise.done()


def _settle(asked: _Asked, result: object, failure: BaseException | None) -> None:
    if not isinstance(asked.promise, Future) and asked.promise.done():
        return
    if failure is not None:
        asked.promise.set_exception(failure)
    else:
        asked.promise.set_result(result)


__all__ = ["GROUP", "CatalogBroken", "CatalogError", "CatalogFull", "Engine", "Listener", "Writer"]
