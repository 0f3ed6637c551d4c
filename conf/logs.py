"""What the processes write to stderr: events through structlog, access lines as ready-made JSON.

The rule of this file: a secret never reaches a line. Values under the names below are replaced.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import orjson
import structlog

from conf.schema import Log

_SECRET_WORDS = ("secret", "authorization", "password", "signature", "credential", "token", "cookie", "customer-key")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _redact(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "(hidden)"
    return event


def _json(value: object, **_: object) -> str:
    return orjson.dumps(value, default=str).decode()


def _wants_json(log: Log) -> bool:
    return log.format == "json" or (log.format == "auto" and not sys.stderr.isatty())


def setup(log: Log, process: str) -> None:
    """Send this process's events to stderr; `process` ("origin", "keeper", "edge-0") stands on every line."""
    renderer: structlog.typing.Processor
    if _wants_json(log):
        renderer = structlog.processors.JSONRenderer(serializer=_json)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if _wants_json(log) else structlog.processors.StackInfoRenderer(),
            _redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[log.level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(process=process)
    # Libraries log through the standard module: only what needs a person goes on.
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", force=True
    )


class AccessLog:
    """One line for each request. Fields are the caller's; the words of `Cache-Status` are used for its outcome.

    later: calls what it is given soon, such as an event loop's call_soon. What comes until then is written at once,
    which under load is one system call for many lines.
    """

    def __init__(
        self,
        log: Log,
        process: str,
        *,
        clock: Callable[[], float] = time.time,
        later: Callable[[Callable[[], None]], object] = lambda call: call(),
    ) -> None:
        self.on = log.access
        self._process = process
        self._clock = clock
        self._later = later
        self._held: list[bytes] = []

    def write(self, **fields: object) -> None:
        """Write `fields` as one JSON object with the time (seconds since 1970) and the process.

        The caller leaves out query values that are signatures; see `safe_target`.
        """
        if not self.on:
            return
        said = {"time": round(self._clock(), 3), "process": self._process, "access": True, **fields}
        try:
            line = orjson.dumps(said, default=str, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # bytes of a request that are no UTF-8, kept as surrogates (PEP 383)
            readable = {name: _readable(value) for name, value in said.items()}
            line = orjson.dumps(readable, default=str, option=orjson.OPT_APPEND_NEWLINE)
        self._held.append(line)
        if len(self._held) == 1:
            self._later(self.flush)

    def flush(self) -> None:
        """Write what is held back."""
        lines, self._held = self._held, []
        sys.stderr.write(b"".join(lines).decode())


def _readable(value: object) -> object:
    """The same, with bytes that are no UTF-8 written as \\xff."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def safe_target(target: str) -> str:
    """A request target whose query parameters that carry signatures or secrets have lost their values."""
    path, mark, query = target.partition("?")
    if not mark:
        return target
    kept = []
    for pair in query.split("&"):
        name, equals, _ = pair.partition("=")
        plain = unquote(name).lower()
        kept.append(f"{name}=-" if equals and any(word in plain for word in _SECRET_WORDS) else pair)
    return f"{path}?{'&'.join(kept)}"
