"""Administration of a running origin, over a Unix socket in its data folder.

The rule of this file: whoever can open the socket owns the data folder, so the file's mode is the authorisation.
`facet key …` speaks to it while a server runs, and uses the same functions on the opened folder when none does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import orjson
from aiohttp import web

from conf.sockets import unix_address
from origin.service.keys import Keys
from origin.service.model import Key, ServiceError
from origin.service.service import Service

SOCKET = "admin.sock"

JSON = dict[str, Any]


class KeyWish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What `facet key add` asks for."""

    owner: str
    access_key: str | None = None
    secret_key: str | None = None
    allow: tuple[str, ...] = ("read", "write", "delete")
    buckets: tuple[str, ...] | None = None
    allow_delete: tuple[str, ...] = ()
    policy: str | None = None


async def add_key(keys: Keys, wish: KeyWish) -> JSON:
    """Make the key; the answer is the only place where its secret ever stands. Raises ServiceError."""
    made = await keys.add(
        owner=wish.owner,
        access_key=wish.access_key,
        secret_key=wish.secret_key,
        permissions=wish.allow,
        buckets=wish.buckets,
        allow_delete=wish.allow_delete,
        policy=wish.policy,
    )
    described = _described(made.key)
    return {"access_key": described.pop("access_key"), "secret_key": made.secret, **described}


async def list_keys(keys: Keys) -> list[JSON]:
    """Every key, without secrets."""
    return [_described(key) for key in await keys.list()]


async def remove_key(keys: Keys, access_key: str) -> JSON:
    """Forget a key. Raises ServiceError (NoSuchKey) where there is none of that name."""
    if not await keys.remove(access_key):
        raise ServiceError("NoSuchKey", f"there is no key {access_key}")
    return {"removed": access_key}


def _described(key: Key) -> JSON:
    return {
        "access_key": key.access_key,
        "owner": key.owner.name,
        "owner_id": key.owner.id,
        "allow": sorted(key.permissions),
        "buckets": None if key.buckets is None else sorted(key.buckets),
        "allow_delete": list(key.allow_delete),
        "policy": key.policy is not None,
    }


class AdminSocket:
    """Serves administration on DATA/origin/admin.sock while it is entered."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._keys = service.keys
        self._path = folder / SOCKET
        self._address = unix_address(self._path)
        application = web.Application()
        application.add_routes(
            [
                web.get("/keys", self._answers(lambda _: list_keys(self._keys))),
                web.post("/keys", self._answers(self._add)),
                web.delete("/keys/{access_key}", self._answers(self._remove)),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)

    async def __aenter__(self) -> None:
        await self._runner.setup()
        self._path.unlink(missing_ok=True)
        await web.UnixSite(self._runner, str(self._address)).start()
        self._path.chmod(0o600)

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        self._path.unlink(missing_ok=True)
        self._address.close()

    async def _add(self, request: web.Request) -> JSON:
        return await add_key(self._keys, msgspec.json.decode(await request.read(), type=KeyWish))

    async def _remove(self, request: web.Request) -> JSON:
        return await remove_key(self._keys, request.match_info["access_key"])

    @staticmethod
    def _answers(
        work: Callable[[web.Request], Awaitable[object]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler that answers what `work` returns or raises as JSON."""

        async def handler(request: web.Request) -> web.Response:
            try:
                status, content = 200, await work(request)
            except ServiceError as error:
                status, content = 400, {"error": error.code, "message": error.message}
            except msgspec.MsgspecError as error:
                status, content = 400, {"error": "InvalidArgument", "message": str(error)}
            return web.Response(status=status, body=orjson.dumps(content), content_type="application/json")

        return handler


async def ask(folder: Path, method: str, path: str, content: object = None) -> Any:
    """Ask the server that owns the data folder.

    Raises ServiceError with its refusal, ConnectionError where no server listens.
    """
    with unix_address(folder / SOCKET) as address:
        connector = aiohttp.UnixConnector(path=str(address))
        try:
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.request(method, f"http://origin{path}", json=content) as response,
            ):
                answer = orjson.loads(await response.read())
        except aiohttp.ClientConnectorError as error:
            raise ConnectionError(f"no server listens on {folder / SOCKET}") from error
    if response.status != 200:
        raise ServiceError(answer["error"], answer["message"])
    return answer
