"""What the tests of versions share: refusals by code and status, and listings in short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, int]:
    """The code and status of a call that must be refused."""
    response = refusal(call, **arguments)
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def refusal(call: Callable[..., Any], **arguments: Any) -> Any:
    """The whole answer of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response


def headers_of(answer: Any) -> dict[str, str]:
    headers: dict[str, str] = answer["ResponseMetadata"]["HTTPHeaders"]
    return headers


def put(s3: Any, bucket: str, key: str, body: bytes = b"x", **more: Any) -> str | None:
    """Put an object; returns the id of its version."""
    version: str | None = s3.put_object(Bucket=bucket, Key=key, Body=body, **more).get("VersionId")
    return version


def body_of(s3: Any, bucket: str, key: str, version: str | None = None) -> bytes:
    which = {} if version is None else {"VersionId": version}
    body: bytes = s3.get_object(Bucket=bucket, Key=key, **which)["Body"].read()
    return body


def history(s3: Any, bucket: str, **more: Any) -> list[tuple[str, str, bool, bool]]:
    """Every version and marker in the order of the XML: key, id, latest, marker."""
    page = s3.list_object_versions(Bucket=bucket, **more)
    entries = [(entry, False) for entry in page.get("Versions", [])]
    entries += [(entry, True) for entry in page.get("DeleteMarkers", [])]
    return [(entry["Key"], entry["VersionId"], entry["IsLatest"], marker) for entry, marker in entries]
