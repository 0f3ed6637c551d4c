"""The servers that stand beside ours in a run: nginx in three shapes and a bare aiohttp server with the same bytes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conf.errors import StartError

PATIENCE = 60
"""Seconds that a server may take to start."""

_BARE = """
import asyncio, sys, uvloop
from aiohttp import web
body = open(sys.argv[2], "rb").read()
async def answer(request):
    return web.Response(body=body, content_type="image/avif")
async def main():
    server = await asyncio.get_running_loop().create_server(web.Server(answer), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
uvloop.run(main())
"""

_DRAIN = """
import asyncio, sys, uvloop
from aiohttp import web
async def answer(request):
    async for piece in request.content.iter_any():
        pass
    return web.Response()
async def main():
    server = await asyncio.get_running_loop().create_server(web.Server(answer), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
uvloop.run(main())
"""

_STREAM = """
import asyncio, sys, uvloop
from aiohttp import web
PIECE = bytes(256 * 1024)
async def answer(request):
    response = web.StreamResponse()
    response.content_length = int(sys.argv[2])
    await response.prepare(request)
    for at in range(0, response.content_length, len(PIECE)):
        await response.write(PIECE)
    return response
async def main():
    server = await asyncio.get_running_loop().create_server(web.Server(answer), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
uvloop.run(main())
"""

_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 16384; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    proxy_cache_path {folder}/cache keys_zone=c:10m max_size=1g use_temp_path=off;
    types {{ image/avif avif; }}
    server {{ listen 127.0.0.1:{static}; root {folder}/www; {files} }}
    server {{ listen 127.0.0.1:{cached}; {files}
        location / {{ proxy_pass http://127.0.0.1:{static}; proxy_cache c; proxy_cache_valid 200 1h; }} }}
}}
"""


_BEFORE = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 16384; }}
http {{
    access_log off; sendfile on;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    proxy_cache_path {folder}/cache keys_zone=c:10m max_size=1g use_temp_path=off;
    server {{ listen 127.0.0.1:{port} backlog=4096;
        location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_cache c; proxy_cache_lock on; }} }}
}}
"""


def _nginx_program() -> str:
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise StartError("the benchmarks need nginx: apt-get install nginx")
    return program


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def nginx(folder: Path, body: bytes, *, open_file_cache: bool) -> Iterator[tuple[str, str, int]]:
    """One-worker nginx: (static URL, proxy_cache URL, process id). Raises StartError where it is not installed."""
    program = _nginx_program()
    (folder / "www").mkdir(parents=True)
    (folder / "www" / "a.avif").write_bytes(body)
    static, cached = free_port(), free_port()
    files = "open_file_cache max=1000; open_file_cache_valid 60s;" if open_file_cache else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, static=static, cached=cached, files=files))
    with started([program, "-p", str(folder), "-c", str(config)], cached) as pid:
        yield f"http://127.0.0.1:{static}/a.avif", f"http://127.0.0.1:{cached}/a.avif", pid


@contextmanager
def nginx_before(folder: Path, upstream: int) -> Iterator[tuple[str, int]]:
    """nginx with proxy_cache and its lock before a loopback port: (URL, process id). Raises StartError."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_BEFORE.format(folder=folder, port=port, upstream=upstream))
    with started([_nginx_program(), "-p", str(folder), "-c", str(config)], port) as pid:
        yield f"http://127.0.0.1:{port}", pid


@contextmanager
def varnish(folder: Path, upstream: str) -> Iterator[tuple[str, int]]:
    """Varnish in front of an upstream, everything in 256 MB of memory: (URL of the upstream's path, process id of its
    manager). Raises StartError where it is not installed."""
    program = shutil.which("varnishd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise StartError("varnishd is not installed (apt-get install varnish)")
    folder.mkdir()
    parts = urlsplit(upstream)
    port = free_port()
    policy = folder / "policy.vcl"
    policy.write_text(
        f'vcl 4.1;\nbackend upstream {{ .host = "{parts.hostname}"; .port = "{parts.port}"; }}\n'
        "sub vcl_backend_response { set beresp.ttl = 1h; }\n"
    )
    command = [program, "-F", "-n", str(folder / "work"), "-a", f"127.0.0.1:{port}", "-f", str(policy)]
    command += ["-j", "none", "-s", "malloc,256m", "-p", "thread_pools=1", "-p", "thread_pool_max=1000"]
    with started(command, port) as pid:
        yield f"http://127.0.0.1:{port}{parts.path}", pid


@contextmanager
def bare_aiohttp(folder: Path, body: bytes) -> Iterator[tuple[str, int]]:
    """aiohttp's low-level server on uvloop with one fixed answer: the ceiling of the ordinary path. (URL, pid)."""
    file = folder / "body"
    file.write_bytes(body)
    port = free_port()
    with started([sys.executable, "-c", _BARE, str(port), str(file)], port) as pid:
        yield f"http://127.0.0.1:{port}/", pid


@contextmanager
def bare_drain() -> Iterator[tuple[str, int]]:
    """aiohttp's low-level server that reads every body and keeps nothing. (URL, pid)."""
    port = free_port()
    with started([sys.executable, "-c", _DRAIN, str(port)], port) as pid:
        yield f"http://127.0.0.1:{port}", pid


@contextmanager
def bare_stream(size: int) -> Iterator[tuple[str, int]]:
    """aiohttp's low-level server that streams `size` bytes from memory. (URL, pid)."""
    port = free_port()
    with started([sys.executable, "-c", _STREAM, str(port), str(size)], port) as pid:
        yield f"http://127.0.0.1:{port}", pid


@contextmanager
def started(command: list[str], port: int, **options: Any) -> Iterator[int]:
    """A server's process id, once it listens on its port; options are those of Popen. Raises StartError."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    patience = time.monotonic() + PATIENCE
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.monotonic() > patience:
                raise StartError(f"{command[0]} did not listen on port {port} within {PATIENCE} s")
            time.sleep(0.02)
        if process.poll() is not None:
            raise StartError(f"{command[0]} ended with status {process.returncode}")
        yield process.pid
    finally:
        process.terminate()
        process.wait()
