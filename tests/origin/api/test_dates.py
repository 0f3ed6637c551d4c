"""Promises about the date of a signed request: one that is none is refused as such, one far away as skewed."""

from __future__ import annotations

import time

import pytest

from tests.origin.api.conftest import ACCESS, SECRET, Origin
from wire import sigv2

NO_DATE, SKEWED = (403, "AccessDenied"), (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize(
    ("date", "answer"),
    [
        ("", NO_DATE),
        ("Bad Date", NO_DATE),
        ("Tue, 07 Jul 1950 21:53:04 GMT", NO_DATE),
        ("Tue, 07 Jul 2010 21:53:04 GMT", SKEWED),
        ("Tue, 07 Jul 9999 21:53:04 GMT", SKEWED),
    ],
)
@pytest.mark.parametrize("name", ["Date", "x-amz-date"])
def test_the_date_of_version_2_is_a_date_of_now(
    origin: Origin, bucket: str, name: str, date: str, answer: tuple[int, str]
) -> None:
    amz = f"x-amz-date:{date}\n" if name == "x-amz-date" else ""
    text = f"GET\n\n\n{'' if amz else date}\n{amz}/{bucket}"
    headers = {name: date, "Authorization": f"AWS {ACCESS}:{sigv2.sign(SECRET, text)}"}
    reply = origin.ask("GET", f"/{bucket}", headers, signed=False)
    assert (reply.status, reply.code) == answer


@pytest.mark.parametrize(
    ("date", "answer"),
    [
        ("", NO_DATE),
        ("Bad Date", NO_DATE),
        ("19500707T215304Z", NO_DATE),
        ("20261320T000000Z", NO_DATE),
        ("20100707T215304Z", SKEWED),
        ("99990707T215304Z", SKEWED),
    ],
)
def test_the_date_of_version_4_is_a_date_of_now(
    origin: Origin, bucket: str, date: str, answer: tuple[int, str]
) -> None:
    day = date[:8] if date[:8].isdigit() else time.strftime("%Y%m%d")
    scope = f"{ACCESS}/{day}/us-east-1/s3/aws4_request"
    headers = {
        "x-amz-date": date,
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
        f" Signature={'0' * 64}",
    }
    reply = origin.ask("GET", f"/{bucket}", headers, signed=False)
    assert (reply.status, reply.code) == answer
