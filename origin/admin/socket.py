"""Administration of a running origin, over a Unix socket in its data folder.

The rule of this file: whoever can open the socket owns the data folder, so the file's mode is the authorisation. Every
errand is `POST /NAME` with its wish as JSON. The answer is a line of JSON for each report of progress and one for the
end, `{"answer": …}` or `{"error": CODE, "message": …}`. An errand ends with the connection of who asked.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import orjson
from aiohttp import web

from conf.errors import StartError
from conf.sockets import unix_address
from origin.admin.errands import ERRANDS, Errand
from origin.jobs.progress import Progress
from origin.service.model import ServiceError
from origin.service.service import Service

SOCKET = "admin.sock"
INTERVAL = 0.25
"""Seconds between lines of progress. A line is written also where nothing happened: it shows whether anybody reads."""
CLOSING = 1.0
"""How long errands may go on once the process is told to stop, in seconds."""


class AdminSocket:
    """Serves administration on DATA/origin/admin.sock while it is entered."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._service = service
        self._path = folder / SOCKET
        self._address = unix_address(self._path)
        application = web.Application()
        application.add_routes([web.post("/{errand}", self._handle)])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSING)

    async def __aenter__(self) -> None:
        await self._runner.setup()
        self._path.unlink(missing_ok=True)
        await web.UnixSite(self._runner, str(self._address)).start()
        self._path.chmod(0o600)

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        self._path.unlink(missing_ok=True)
        self._address.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        errand = ERRANDS.get(request.match_info["errand"])
        if errand is None:
            raise web.HTTPNotFound
        content = await request.read()
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        latest: dict[str, Progress] = {}
        running = asyncio.ensure_future(self._run(errand, content, latest))
        try:
            while not running.done():
                await asyncio.wait([running], timeout=INTERVAL)
                if not running.done():
                    told = [{"progress": latest.pop(what)} for what in list(latest)]
                    await response.write(b"".join(map(_line, told or [{}])))
            await response.write(_line(running.result()))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return response

    async def _run(self, errand: Errand, content: bytes, latest: dict[str, Progress]) -> dict[str, Any]:
        """The last line. `latest` gets the newest report of each step."""

        def tell(progress: Progress) -> None:
            latest[progress.what] = progress

        try:
            wish = msgspec.json.decode(content or b"{}", type=errand.wish)
            return {"answer": await errand.run(self._service, wish, tell)}
        except ServiceError as error:
            return {"error": error.code, "message": error.message}
        except StartError as error:
            return {"error": "InvalidRequest", "message": str(error)}
        except msgspec.MsgspecError as error:
            return {"error": "InvalidArgument", "message": str(error)}


def _line(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, default=msgspec.to_builtins) + b"\n"
