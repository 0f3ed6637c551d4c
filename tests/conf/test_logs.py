"""Promises about logs: a line for every request whatever its bytes, and no secret in any."""

from __future__ import annotations

import json

import pytest

from conf.logs import AccessLog, safe_target
from conf.schema import Log


def test_a_request_whose_bytes_are_no_text_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog(Log(), "edge-0", clock=lambda: 12.5)
    log.write(agent=b"\xff agent \xc3\xbc".decode("utf-8", "surrogateescape"), status=200)
    line = json.loads(capsys.readouterr().err)
    assert line == {"time": 12.5, "process": "edge-0", "access": True, "agent": "\\xff agent ü", "status": 200}


def test_lines_held_back_come_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    soon = []
    log = AccessLog(Log(), "edge-0", later=soon.append)
    for status in (200, 304, 404):
        log.write(status=status)
    assert capsys.readouterr().err == ""
    (flush,) = soon
    flush()
    assert [json.loads(line)["status"] for line in capsys.readouterr().err.splitlines()] == [200, 304, 404]


def test_signatures_in_a_query_are_left_out() -> None:
    kept = safe_target("/b/k?X-Amz-Signature=abc&X-Amz-Credential=me&w=3&AWSAccessKeyId=k&Signature=s&flag")
    assert kept == "/b/k?X-Amz-Signature=-&X-Amz-Credential=-&w=3&AWSAccessKeyId=k&Signature=-&flag"


@pytest.mark.parametrize(
    "name", ["x-amz-server-side-encryption-customer-key", "X-Amz-Signature", "x%2Damz%2Dsignature"]
)
def test_no_spelling_of_a_secret_in_a_query_is_kept(name: str) -> None:
    assert safe_target(f"/b/k?{name}=c2VjcmV0&x-id=GetObject") == f"/b/k?{name}=-&x-id=GetObject"
    assert safe_target(f"/b/k?{name.upper()}=c2VjcmV0") == f"/b/k?{name.upper()}=-"
