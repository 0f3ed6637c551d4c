"""Running an errand from outside: through the server that owns the data folder, or on the folder where none runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import orjson

from conf.schema import Settings
from conf.sockets import unix_address
from origin.admin.errands import ERRANDS
from origin.admin.socket import SOCKET
from origin.jobs.progress import Progress, Tell
from origin.service.model import ServiceError
from origin.service.opening import open_bare
from origin.service.service import Service

LINE = 64 * 1024 * 1024
"""The longest line of an answer, in bytes: a report may name thousands of blobs."""


async def ask(settings: Settings, name: str, wish: msgspec.Struct, tell: Tell) -> Any:
    """The errand's answer. Raises ServiceError with its refusal, StartError where the folder cannot be opened."""
    try:
        return await ask_server(settings.origin_data, name, wish, tell)
    except (ConnectionError, FileNotFoundError):
        return await do_here(settings, name, wish, tell)


async def do_here(settings: Settings, name: str, wish: msgspec.Struct, tell: Tell) -> Any:
    """Open the data folder, without keys where the errand needs none, and run it. Raises as `ask` does."""
    errand = ERRANDS[name]
    if errand.bare is not None:
        lock, stores = open_bare(settings)
        try:
            return await errand.bare(stores, wish, tell)
        finally:
            stores.close()
            lock.close()
    service = await Service.open(settings)
    try:
        return await errand.run(service, wish, tell)
    finally:
        await service.close()


async def ask_server(folder: Path, name: str, wish: msgspec.Struct, tell: Tell) -> Any:
    """Ask the server that owns the data folder.

    Raises ServiceError with its refusal, ConnectionError where no server listens.
    """
    with unix_address(folder / SOCKET) as address:
        connector = aiohttp.UnixConnector(path=str(address))
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=LINE) as session,
                session.post(f"http://origin/{name}", data=msgspec.json.encode(wish)) as response,
            ):
                return await _answer(response, tell)
        except aiohttp.ClientConnectorError as error:
            raise ConnectionError(f"no server listens on {folder / SOCKET}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _broken_off() from error


async def _answer(response: aiohttp.ClientResponse, tell: Tell) -> Any:
    async for line in response.content:
        content = orjson.loads(line)
        if "answer" in content:
            return content["answer"]
        if "error" in content:
            raise ServiceError(content["error"], content["message"])
        if "progress" in content:
            tell(msgspec.convert(content["progress"], Progress))
    raise _broken_off()


def _broken_off() -> ServiceError:
    return ServiceError("ServiceUnavailable", "The server ended before the errand did; run the command again.")
