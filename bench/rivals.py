"""Other ways to make the same rendering: what a shrinking decoder in gamma space, `vips thumbnail` and sharp give.

The rule of this file: each rival takes a source file, the size of the result, a format and the quality its project
uses for JPEG 80 (imgproxy's defaults: WebP 79 at effort 4, AVIF 63 at speed 8), and gives the bytes and the CPU
milliseconds. One thread each.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyvips

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

Made = tuple[bytes, float]
"""The bytes, and CPU milliseconds."""
Maker = Callable[[Path, int, int, str], Made]

_SAVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("jpegsave_buffer", {"Q": 80}),
    "webp": ("webpsave_buffer", {"Q": 79, "effort": 4}),
    "avif": ("heifsave_buffer", {"Q": 63, "compression": "av1", "effort": 1, "bitdepth": 8}),
    "png": ("pngsave_buffer", {}),
}


def timed(make: Callable[[], bytes]) -> Made:
    """What it makes, and the CPU milliseconds of this process."""
    before = time.process_time()
    body = make()
    return body, 1000 * (time.process_time() - before)


def _saved(image: Image, form: str) -> bytes:
    saver, options = _SAVERS[form]
    return bytes(getattr(image, saver)(keep="none", **options))


def shrinking(path: Path, width: int, height: int, form: str) -> Made:
    """Shrink on load as far as the decoder can, then Lanczos 3 on gamma numbers (what imgproxy 4 does)."""

    def make() -> bytes:
        image = pyvips.Image.new_from_file(str(path), access="sequential")
        if image.get("vips-loader").startswith("jpeg"):
            room = min(image.width / width, image.height / height)
            shrink = next((shrink for shrink in (8, 4, 2) if shrink <= room), 1)
            image = pyvips.Image.new_from_file(str(path), access="sequential", shrink=shrink)
        return _saved(image.resize(width / image.width, vscale=height / image.height), form)

    return timed(make)


def thumbnail(path: Path, width: int, height: int, form: str) -> Made:
    """`vips thumbnail` as it comes."""
    return timed(
        lambda: _saved(pyvips.Image.thumbnail(str(path), width, height=height, size="force", no_rotate=True), form)
    )


_SHARP = """
const sharp = require("sharp"), fs = require("fs");
sharp.cache(false); sharp.concurrency(1);
const options = { jpeg: { quality: 80 }, webp: { quality: 79, effort: 4 }, avif: { quality: 63, effort: 1 }, png: {} };
require("readline").createInterface({ input: process.stdin }).on("line", async (line) => {
  const { path, width, height, form, to } = JSON.parse(line);
  const before = process.cpuUsage();
  await sharp(path).resize(width, height, { fit: "fill" }).toFormat(form, options[form]).toFile(to);
  const used = process.cpuUsage(before);
  console.log((used.user + used.system) / 1000);
});
"""


@contextlib.contextmanager
def sharp(folder: Path) -> Iterator[Maker]:
    """sharp in one node process; `folder` is where `npm install sharp` was run."""
    process = subprocess.Popen(
        ["node", "-e", _SHARP], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    requests, answers = process.stdin, process.stdout
    with process, tempfile.TemporaryDirectory() as results:

        def make(path: Path, width: int, height: int, form: str) -> Made:
            to = Path(results, "result")
            asked = {"path": str(path.resolve()), "width": width, "height": height, "form": form, "to": str(to)}
            requests.write(json.dumps(asked) + "\n")
            requests.flush()
            milliseconds = float(answers.readline())
            return to.read_bytes(), milliseconds

        yield make
        requests.close()
