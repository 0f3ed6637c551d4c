"""A mutation fuzzer over every loader, in real renderers: `python -m bench.fuzz [--seconds 600] [--first 0]`.

Every broken picture is probed, rendered and stripped. The answer must be a result or a RenderError that names the
picture as the culprit; a crash or a timeout is a finding, printed with its seed and kept in --keep. At the end a
whole picture is rendered by every renderer.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.mutate import WHOLE, cases
from conf.schema import Render
from edge.policy.plan import RenderPlan
from edge.render.errors import Crashed, RenderError, TimedOut
from edge.render.pool import RendererPool, SourceRef

PLAN = RenderPlan(resize_width=48, resize_height=64, width=48, height=64, format="webp", quality=80, animated=True)
_BATCH = 50


async def attempt(pool: RendererPool, path: Path, body: bytes) -> list[RenderError]:
    """What went wrong with one broken picture, beyond what its brokenness explains."""
    path.write_bytes(body)
    source = SourceRef(str(path), 0, len(body))
    findings: list[RenderError] = []
    for work in (lambda: pool.render(source, PLAN), lambda: pool.strip(source)):
        try:
            await work()
        except (Crashed, TimedOut) as error:
            findings.append(error)
        except RenderError:
            continue
    return findings


async def fuzz(first: int, seconds: float, keep: Path) -> int:
    """Run for so many seconds; the number of findings."""
    counts: Counter[str] = Counter()
    pool = RendererPool(Render(renderers=2, deadline=10))
    await pool.start()
    until = time.monotonic() + seconds
    try:
        with tempfile.TemporaryDirectory() as folder:
            while time.monotonic() < until:
                for kind, seed, body in cases(first, _BATCH):
                    for error in await attempt(pool, Path(folder, "source"), body):
                        counts["findings"] += 1
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / f"{kind.replace(' ', '-')}-{seed}").write_bytes(body)
                        print(f"{kind} {seed}: {error.reason}: {error}", flush=True)
                    counts["files"] += 1
                first += _BATCH
            for number, make in enumerate(list(WHOLE.values()) * 2):
                path = Path(folder, f"whole-{number}")
                path.write_bytes(body := bytes(make()))
                await pool.render(SourceRef(str(path), 0, len(body)), PLAN)
    finally:
        await pool.close()
    print(f"{counts['files']} broken pictures, {counts['findings']} findings; next seed {first}")
    return counts["findings"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("findings"))
    asked = parser.parse_args()
    sys.exit(1 if asyncio.run(fuzz(asked.first, asked.seconds, asked.keep)) else 0)


if __name__ == "__main__":
    main()
