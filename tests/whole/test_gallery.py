"""The gallery in a real browser: what its page says is what the browser was given."""

from __future__ import annotations

import asyncio
import re
from mimetypes import guess_type
from pathlib import Path

from aiohttp import web

from demo.gallery import application
from demo.reading import Source
from tests.programs import need
from tests.running import Running

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=30000",
)


async def test_a_browser_is_shown_what_it_was_given(facet: Running, gallery: dict[str, Path], tmp_path: Path) -> None:
    chromium = need("chromium")
    sources = [Source(name, guess_type(name)[0] or "", path.read_bytes()) for name, path in gallery.items()]
    runner = web.AppRunner(application(facet.edge, "pictures", sources))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        browser = await asyncio.create_subprocess_exec(
            chromium,
            *QUIET,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            f"http://127.0.0.1:{runner.addresses[0][1]}/",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        page = (await asyncio.wait_for(browser.communicate(), 90))[0].decode()
    finally:
        await runner.cleanup()
    assert 'data-done="yes"' in page
    captions = dict(re.findall(r'<b>([^<]+)</b>(?:<code>.*?</code>)?<span class="got">(.*?)</span>', page))
    assert not [text for text in captions.values() if "could not be read" in text]
    assert captions["evening-hills.jpg"].startswith("avif, ")
    assert captions["gem.png"].startswith(("avif, ", "webp, "))
    assert captions["facet.svg"].startswith("svg, ")
    assert captions["as JPEG, whoever asks"].startswith("jpeg, ")
