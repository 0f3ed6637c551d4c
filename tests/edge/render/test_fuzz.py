"""A short run of the fuzzer: `python -m bench.fuzz` is the long one."""

from __future__ import annotations

from pathlib import Path

from bench.fuzz import PLAN, attempt
from bench.mutate import WHOLE, cases
from conf.schema import Render
from edge.render.pool import RendererPool, SourceRef

SEEDS = 12


async def test_no_broken_picture_ends_or_stops_a_renderer(tmp_path: Path) -> None:
    pool = RendererPool(Render(renderers=2))
    await pool.start()
    try:
        before = pool.pids
        for kind, seed, body in cases(0, SEEDS):
            assert not await attempt(pool, tmp_path / "source", body), (kind, seed)
        for number, make in enumerate(WHOLE.values()):
            path = tmp_path / str(number)
            path.write_bytes(body := bytes(make()))
            assert (await pool.render(SourceRef(str(path), 0, len(body)), PLAN)).width == 48
        assert pool.pids == before
    finally:
        await pool.close()
