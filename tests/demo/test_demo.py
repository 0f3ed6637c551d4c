"""The demo, end to end: the real Facet, real uploads, every row judged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from demo import pictures
from demo.gallery import application
from demo.reading import Source


@pytest.mark.timeout(300)
def test_the_demo_shows_right_rows_only_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "demo.run", "--once"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 32 rows are right" in done.stdout
    for who in ("Chrome", "Safari", "old browser", "fediverse server"):
        assert who in done.stdout
    assert list(tmp_path.iterdir()) == []


async def test_the_gallery_offers_sizes_and_tells_a_page_what_its_pictures_accept() -> None:
    photo = Source("a&b.jpg", "image/jpeg", pictures.photo(600, 800))
    async with TestClient(TestServer(application("http://127.0.0.1:1", "pictures", [photo]))) as client:
        page = await (await client.get("/")).text()
        assert 'srcset="http://127.0.0.1:1/pictures/a&amp;b.jpg?w=240 240w, ' in page
        view = page.split('probe.src = "/accept/')[1].split(".gif")[0]
        await client.get(f"/accept/{view}.gif", headers={"Accept": "image/avif,*/*"})
        assert await (await client.get(f"/accept/{view}")).text() == "image/avif,*/*"
        assert await (await client.get("/accept/other")).text() == "*/*"
