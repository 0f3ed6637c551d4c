"""The model beside the real edge: one trace, once through `facet up` and once through the model.

The rule of this file: the real one says by its own Cache-Status whether it had the answer, the upstream's log is not
asked. Its memory tier takes no body, so that the disk tier alone decides, as in the model; requests come one after
the other, so that the same order of requests reaches both.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.running import BUCKET, Running, running
from bench.simulate.model import simulate
from bench.trace import Asked
from edge.keeper.ledger import shares

SETTINGS = {"FACET_EDGE_PROCESSES": "1", "FACET_EDGE_MEMORY_OBJECT": "1"}


@dataclass(frozen=True)
class Agreement:
    """Hit ratios of the same trace."""

    requests: int
    real: float
    model: dict[str, float]
    """By policy."""


def compare(folder: Path, trace: Sequence[Asked], disk: int) -> Agreement:
    """Run the trace against a real edge with `disk` bytes of disk tier, and against the model. Raises StartError."""
    with running(folder, FACET_EDGE_DISK=str(disk), FACET_GUARD_MISSES="100000", **SETTINGS) as server:
        for media in {asked.media.number: asked.media for asked in trace}.values():
            server.put(media.name, media.number.to_bytes(8, "big") * (media.size // 8 + 1), "application/octet-stream")
        parts = urlsplit(server.edge)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        _catch_up(server, connection)
        hits = 0
        for asked in trace:
            answer, _ = _get(connection, asked.media.name)
            hits += "; hit" in answer.headers["Cache-Status"]
        connection.close()
    limit = shares(disk).bodies
    model = {policy: simulate(trace, policy, limit).hit_ratio for policy in ("S3-FIFO", "LRU", "FIFO")}
    return Agreement(len(trace), hits / len(trace), model)


def _get(connection: http.client.HTTPConnection, name: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection.request("GET", f"/{BUCKET}/{name}")
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, answer.status
    return answer, body


def _catch_up(server: Running, connection: http.client.HTTPConnection) -> None:
    """Wait until the edge has heard of every upload: each is a purge, and none shall fall into the trace."""
    server.put("marker", b"1", "text/plain")
    _get(connection, "marker")
    server.put("marker", b"2", "text/plain")
    while _get(connection, "marker")[1] != b"2":
        time.sleep(0.05)
