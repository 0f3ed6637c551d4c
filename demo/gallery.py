"""The gallery: one page of a small local server, whose pictures all come from the edge.

The page shows what its reader's browser was given. A script cannot see the Accept that the browser sends for
pictures, so the page loads one invisible picture from here, and this server tells the script what came with it.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from demo.reading import Source

_WIDTHS = (240, 480, 800, 1200, 1600)
_VARIANTS = (
    ("w=240&h=240&fit=cover", "a square cut from the middle"),
    ("w=240&h=240&fit=cover&gravity=south", "the same, from the lower edge"),
    ("w=240&h=240&fit=pad&bg=c8553d", "whole, on a ground of one colour"),
    ("w=240&h=160&fit=fill", "stretched"),
    ("w=240&quality=20", "at quality 20"),
    ("w=240&format=jpeg", "as JPEG, whoever asks"),
)
_MEMORY = 1000  # page views whose Accept is remembered
_PIXEL = bytes.fromhex("4749463839610100010080000000000000000021f90401000000002c00000000010001000002024401003b")


@dataclass(frozen=True)
class Picture:
    """One figure of the page; bytes is the size of the source."""

    name: str
    url: str
    srcset: str
    width: int
    height: int
    bytes: int


def serve(edge: str, bucket: str, sources: Sequence[Source], ready: Callable[[str], None]) -> None:
    """Serve the gallery on a free port of this machine until SIGINT or SIGTERM; `ready` is told its URL first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ready(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        web.run_app(application(edge, bucket, sources), sock=listener, print=None, access_log=None)


def application(edge: str, bucket: str, sources: Sequence[Source]) -> web.Application:
    """The page, the invisible picture, and what came with it."""
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    template = templates.get_template("gallery.html.j2")
    pictures = [_picture(edge, bucket, source) for source in sources]
    accepts: dict[str, str] = {}

    async def page(_request: web.Request) -> web.Response:
        view = secrets.token_hex(8)
        html = template.render(edge=edge, pictures=pictures, photo=pictures[0], variants=_VARIANTS, view=view)
        return web.Response(text=html, content_type="text/html")

    async def invisible(request: web.Request) -> web.Response:
        while len(accepts) >= _MEMORY:
            accepts.pop(next(iter(accepts)))
        accepts[request.match_info["view"]] = request.headers.get("Accept", "")
        return web.Response(body=_PIXEL, content_type="image/gif", headers={"Cache-Control": "no-store"})

    async def accept(request: web.Request) -> web.Response:
        return web.Response(text=accepts.get(request.match_info["view"], "*/*"), headers={"Cache-Control": "no-store"})

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/accept/{view}.gif", invisible)
    app.router.add_get("/accept/{view}", accept)
    return app


def _picture(edge: str, bucket: str, source: Source) -> Picture:
    url = f"{edge}/{bucket}/{source.name}"
    width, height = source.size
    widths = [each for each in _WIDTHS if each < width] or [width]
    srcset = ", ".join(f"{url}?w={each} {each}w" for each in widths)
    return Picture(source.name, url, srcset, width, height, len(source.body))
