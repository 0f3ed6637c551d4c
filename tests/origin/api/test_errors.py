"""Promises about errors: whatever is raised has its status."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import origin
import wire
from origin.api.s3 import errors, probes

SOURCES = [path for room in (origin, wire) for path in Path(room.__path__[0]).rglob("*.py")]


def raised_codes() -> Iterator[str]:
    """The code of every Refusal and ServiceError that is written out in our code."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="Refusal" | "ServiceError"), args=[ast.Constant(value=str(code)), *_]):
                    yield code


def test_every_code_that_is_raised_has_a_status() -> None:
    probed = {probe.code for probe in probes.PROBES.values() if isinstance(probe, probes.Missing)}
    assert set(raised_codes()) | probed <= set(errors.STATUS)


def test_an_errors_xml_holds_what_clients_look_for() -> None:
    body = errors.document("NoSuchKey", "no <such> key", {"key": "a&b"}, resource="/b/k", request_id="R", host_id="H")
    assert body.endswith(
        b"<Error><Code>NoSuchKey</Code><Message>no &lt;such&gt; key</Message><Key>a&amp;b</Key>"
        b"<Resource>/b/k</Resource><RequestId>R</RequestId><HostId>H</HostId></Error>"
    )
