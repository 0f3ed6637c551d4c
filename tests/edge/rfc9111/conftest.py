"""One edge with a site of each kind in front of one scripted upstream; tests play on paths of their own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.edge.dialogue import client
from tests.edge.dialogue.client import Answer
from tests.edge.dialogue.stage import Stage, stage
from tests.edge.rfc9111.script import Line, Upstream

PASSING = "passing.test"
ASSETS = "assets.test"


@dataclass(frozen=True)
class House:
    """The edge and its upstream."""

    stage: Stage
    upstream: Upstream

    def ask(self, path: str, *, host: str = PASSING, method: str = "GET", **fields: str) -> Answer:
        return client.ask(self.stage.port, path, host=host, method=method, **fields)

    def send(self, path: str, body: bytes, *, method: str = "POST") -> Answer:
        head = f"{method} {path} HTTP/1.1\r\nHost: {PASSING}\r\nContent-Length: {len(body)}\r\n\r\n"
        return client.say(self.stage.port, head.encode() + body, method)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    upstream = Upstream()
    sites = [
        {"name": "passing", "host": PASSING, "kind": "pass-through", "upstream": upstream.url},
        {"name": "assets", "host": ASSETS, "kind": "assets", "upstream": upstream.url},
    ]
    try:
        with stage(tmp_path_factory.mktemp("edge"), {"sites": sites}, servers=2) as playing:
            yield House(playing, upstream)
    finally:
        upstream.close()


_numbers = itertools.count()


@pytest.fixture
def script(house: House) -> Callable[..., str]:
    """Scripts a path of this test's own and gives it."""

    def scripted(*lines: Line) -> str:
        return house.upstream.script(f"/play/{next(_numbers)}", *lines)

    return scripted
