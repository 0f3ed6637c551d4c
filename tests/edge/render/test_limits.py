"""Bombs, polyglots and lying sizes: refused quickly, in little memory, by a renderer that goes on."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from conf.schema import Render
from demo import pictures
from edge.render.errors import TooLarge, Unreadable
from edge.render.pool import RendererPool, SourceRef
from tests.edge.render.oracle import plan

MEMORY_ABOVE_IDLE = 100 * 1024 * 1024
SECONDS = 1.0


def png(width: int, height: int, rows: bytes) -> bytes:
    """A grey PNG of 1 bit a pixel with these deflated rows."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def claiming(body: bytes, at: int, form: str, width: int, height: int) -> bytes:
    """The file with another size written into its header."""
    return body[:at] + struct.pack(form, width, height) + body[at + struct.calcsize(form) :]


def jpeg_bomb() -> bytes:
    body = bytes(pictures.solid(64, 64, (1, 2, 3)).jpegsave_buffer())
    return claiming(body, body.index(b"\xff\xc0") + 5, ">HH", 65_500, 65_500)


def gif_of_frames(count: int) -> bytes:
    frame = pictures.GifFrame(b"\0", 0, 0, 1, 1, delay=1)
    return pictures.gif(20_000, 20_000, [(0, 0, 0), (1, 1, 1)], [frame] * count)


def webp_bomb() -> bytes:
    body = bytes(pictures.solid(64, 64, (1, 2, 3)).webpsave_buffer(lossless=True))
    at = body.index(b"VP8L") + 9
    size = (16_383 | 16_383 << 14).to_bytes(4, "little")
    return body[:at] + size[:3] + bytes([body[at + 3] & 0xF0 | size[3] & 0x0F]) + body[at + 4 :]


BOMBS: dict[str, Callable[[], bytes]] = {
    "a PNG of 60,000 × 60,000 zeros": lambda: png(60_000, 60_000, zlib.compress(b"\0" * 50_000_000, 9)),
    "a PNG that inflates beyond its size": lambda: png(100, 100, zlib.compress(b"\0" * 200_000_000, 9)),
    "a JPEG that says 65,500 × 65,500": jpeg_bomb,
    "a GIF of 2,000 frames on 400 megapixels": lambda: gif_of_frames(2000),
    "a GIF of one frame on 400 megapixels": lambda: gif_of_frames(1),
    "a WebP that says 16,384 × 16,384": webp_bomb,
    "an SVG of a hundred thousand pixels a side": lambda: (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="100000" height="100000"/>'
    ),
    "a TIFF of nothing but a size": lambda: bytes(pictures.solid(8, 8, (1, 2, 3)).tiffsave_buffer())[:60],
    "a ZIP behind magic bytes of a JPEG": lambda: b"\xff\xd8\xff\xe0" + b"PK\x03\x04" * 100_000,
    "HTML behind magic bytes of a GIF": lambda: b"GIF89a/*<script>alert(1)</script>*/=1;" * 1000,
}


def peak(pid: int) -> int:
    """The most memory that a process has held, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.parametrize("name", BOMBS)
async def test_bombs_are_answered_at_once_in_little_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(body := BOMBS[name]())
    source = SourceRef(str(path), 0, len(body))
    pool = RendererPool(Render(renderers=1))
    await pool.start()
    try:
        (pid,) = pool.pids
        idle = peak(pid)
        used = _cpu(pid)
        with suppress(Unreadable, TooLarge):
            await pool.render(source, plan(100, 100, "webp", animated=True))
        assert _cpu(pid) - used < SECONDS
        assert peak(pid) - idle < MEMORY_ABOVE_IDLE
        assert pool.pids == [pid]
    finally:
        await pool.close()


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used: waiting for others does not count."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
