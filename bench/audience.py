"""An audience of a cold film: `python -m bench.audience [--viewers N] [--megabytes N] [--rate N]`.

The method: an upstream that gives `rate` MB/s to all its connections together has one film; a real `facet up` has
none of it. All viewers ask for the film at the same moment; when the first tenth has come, another asks for its last
100 kB. What counts is measured at the upstream and at the viewers: bytes of body that left the upstream, the time
until each viewer had its first byte, and how much of the film had come when the late range was answered.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console

from bench.running import running

_BLOCK = 64 * 1024
_LATE = 100_000  # bytes of the late range


@dataclass
class Upstream:
    """A web server with one film and little breath."""

    film: bytes
    rate: float
    """Bytes a second, all connections together."""
    sent: int = 0
    _free: float = field(default_factory=time.monotonic)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the connection ends."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                await self._answer(fields.get("range"), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, wanted: str | None, writer: asyncio.StreamWriter) -> None:
        start, stop, status, more = 0, len(self.film), "200 OK", ""
        if wanted is not None:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop, status = int(first), int(last) + 1, "206 Partial Content"
            more = f"Content-Range: bytes {start}-{stop - 1}/{len(self.film)}\r\n"
        said = 'ETag: "film"\r\nAccept-Ranges: bytes\r\nContent-Type: video/mp4\r\nCache-Control: max-age=3600\r\n'
        writer.write(f"HTTP/1.1 {status}\r\n{said}{more}Content-Length: {stop - start}\r\n\r\n".encode())
        for at in range(start, stop, _BLOCK):
            block = self.film[at : min(stop, at + _BLOCK)]
            self._free = max(self._free, time.monotonic()) + len(block) / self.rate
            await asyncio.sleep(self._free - time.monotonic())
            self.sent += len(block)
            writer.write(block)
            await writer.drain()


async def watch(edge: str, began: float, *fields: str) -> tuple[float, float, int]:
    """Read one answer: seconds until its first byte of body and until its end, and the bytes of its body."""
    parts = urlsplit(edge)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        "\r\n".join(("GET /film.mp4 HTTP/1.1", "Host: film.test", "Connection: close", *fields, "", "")).encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    count = len(await reader.read(1))
    first = time.monotonic() - began
    while block := await reader.read(1 << 20):
        count += len(block)
    writer.close()
    return first, time.monotonic() - began, count


async def measure(edge: str, upstream: Upstream, viewers: int) -> tuple[list[tuple[float, float, int]], float, float]:
    """What the viewers saw, how long the late range took, and which part of the film had come by then."""
    began = time.monotonic()
    watching = [asyncio.create_task(watch(edge, began)) for _ in range(viewers)]
    while upstream.sent < len(upstream.film) / 10:
        await asyncio.sleep(0.01)
    asked = time.monotonic()
    await watch(edge, asked, f"Range: bytes={len(upstream.film) - _LATE}-")
    late, come = time.monotonic() - asked, upstream.sent / len(upstream.film)
    return await asyncio.gather(*watching), late, come


async def _run(folder: Path, viewers: int, size: int, rate: float, console: Console) -> None:
    upstream = Upstream(bytes(size), rate)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    site = f'[{{"name":"film","host":"film.test","upstream":"http://127.0.0.1:{port}"}}]'

    def audience() -> tuple[list[tuple[float, float, int]], float, float]:
        with running(folder, FACET_SITES=site) as facet:
            return asyncio.run(measure(facet.edge, upstream, viewers))

    seen, late, come = await asyncio.to_thread(audience)
    server.close()
    firsts = sorted(first for first, _, _ in seen)
    console.print(f"{viewers} viewers, {size / 1e6:.0f} MB at {rate / 1e6:.0f} MB/s")
    console.print(f"left the upstream: {upstream.sent / 1e6:.1f} MB ({upstream.sent / size:.2f} films)")
    console.print(f"first byte: median {firsts[len(firsts) // 2] * 1e3:.0f} ms, latest {firsts[-1] * 1e3:.0f} ms")
    console.print(f"last byte: {max(end for _, end, _ in seen):.1f} s; whole: {sum(n == size for _, _, n in seen)}")
    console.print(f"late range: after {late * 1e3:.0f} ms, when {come:.0%} of the film had come")


@click.command()
@click.option("--viewers", default=100, show_default=True)
@click.option("--megabytes", default=80, show_default=True)
@click.option("--rate", default=10, show_default=True, help="MB/s")
def main(viewers: int, megabytes: int, rate: int) -> None:
    """An audience of a cold film."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_run(Path(folder), viewers, megabytes * 1_000_000, rate * 1e6, Console(highlight=False)))


if __name__ == "__main__":
    main()
