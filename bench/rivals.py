"""Other ways to make the same rendering: what a shrinking decoder in gamma space, `vips thumbnail`, sharp and
thumbor give.

The rule of this file: each rival takes a source file, the size of the result, a format and the quality its project
uses for JPEG 80 (imgproxy's defaults: WebP 79 at effort 4, AVIF 63 at speed 8), and gives the bytes and the CPU
milliseconds. One thread each.
"""

from __future__ import annotations

import contextlib
import json
import os
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


_THUMBOR = """
import io, json, sys, time
from types import SimpleNamespace
from thumbor.config import Config
from thumbor.engines.pil import Engine
config = Config(QUALITY=80, AVIF_SPEED=8)
quality = {"jpeg": 80, "webp": 79, "avif": 63, "png": None}
for line in sys.stdin:
    asked = json.loads(line)
    before = time.process_time()
    request = SimpleNamespace(focal_points=[], filters=None)
    engine = Engine(SimpleNamespace(config=config, request=request, modules=None, server=None))
    engine.load(open(asked["path"], "rb").read(), asked["extension"])
    engine.resize(asked["width"], asked["height"])
    extension = {"jpeg": ".jpg"}.get(asked["form"], "." + asked["form"])
    body = engine.read(extension, quality[asked["form"]])
    used = 1000 * (time.process_time() - before)
    open(asked["to"], "wb").write(body)
    print(used, flush=True)
"""


def sharp(folder: Path) -> contextlib.AbstractContextManager[Maker]:
    """sharp in one node process; `folder` is where `npm install sharp` was run."""
    return _process(["node", "-e", _SHARP], folder)


def thumbor(python: Path) -> contextlib.AbstractContextManager[Maker]:
    """thumbor's own engine in one process of a Python that has it (`pip install thumbor`)."""
    return _process([str(python), "-c", _THUMBOR], Path())


@contextlib.contextmanager
def _process(command: list[str], folder: Path) -> Iterator[Maker]:
    """A maker that reads a line of JSON, writes a file and answers with CPU milliseconds."""
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    requests, answers = process.stdin, process.stdout
    with process, tempfile.TemporaryDirectory() as results:

        def make(path: Path, width: int, height: int, form: str) -> Made:
            to = Path(results, "result")
            where = {"path": str(path.resolve()), "to": str(to), "extension": path.suffix.lower()}
            asked = where | {"width": width, "height": height, "form": form}
            requests.write(json.dumps(asked) + "\n")
            requests.flush()
            answer = answers.readline()
            if not answer:
                raise SystemExit(f"{command[0]} ended over {path.name}")
            return to.read_bytes(), float(answer)

        yield make
        requests.close()
