"""The real nginx between a client that sends exact bytes and peers that write down exact bytes."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.nginx import configuration, servers_only
from tests.nginx.running import (
    ASSETS,
    DOMAIN,
    MEDIA,
    NAMES,
    PLAIN,
    S3,
    SECRET,
    Front,
    Peer,
    fronted,
    receive,
    settings_for,
)
from tests.pki import make_pki
from tests.programs import need


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Peer, Peer]]:
    with fronted(tmp_path_factory.mktemp("nginx"), max_body=1024 * 1024) as running:
        yield running


@pytest.fixture
def front(house: tuple[Front, Peer, Peer]) -> Front:
    return house[0]


@pytest.fixture
def edge(house: tuple[Front, Peer, Peer]) -> Peer:
    return house[1]


@pytest.fixture
def origin(house: tuple[Front, Peer, Peer]) -> Peer:
    return house[2]


def request(method: str, target: str, host: str, *fields: str, body: str = "") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


ODD_PATHS = [
    "//a//b///c",
    "/a%2Fb%2f%2e%2e/c",
    "/a/../b/./c",
    "/a//../b",
    "/caf%C3%A9/%E2%98%83.png",
    "/café/☃.png",
    "/%FF%FE",
    "/a+b%20c%2Bd;e=f,g:h@i!$&'()*~",
    "/a%3Fb%23c%25d",
    "/a?w=1&w=2&x=%2F//../?",
    "/?",
    "/a?",
    "/[x]{y}|z^`",
]


@pytest.mark.parametrize("target", ODD_PATHS)
def test_a_path_reaches_the_edge_byte_for_byte(front: Front, edge: Peer, target: str) -> None:
    assert front.send(request("GET", target, MEDIA)).startswith(b"HTTP/1.1 200")
    assert edge.target() == target.encode()


@pytest.mark.parametrize("target", ODD_PATHS)
def test_a_path_reaches_the_origin_byte_for_byte(front: Front, origin: Peer, target: str) -> None:
    assert front.send(request("PUT", target, S3, "Content-Length: 1", body="x"), host=S3).startswith(b"HTTP/1.1 200")
    assert origin.target() == target.encode()


@pytest.mark.parametrize("target", ["//a//b", "/a%2Fb", "/caf%C3%A9", "/a/../b", "/a?"])
def test_a_path_over_http2_is_untouched(front: Front, edge: Peer, target: str) -> None:
    status, _, _ = front.curl(f"https://{MEDIA}:{front.https}{target}")
    assert status == 200
    assert edge.target() == target.encode()


@pytest.mark.parametrize("spelling", [S3, S3.upper(), f"{S3}:8443", f"bucket.{DOMAIN}", f"a.b.{DOMAIN}:443"])
def test_the_host_goes_on_as_it_was_signed(front: Front, origin: Peer, spelling: str) -> None:
    name = spelling.split(":")[0].lower()
    server_name = S3 if name.startswith("a.b.") else name  # a wildcard certificate covers one label
    assert front.send(request("GET", "/", spelling), host=server_name).startswith(b"HTTP/1.1 200")
    assert origin.fields()[b"host"] == spelling.encode()


def test_the_host_over_http2_has_the_port_that_the_client_named(front: Front, origin: Peer) -> None:
    front.curl(f"https://{S3}:{front.https}/bucket/key")
    assert origin.fields()[b"host"] == f"{S3}:{front.https}".encode()


def test_a_client_cannot_say_who_it_is_or_steer_the_edge(front: Front, edge: Peer) -> None:
    lies = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil", "X-Forwarded-Port: 1"]
    lies += ["Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "Proxy: evil", "X_Forwarded_For: 6.6.6.6"]
    lies += ["X-Accel-Redirect: /", "X-Accel-Mapping: /=/", "X-Facet-Access: key", "X-Facet-Identity: 00"]
    lies += ["Authorization: Basic eDp5", "Cookie: a=b", "Upgrade: h2c", "TE: trailers", "Keep-Alive: 9"]
    front.send(request("GET", "/a", MEDIA, *lies))
    fields = edge.fields()
    assert fields[b"x-forwarded-for"] == b"127.0.0.1"
    assert fields[b"x-forwarded-proto"] == b"https"
    kept = {line.split(":")[0].lower().encode() for line in lies} & fields.keys()
    assert kept == {b"x-forwarded-for", b"x-forwarded-proto"}


def test_what_decides_a_representation_goes_on(front: Front, edge: Peer) -> None:
    sent = ["Accept: image/avif,image/webp;q=0.8", "Accept-Encoding: br, gzip", "Range: bytes=0-1", 'If-Range: "x"']
    sent += ['If-None-Match: "a", W/"b"', "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT", "CDN-Loop: other"]
    sent += ["Via: 1.1 other", "Origin: https://social.example", "User-Agent: x  y", "Save-Data: on"]
    front.send(request("GET", "/a", MEDIA, *sent))
    fields = edge.fields()
    for line in sent:
        name, _, value = line.partition(": ")
        assert fields[name.lower().encode()] == value.encode()


def test_signed_fields_of_an_upload_go_on_whatever_their_name(front: Front, origin: Peer) -> None:
    sent = ["Authorization: AWS4-HMAC-SHA256 x", "x-amz-meta-a_b.c: 1", "x-amz-meta-!#$: 2", "Cookie: c=d"]
    front.send(request("PUT", "/b/k", S3, *sent, "Content-Length: 0"), host=S3)
    fields = origin.fields()
    for line in sent:
        name, _, value = line.partition(": ")
        assert fields[name.lower().encode()] == value.encode()


def test_the_date_of_a_stored_answer_is_kept(front: Front) -> None:
    assert b"\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" in front.send(request("GET", "/a", MEDIA))


def test_an_upstream_cannot_steer_nginx(front: Front, edge: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    steering = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Accel-Redirect: /elsewhere\r\n\r\nok"
    monkeypatch.setattr(edge, "answer", steering)
    before = len(edge.heads)
    assert front.send(request("GET", "/a", MEDIA)).endswith(b"\r\n\r\nok")
    assert len(edge.heads) == before + 1


def test_errors_of_the_edge_pass_with_their_own_words(
    front: Front, edge: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "answer", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\nX-Own: yes\r\n\r\nown")
    answer = front.send(request("GET", "/a", MEDIA))
    assert b"X-Own: yes" in answer
    assert answer.endswith(b"own")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PROPFIND", "TRACE", "PURGE"])
@pytest.mark.parametrize("host", [MEDIA, ASSETS, PLAIN])
def test_public_hosts_refuse_every_method_that_writes(front: Front, edge: Peer, method: str, host: str) -> None:
    before = len(edge.heads)
    answer = front.send(request(method, "/a", host), host=host)
    assert answer.startswith(b"HTTP/1.1 405")
    assert len(edge.heads) == before
    if method != "TRACE":  # nginx refuses it before any configuration is asked
        assert b"\r\nAllow: GET, HEAD, OPTIONS\r\n" in answer
        assert b"\r\nAccess-Control-Allow-Origin: *\r\n" in answer
        assert b"\r\nX-Content-Type-Options: nosniff\r\n" in answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 405


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_public_hosts_pass_every_method_that_reads(front: Front, edge: Peer, method: str) -> None:
    front.send(request(method, "/a", MEDIA))
    assert edge.heads[-1].startswith(method.encode() + b" /a ")


def test_a_purge_that_carries_a_secret_is_for_the_edge_to_judge(front: Front, edge: Peer) -> None:
    for secret in (SECRET, "a wrong one"):
        front.send(request("PURGE", "/a", MEDIA, f"X-Facet-Purge: {secret}"))
        assert edge.heads[-1].startswith(b"PURGE /a ")
        assert edge.fields()[b"x-facet-purge"] == secret.encode()


def test_a_body_has_no_place_on_a_public_host(front: Front, edge: Peer) -> None:
    before = len(edge.heads)
    answer = front.send(request("GET", "/a", MEDIA, "Content-Length: 1000000"), until=b"}")
    assert answer.startswith(b"HTTP/1.1 413")
    assert len(edge.heads) == before


def test_an_unknown_name_gets_no_handshake(front: Front) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"):
        front.connect("unknown.example.test")


def test_an_unknown_host_on_a_known_connection_is_misdirected(front: Front, edge: Peer, origin: Peer) -> None:
    before = len(edge.heads) + len(origin.heads)
    assert front.send(request("GET", "/a", "unknown.example.test")).startswith(b"HTTP/1.1 421")
    assert len(edge.heads) + len(origin.heads) == before


def test_plain_http_leads_to_https_and_keeps_method_and_path(front: Front) -> None:
    for host in (MEDIA, S3, f"bucket.{DOMAIN}"):
        answer = front.send(request("PUT", "//a%2Fb?w=1", host), tls=False)
        assert answer.startswith(b"HTTP/1.1 308")
        assert f"\r\nLocation: https://{host}:{front.https}//a%2Fb?w=1\r\n".encode() in answer
    assert front.send(request("GET", "/", "unknown.example.test"), tls=False).startswith(b"HTTP/1.1 421")


def test_a_certificate_challenge_is_answered_over_plain_http(front: Front) -> None:
    challenge = front.settings.nginx.acme / ".well-known" / "acme-challenge" / "token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("proof")
    answer = front.send(request("GET", "/.well-known/acme-challenge/token", MEDIA), tls=False)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"proof")


def test_expect_100_continue_is_answered_before_any_body_is_sent(front: Front, origin: Peer) -> None:
    head = request("PUT", "/b/k", S3, "Expect: 100-continue", "Content-Length: 5")
    with front.connect(S3) as stream:
        stream.sendall(head)
        assert receive(stream, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        stream.sendall(b"hello")
        assert b"HTTP/1.1 200" in receive(stream)
    assert origin.bodies[-1] == b"hello"
    assert b"expect" not in origin.fields()


def test_a_body_over_the_limit_is_refused_before_it_is_sent(front: Front, origin: Peer) -> None:
    before = len(origin.heads)
    head = request("PUT", "/b/k", S3, "Expect: 100-continue", "Content-Length: 2000000")
    answer = front.send(head, host=S3, until=b"</Error>")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"<Code>EntityTooLarge</Code>" in answer
    assert len(origin.heads) == before


def test_a_request_body_streams_to_the_origin_while_it_is_sent(front: Front, origin: Peer) -> None:
    before = len(origin.heads)
    with front.connect(S3) as stream:
        stream.sendall(request("PUT", "/b/streamed", S3, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
        with origin.arrived:  # the origin has the head although the body has not ended
            assert origin.arrived.wait_for(lambda: len(origin.heads) > before, timeout=20)
        assert origin.target() == b"/b/streamed"
        stream.sendall(b"3\r\ndef\r\n0\r\n\r\n")
        assert b"HTTP/1.1 200" in receive(stream)
    assert origin.bodies[-1].replace(b"\r\n", b"").replace(b"3", b"") == b"abcdef0"
    assert origin.fields()[b"transfer-encoding"] == b"chunked"


def test_the_first_bytes_of_an_answer_do_not_wait_for_the_rest(
    front: Front, origin: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origin, "answer", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n ")
    with front.connect(S3) as stream:
        stream.sendall(request("POST", "/b/k?uploadId=1", S3, "Content-Length: 0"))
        assert receive(stream, b"\r\n\r\n ").endswith(b"\r\n\r\n ")


def test_the_access_log_is_json_and_keeps_no_signature(front: Front) -> None:
    front.send(request("GET", '/logged/"\\x?X-Amz-Signature=secret&X-Amz-Expires=60', S3), host=S3)
    front.send(request("GET", "/logged?w=10", MEDIA))
    lines = (front.settings.nginx.logs / "facet.access.log").read_text("utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    logged = [entry["url"] for entry in entries if entry["url"].startswith("/logged")]
    assert logged == ['/logged/"\\x?(signed)', "/logged?w=10"]


def test_what_cannot_be_reached_is_said_in_the_words_of_its_clients(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("unreachable")
    with fronted(folder, edges=["127.0.0.1:1"], origins=["127.0.0.1:1"]) as (alone, _, _):
        media = alone.send(request("GET", "/a", MEDIA))
        assert media.startswith(b"HTTP/1.1 502")
        assert b"\r\nRetry-After: 1\r\n" in media
        assert b"\r\nCache-Control: no-store\r\n" in media
        assert json.loads(media.partition(b"\r\n\r\n")[2])["title"] == "The edge cannot be reached"
        s3 = alone.send(request("GET", "/b/k", S3), host=S3)
        assert s3.startswith(b"HTTP/1.1 503")
        assert b"<Code>SlowDown</Code>" in s3


def test_all_variants_of_a_source_meet_the_same_node(tmp_path_factory: pytest.TempPathFactory) -> None:
    first, second = Peer(), Peer()
    with first.running(), second.running():
        folder = tmp_path_factory.mktemp("nodes")
        with fronted(folder, edges=[first.address, second.address]) as (front, _, _):
            for number in range(20):
                before = len(first.heads), len(second.heads)
                for target in (f"/b/{number}.jpg", f"/b/{number}.jpg?w=1", f"/b/{number}%2Ejpg?format=webp"):
                    front.send(request("GET", target, MEDIA))
                after = len(first.heads), len(second.heads)
                assert sorted((after[0] - before[0], after[1] - before[1])) == [0, 3]
            assert first.heads
            assert second.heads


def test_one_address_is_held_to_its_rate(tmp_path_factory: pytest.TempPathFactory) -> None:
    with fronted(tmp_path_factory.mktemp("rate"), rate=1, burst=2) as (front, _, _):
        answers = [front.send(request("GET", "/a", MEDIA))[:12] for _ in range(8)]
        assert answers[:3] == [b"HTTP/1.1 200"] * 3
        assert b"HTTP/1.1 429" in answers[3:]


NEIGHBOURS = """
user {user}; pid {folder}/other.pid; error_log {folder}/other.log;
events {{ worker_connections 768; }}
http {{
    sendfile on; tcp_nopush on; server_tokens build; gzip on; types_hash_max_size 2048;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    access_log {folder}/other.access.log;
    include {folder}/facet.conf;
    server {{ listen 127.0.0.1:{http} default_server; server_name _; root /nonexistent; }}
}}
"""


def test_the_servers_stand_alone_or_beside_the_sites_of_another(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, make_pki(tmp_path / "pki", NAMES), edge="127.0.0.1:8080", origin="127.0.0.1:9000")
    (tmp_path / "nginx.conf").write_text(configuration(settings, whole=False))
    (tmp_path / "facet.conf").write_text(servers_only(settings))
    names = {"user": settings.nginx.user, "folder": tmp_path, "http": settings.nginx.http}
    (tmp_path / "other.conf").write_text(NEIGHBOURS.format(**names))
    for file in ("nginx.conf", "other.conf"):
        command = [
            need("nginx"),
            "-t",
            "-p",
            str(tmp_path),
            "-e",
            str(tmp_path / "start.log"),
            "-c",
            str(tmp_path / file),
        ]
        check = subprocess.run(command, capture_output=True, text=True, check=False)
        assert check.returncode == 0, check.stderr
        warnings = [line for line in check.stderr.splitlines() if "[warn]" in line and '"user"' not in line]
        assert warnings == []  # but for "user", which has no effect where the tests do not run as root
