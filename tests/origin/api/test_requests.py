"""Promises about requests themselves: signatures, bodies, limits, and bytes that are not meant well."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from tests.origin.api.conftest import ACCESS, SECRET, Origin, Reply, read
from tests.wire.test_chunked import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER
from wire import sigv4
from wire.chunked import KINDS

CRC32C = "x-amz-checksum-crc32c"


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def stored(origin: Origin, target: str) -> bytes | None:
    reply = origin.ask("GET", target)
    return reply.body if reply.status == 200 else None


# Signatures


def test_a_wrong_signature_is_refused(origin: Origin, bucket: str) -> None:
    with origin.connect() as connection:
        connection.sendall(origin.head("GET", f"/{bucket}", secret="wrong"))
        reply = read(connection)
    assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch")
    assert b"<CanonicalRequest>GET\n" in reply.body


def test_an_unknown_key_is_refused(origin: Origin) -> None:
    client = origin.s3("NOSUCHKEY", "secret")
    with pytest.raises(Exception, match="InvalidAccessKeyId"):
        client.list_buckets()


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_clock_twenty_minutes_off_is_told_so(origin: Origin, minutes: int) -> None:
    with origin.connect() as connection:
        connection.sendall(origin.head("GET", "/", at=time.time() + 60 * minutes))
        reply = read(connection)
    assert (reply.status, reply.code) == (403, "RequestTimeTooSkewed")
    assert b"<ServerTime>" in reply.body


def test_a_presigned_url_works_and_ends(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b+ä", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b+ä"}, ExpiresIn=60)
    with urlopen(url) as answer:
        assert answer.read() == b"x"
    parts = urlsplit(url)
    old = datetime.fromtimestamp(time.time() - 300, UTC).strftime("%Y%m%dT%H%M%SZ")
    query = "&".join(f"X-Amz-Date={old}" if pair.startswith("X-Amz-Date=") else pair for pair in parts.query.split("&"))
    reply = origin.ask("GET", f"{parts.path}?{query}", signed=False)
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert b"Request has expired" in reply.body


def test_a_presigned_put_takes_acl_and_type_from_its_query(origin: Origin, s3: Any, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    path, query = urlsplit(url).path, "x-amz-acl=public-read&Content-Type=image%2Fpng"
    claim = presigned(origin, "PUT", path, query)
    assert origin.ask("PUT", claim, body=b"png", signed=False).status == 200
    answer = origin.ask("GET", path, signed=False)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")


def test_a_hoisted_checksum_of_nothing_does_not_refuse_a_body(origin: Origin, bucket: str) -> None:
    claim = presigned(
        origin, "PUT", f"/{bucket}/k", "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32"
    )
    assert origin.ask("PUT", claim, body=b"real body", signed=False).status == 200
    assert stored(origin, f"/{bucket}/k") == b"real body"


@pytest.mark.parametrize(
    "query",
    [
        "x-amz-meta-a=x%0D%0AEvil:1",
        "x-amz-meta-a=%00",
        "x-amz-meta-=x",
        "x-amz-website-redirect-location=/a%0A",
        "Content-Type=text/plain%0Ax",
    ],
)
def test_a_hoisted_header_that_no_answer_could_carry_stores_nothing(origin: Origin, bucket: str, query: str) -> None:
    reply = origin.ask("PUT", presigned(origin, "PUT", f"/{bucket}/k", query), body=b"x", signed=False)
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert stored(origin, f"/{bucket}/k") is None


def presigned(origin: Origin, method: str, path: str, query: str) -> str:
    """A presigned target for any query, made by hand."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = sigv4.Scope(stamp[:8], "", "s3")
    credential = f"{ACCESS}/{scope}".replace("/", "%2F")
    query += (
        f"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={stamp}"
        "&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    )
    host = f"{origin.address[0]}:{origin.address[1]}"
    unsigned = sigv4.read_claim(method, path, f"{query}&X-Amz-Signature=0", [("Host", host)])
    assert unsigned is not None
    text = (
        f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(unsigned.canonical_request(path).encode()).hexdigest()}"
    )
    signature = sigv4._hmac(sigv4.signing_key(SECRET, scope), text).hex()
    return f"{path}?X-Amz-Signature={signature}&{query}"


# Bodies


def test_a_tampered_body_stores_nothing(origin: Origin, bucket: str) -> None:
    head = origin.head("PUT", f"/{bucket}/k", body=b"what was signed")
    with origin.connect() as connection:
        connection.sendall(head + b"what was s1gned")
        reply = read(connection)
    assert (reply.status, reply.code) == (400, "XAmzContentSHA256Mismatch")
    assert stored(origin, f"/{bucket}/k") is None


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("Content-MD5", base64.b64encode(b"0" * 16).decode(), "BadDigest"),
        ("Content-MD5", "nonsense", "InvalidDigest"),
        ("x-amz-checksum-crc32", "AAAAAA==", "BadDigest"),
        ("x-amz-checksum-crc32", "AAAA", "InvalidRequest"),
        ("x-amz-checksum-sha256", base64.b64encode(b"0" * 32).decode(), "BadDigest"),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=", "BadDigest"),
    ],
)
def test_a_wrong_digest_stores_nothing(origin: Origin, bucket: str, header: str, value: str, code: str) -> None:
    reply = origin.ask("PUT", f"/{bucket}/k", {header: value}, b"body")
    assert (reply.status, reply.code) == (400, code)
    assert stored(origin, f"/{bucket}/k") is None


def streamed(
    origin: Origin,
    kind: str,
    target: str,
    pieces: list[bytes],
    trailers: dict[str, str] | None = None,
    *,
    transfer: bool = False,
    damage: tuple[bytes, bytes] = (b"", b""),
    decoded: int | None = None,
) -> Reply:
    """PUT an aws-chunked body made by hand, chunked on the wire where `transfer` says so."""
    length = sum(map(len, pieces)) if decoded is None else decoded
    headers = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": str(length)}
    if trailers:
        headers["x-amz-trailer"] = ",".join(trailers)
    if transfer:
        headers["Transfer-Encoding"] = "chunked"
    head = origin.head("PUT", target, headers, payload=kind, length=False)
    lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
    seed = lines["Authorization"].rpartition("Signature=")[2]
    scope = sigv4.Scope(lines["x-amz-date"][:8], "us-east-1", "s3")
    chain = sigv4.SignatureChain(lines["x-amz-date"], scope, sigv4.signing_key(SECRET, scope), seed)
    body = (
        aws_chunked(kind, chain, pieces, trailers or {}).replace(*damage)
        if damage[0]
        else aws_chunked(kind, chain, pieces, trailers or {})
    )
    if transfer:
        body = b"".join(
            b"%x\r\n%s\r\n" % (len(body[at : at + 1000]), body[at : at + 1000]) for at in range(0, len(body), 1000)
        )
        body += b"0\r\n\r\n"
    else:
        head = head[:-2] + f"Content-Length: {len(body)}\r\n\r\n".encode()
    with origin.connect() as connection:
        connection.sendall(head + body)
        return read(connection)


def aws_chunked(kind: str, chain: sigv4.SignatureChain, pieces: list[bytes], trailers: dict[str, str]) -> bytes:
    signed = KINDS[kind].signed
    out = b""
    for piece in [*pieces, b""]:
        signature = f";chunk-signature={chain.chunk(hashlib.sha256(piece).hexdigest())}" if signed else ""
        out += f"{len(piece):x}{signature}\r\n".encode() + (piece + b"\r\n" if piece else b"")
    out += b"".join(f"{name}:{value}\r\n".encode() for name, value in trailers.items())
    if signed and KINDS[kind].trailer:
        text = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
        out += f"x-amz-trailer-signature:{chain.trailer(hashlib.sha256(text.encode()).hexdigest())}\r\n".encode()
    return out + b"\r\n"


PIECES = [b"a" * 8192, b"b" * 8192, b"tail"]
WHOLE = b"".join(PIECES)


@pytest.mark.parametrize("transfer", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("kind", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
def test_a_streamed_body_is_stored_without_its_framing(origin: Origin, bucket: str, kind: str, transfer: bool) -> None:
    trailers = {"x-amz-checksum-crc32": crc32(WHOLE)} if KINDS[kind].trailer else {}
    reply = streamed(origin, kind, f"/{bucket}/k", PIECES, trailers, transfer=transfer)
    assert (reply.status, reply.headers["etag"]) == (200, f'"{hashlib.md5(WHOLE).hexdigest()}"')
    answer = origin.ask("GET", f"/{bucket}/k")
    assert answer.body == WHOLE
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("kind", "options", "code"),
    [
        (SIGNED, {"damage": (b"bbbb", b"xxxx")}, "SignatureDoesNotMatch"),
        (SIGNED_TRAILER, {"damage": (b"bbbb", b"xxxx")}, "SignatureDoesNotMatch"),
        (UNSIGNED_TRAILER, {"damage": (b"bbbb", b"xxxx")}, "BadDigest"),
        (UNSIGNED_TRAILER, {"decoded": 5}, "IncompleteBody"),
        (UNSIGNED_TRAILER, {"decoded": 99999}, "IncompleteBody"),
        (SIGNED, {"damage": (b"2000;", b"zzzz;")}, "InvalidRequest"),
    ],
)
def test_a_streamed_body_that_lies_stores_nothing(
    origin: Origin, bucket: str, kind: str, options: dict[str, Any], code: str
) -> None:
    trailers = {"x-amz-checksum-crc32": crc32(WHOLE)} if KINDS[kind].trailer else {}
    reply = streamed(origin, kind, f"/{bucket}/k", PIECES, trailers, **options)
    assert reply.code == code
    assert stored(origin, f"/{bucket}/k") is None


def test_a_body_without_length_is_told_to_bring_one(origin: Origin, bucket: str) -> None:
    headers = {"Transfer-Encoding": "chunked"}
    with origin.connect() as connection:
        connection.sendall(origin.head("PUT", f"/{bucket}/k", headers, payload="UNSIGNED-PAYLOAD", length=False))
        connection.sendall(b"0\r\n\r\n")
        reply = read(connection)
    assert (reply.status, reply.code) == (411, "MissingContentLength")


# Expect: 100-continue, sizes, time


def test_a_body_is_asked_for_at_once(origin: Origin, bucket: str) -> None:
    with origin.connect() as connection:
        connection.sendall(origin.head("PUT", f"/{bucket}/k", {"Expect": "100-continue"}, b"body"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        assert read(connection).status == 200
        connection.sendall(origin.head("GET", f"/{bucket}/k"))
        assert read(connection).body == b"body"


@pytest.mark.parametrize(
    ("options", "size", "status", "code"),
    [
        ({"secret": "wrong"}, 10, 403, "SignatureDoesNotMatch"),
        ({"signed": False}, 10, 403, "AccessDenied"),
        ({}, 1024**3, 400, "EntityTooLarge"),
    ],
)
def test_what_the_head_decides_is_refused_without_asking_for_the_body(
    strict: Origin, options: dict[str, Any], size: int, status: int, code: str
) -> None:
    strict.ask("PUT", "/expect")
    headers = {"Expect": "100-continue", "Content-Length": str(size)}
    with strict.connect() as connection:
        connection.sendall(strict.head("PUT", "/expect/k", headers, payload="UNSIGNED-PAYLOAD", **options))
        reply = read(connection, "PUT")
    assert (reply.status, reply.code) == (status, code)
    assert reply.headers["connection"] == "close"


def test_a_gigabyte_to_a_limit_of_a_megabyte_is_refused_at_once(strict: Origin) -> None:
    strict.ask("PUT", "/large")
    with strict.connect() as connection:
        connection.sendall(strict.head("PUT", "/large/k", {"Content-Length": str(1024**3)}, payload="UNSIGNED-PAYLOAD"))
        reply = read(connection, "PUT")
    assert (reply.status, reply.code) == (400, "EntityTooLarge")
    assert b"<ProposedSize>1073741824</ProposedSize><MaxSizeAllowed>1048576</MaxSizeAllowed>" in reply.body
    assert strict.ask("PUT", "/large/k", body=b"x" * 1024**2).status == 200
    assert strict.ask("PUT", "/large/k2", body=b"x" * (1024**2 + 1)).code == "EntityTooLarge"


def test_a_client_that_sends_all_of_a_large_body_still_reads_the_refusal(strict: Origin) -> None:
    strict.ask("PUT", "/eager")
    reply = strict.ask("PUT", "/eager/k", body=bytes(20 * 1024**2))
    assert (reply.status, reply.code, reply.headers["connection"]) == (400, "EntityTooLarge", "close")
    with pytest.raises(ClientError, match="EntityTooLarge"):
        strict.s3().put_object(Bucket="eager", Key="k", Body=bytes(2 * 1024**2))


def test_a_body_that_stands_still_is_ended(strict: Origin) -> None:
    strict.ask("PUT", "/slow")
    with strict.connect() as connection:
        connection.sendall(
            strict.head("PUT", "/slow/k", {"Content-Length": "10"}, payload="UNSIGNED-PAYLOAD") + b"half"
        )
        reply = read(connection, "PUT")
    assert (reply.status, reply.code) == (400, "RequestTimeout")
    assert stored(strict, "/slow/k") is None


def test_a_body_cut_off_stores_nothing(origin: Origin, bucket: str) -> None:
    with origin.connect() as connection:
        connection.sendall(
            origin.head("PUT", f"/{bucket}/k", {"Content-Length": "10"}, payload="UNSIGNED-PAYLOAD") + b"half"
        )
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        while connection.recv(4096):
            pass
    assert stored(origin, f"/{bucket}/k") is None


def test_a_connection_goes_on_after_a_refusal_with_a_small_body(origin: Origin, bucket: str) -> None:
    with origin.connect() as connection:
        connection.sendall(origin.head("PUT", "/no-such-bucket-here/k", body=b"some body") + b"some body")
        assert read(connection, "PUT").code == "NoSuchBucket"
        connection.sendall(origin.head("PUT", f"/{bucket}/k", body=b"next") + b"next")
        assert read(connection, "PUT").status == 200


def test_an_xml_body_over_its_limit_is_refused(origin: Origin, bucket: str) -> None:
    reply = origin.ask("PUT", f"/{bucket}/?acl", body=b"<AccessControlPolicy>" + b" " * 100_000)
    assert (reply.status, reply.code) == (400, "MaxMessageLengthExceeded")


# Bytes that are not meant well


def hostile() -> Iterator[tuple[str, bytes]]:
    yield "two lengths", b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"
    yield (
        "length and chunked",
        (b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    )
    yield "space before colon", b"GET /b/k HTTP/1.1\r\nHost : h\r\n\r\n"
    yield "folded header", b"GET /b/k HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n"
    yield "bare cr", b"GET /b/k HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"
    yield "no http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    yield "negative length", b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"
    yield (
        "strange chunk size",
        b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
    )
    yield "header flood", b"GET /b/k HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 500 + b"\r\n"
    yield "long header", b"GET /b/k HTTP/1.1\r\nHost: h\r\nA: " + b"b" * 40_000 + b"\r\n\r\n"
    yield "long target", b"GET /b/" + b"k" * 40_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(("name", "raw"), list(hostile()), ids=lambda value: value if isinstance(value, str) else "")
def test_hostile_bytes_are_refused_and_the_connection_ends(origin: Origin, name: str, raw: bytes) -> None:
    with origin.connect() as connection:
        connection.sendall(raw)
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
    assert received.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 403")), received[:200]
    assert received.count(b"HTTP/1.") == 1
    assert b"<Error>" in received
    assert origin.ask("GET", "/-/health", signed=False).status == 200


def test_every_answer_names_its_request(origin: Origin, bucket: str) -> None:
    for target in ("/", f"/{bucket}", f"/{bucket}/nothing", f"/{bucket}?nonsense"):
        reply = origin.ask("GET", target)
        assert len(reply.headers["x-amz-request-id"]) == 16
        assert reply.headers["x-amz-id-2"]
        if reply.status >= 400:
            assert f"<RequestId>{reply.headers['x-amz-request-id']}</RequestId>".encode() in reply.body
            assert b"<Resource>" in reply.body
