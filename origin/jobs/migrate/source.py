"""The source of a migration: a bucket of any S3 service, read through boto3.

The rules of this file: boto3 blocks, so every call runs in threads of the migration's own; nothing of a body is held
but the piece in hand, and a read that breaks off goes on where it was. What a service does not offer is asked for once.
No message carries a secret: boto3's errors name the operation and the service's answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, SSLError
from urllib3.exceptions import HTTPError

from origin.jobs.migrate.wish import Address
from origin.jobs.pace import Pace
from origin.service.model import ServiceError

T = TypeVar("T")

PIECE = 1024 * 1024
TRIES = 6
"""How often in a row a call or a read may fail, before what it belongs to has failed."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
"""Seconds before the second try, doubled from then on."""
CONNECT, READ = 10.0, 30.0
"""Seconds to wait for a connection, and for the next bytes."""

_PASSING = frozenset({
    "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "RequestTimeTooSkewed", "Throttling",
    "TooManyRequests", "BadGateway", "GatewayTimeout", "429", "500", "502", "503", "504",
})  # fmt: skip
_ENTRY = re.compile(rb"<(Version|DeleteMarker)[ >]")
_NOT_OFFERED = frozenset({
    "NotImplemented", "XNotImplemented", "MethodNotAllowed", "NotSupported", "UnsupportedOperation", "501", "405",
    "AccessControlListNotSupported", "MalformedACLError",
})  # fmt: skip
_CREDENTIALS = frozenset({
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired",
    "AuthorizationHeaderMalformed", "InvalidSecurity", "401",
})  # fmt: skip


class SourceError(Exception):
    """What the source refused or failed to do. `code` is S3's, or the name of the failure."""

    def __init__(self, code: str, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.passing = passing

    @property
    def not_offered(self) -> bool:
        """Whether the service does not know the operation at all."""
        return self.code in _NOT_OFFERED


class Changed(SourceError):
    """The object is not any more what was listed."""

    def __init__(self) -> None:
        super().__init__("PreconditionFailed", "the object changed while it was read")


class Source:
    """The bucket. `threads` calls run at once; `pace` holds the bytes read to a rate."""

    def __init__(self, address: Address, threads: int, pace: Pace) -> None:
        self.address = address
        self._pace = pace
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="source")
        self._missing: set[str] = set()
        signed = address.access_key is not None
        try:
            self._client = boto3.session.Session().client(
                "s3",
                endpoint_url=address.url,
                region_name=address.region,
                verify=address.ca_file,
                aws_access_key_id=address.access_key,
                aws_secret_access_key=address.secret_key,
                aws_session_token=address.session_token,
                config=Config(
                    signature_version="s3v4" if signed else UNSIGNED,
                    s3={"addressing_style": "path" if address.path_style else "virtual"},
                    retries={"mode": "standard", "total_max_attempts": 1},
                    connect_timeout=CONNECT,
                    read_timeout=READ,
                    max_pool_connections=threads,
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise ServiceError("InvalidArgument", f"--from {address.url}: {error}") from None
        self._client.meta.events.register("before-parse.s3.ListObjectVersions", _keep_order)
        self._client.meta.events.register("before-parse.s3", _keep_document)

    def close(self) -> None:
        """Let go of threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def call(self, operation: str, **asked: Any) -> dict[str, Any]:
        """One call to the bucket, tried again while its failure may pass. Raises SourceError."""
        answer: dict[str, Any] = await self.patiently(lambda: self._once(operation, asked))
        return answer

    async def call_if_offered(self, operation: str, *, tries: int = TRIES, **asked: Any) -> dict[str, Any] | None:
        """As `call`; None where the service does not offer that, which is asked once."""
        if operation in self._missing:
            return None
        try:
            answer: dict[str, Any] = await self.patiently(lambda: self._once(operation, asked), tries)
            return answer
        except SourceError as error:
            if not error.not_offered:
                raise
            self._missing.add(operation)
            return None

    async def document(self, operation: str) -> bytes | None:
        """A setting of the bucket as the service wrote it; None where there is none. Raises SourceError."""
        try:
            answer = await self.call_if_offered(operation, tries=3)
        except SourceError as error:
            if error.code.startswith("NoSuch") or error.code in ("OwnershipControlsNotFoundError", "404"):
                return None
            raise
        document: bytes | None = (answer or {}).get("Document")
        return document or None

    async def patiently(self, attempt: Callable[[], Any], most: int = TRIES) -> Any:
        """The result of an attempt, made again while its failure may pass, at most that often."""
        tries = 0
        while True:
            try:
                return await attempt()
            except SourceError as error:
                tries += 1
                if not error.passing or tries == most:
                    raise
                await asyncio.sleep(pause(tries))

    async def stream(self, key: str, version: dict[str, str], etag: str, start: int, size: int) -> AsyncIterator[bytes]:
        """`size` bytes of an object from `start`, as long as it has that ETag. Raises SourceError, Changed."""
        at, end, tries = start, start + size, 0
        while at < end:
            body: Any = None
            try:
                asked = {"Key": key, "IfMatch": f'"{etag}"', "Range": f"bytes={at}-{end - 1}", **version}
                answer = await self._once("get_object", asked)
                body = answer["Body"]
                if answer["ResponseMetadata"]["HTTPStatusCode"] != 206 and at > 0:
                    raise SourceError("NoRange", "the source does not answer ranges")
                while at < end:
                    piece = await self._run(partial(body.read, min(PIECE, end - at)))
                    if not piece:
                        raise SourceError("Incomplete", "the source broke off its answer", passing=True)
                    at, tries = at + len(piece), 0
                    await self._pace.passed(len(piece))
                    yield piece
            except SourceError as error:
                if error.code in ("PreconditionFailed", "412"):
                    raise Changed from None
                tries += 1
                if not error.passing or tries == TRIES:
                    raise
                await asyncio.sleep(pause(tries))
            finally:
                if body is not None:
                    body.close()

    async def _once(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        bound = getattr(self._client, operation)
        answer: dict[str, Any] = await self._run(lambda: bound(Bucket=self.address.bucket, **asked))
        return answer

    async def _run(self, function: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function)
        except ClientError as error:
            raise _refused(error, self.address) from None
        except EndpointConnectionError:
            raise SourceError("Unreachable", f"{self.address.url} (--from) cannot be reached", passing=True) from None
        except SSLError as error:
            raise SourceError("Certificate", f"{error} (--ca-file names the authority of a private one)") from None
        except (BotoCoreError, HTTPError, OSError) as error:
            raise SourceError(type(error).__name__, f"{error}", passing=True) from None
        except ValueError as error:
            raise SourceError("Unreadable", f"{error}") from None


def pause(tries: int) -> float:
    """Seconds to wait after that many failures in a row."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tries - 1)))


def _refused(error: ClientError, address: Address) -> SourceError:
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    text = f"{error.operation_name}: {message or code} ({code})"
    if code in _CREDENTIALS:
        text = (
            f"the source refuses the access key: {text}. Check SOURCE_ACCESS_KEY and SOURCE_SECRET_KEY"
            f" (or --key-file), and --region {address.region}"
        )
    elif code in ("AccessDenied", "403"):
        text = f"{text}: the source's key may not do that" if address.access_key else f"{text}: no source key was given"
    elif code == "NoSuchBucket":
        text = f"there is no bucket {address.bucket} at {address.url} (--from)"
    return SourceError(code, text, passing=code in _PASSING or (status >= 500 and status not in (501, 505)))


def _keep_order(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Keep the order in which versions and delete markers stand: botocore makes two lists of them."""
    body = response_dict.get("body", b"")
    if isinstance(body, bytes):
        customized_response_dict["Order"] = [name == b"DeleteMarker" for name in _ENTRY.findall(body)]


def _keep_document(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Keep a setting as it was written: what it means is read here by the parser of clients' requests."""
    body = response_dict.get("body", b"")
    if isinstance(body, bytes):
        customized_response_dict["Document"] = body
