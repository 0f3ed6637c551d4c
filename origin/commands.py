"""The origin's commands: `facet origin serve` and `facet key`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click
import msgspec
import orjson
import uvloop

from conf import logs
from conf.errors import StartError
from conf.load import load
from conf.schema import Settings
from origin import admin
from origin.service.keys import Keys
from origin.service.model import Permission, ServiceError
from origin.service.service import Service

T = TypeVar("T")

_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
_DATA = click.option("--data", type=click.Path(path_type=Path), help="The folder for everything that is kept [./data].")


@click.group()
def origin() -> None:
    """The S3 origin."""


@origin.command()
@_CONFIG
@_DATA
@click.option("--listen", metavar="HOST:PORT", help="Where the S3 API listens [127.0.0.1:9000].")
def serve(config: Path | None, data: Path | None, listen: str | None) -> None:
    """Run one origin process until SIGTERM or Ctrl-C."""
    from origin.server import serve as run

    settings = load(config, {"data": data, "origin.listen": listen})
    logs.setup(settings.log, "origin")
    uvloop.run(run(settings))


@click.group()
def key() -> None:
    """Access keys of applications. While a server runs they are made through it, and work at once."""


@key.command("add")
@click.option("--owner", required=True, help="Who the key belongs to, such as mastodon; made if the name is new.")
@click.option("--access-key", help="The access key; without it, one is made.")
@click.option("--secret-key", help="The secret; without it, one is made. Give it together with --access-key.")
@click.option(
    "--allow",
    default="read,write,delete",
    show_default=True,
    help=f"What it may do, separated by commas: {', '.join(Permission)}.",
)
@click.option(
    "--bucket", "buckets", multiple=True, help="A bucket it may touch; repeat for more; without it, every one."
)
@click.option("--allow-delete", multiple=True, help="A key prefix that a create-only key may delete, such as locks/.")
@click.option("--policy", type=click.Path(exists=True, path_type=Path), help="A file with an IAM-style policy.")
@_CONFIG
@_DATA
def key_add(
    owner: str,
    access_key: str | None,
    secret_key: str | None,
    allow: str,
    buckets: tuple[str, ...],
    allow_delete: tuple[str, ...],
    policy: Path | None,
    config: Path | None,
    data: Path | None,
) -> None:
    """Make a key and print it as JSON. Its secret is shown this once."""
    wish = admin.KeyWish(
        owner=owner,
        access_key=access_key,
        secret_key=secret_key,
        allow=tuple(word.strip() for word in allow.split(",") if word.strip()),
        buckets=buckets or None,
        allow_delete=allow_delete,
        policy=policy.read_text() if policy else None,
    )
    _administer(
        load(config, {"data": data}),
        lambda folder: admin.ask(folder, "POST", "/keys", msgspec.to_builtins(wish)),
        lambda keys: admin.add_key(keys, wish),
    )


@key.command("list")
@_CONFIG
@_DATA
def key_list(config: Path | None, data: Path | None) -> None:
    """Print every key as JSON, without secrets."""
    _administer(load(config, {"data": data}), lambda folder: admin.ask(folder, "GET", "/keys"), admin.list_keys)


@key.command("remove")
@click.argument("access_key")
@_CONFIG
@_DATA
def key_remove(access_key: str, config: Path | None, data: Path | None) -> None:
    """Forget a key at once."""
    _administer(
        load(config, {"data": data}),
        lambda folder: admin.ask(folder, "DELETE", f"/keys/{access_key}"),
        lambda keys: admin.remove_key(keys, access_key),
    )


def _administer(settings: Settings, ask: Callable[[Path], Awaitable[T]], do: Callable[[Keys], Awaitable[T]]) -> None:
    """Print the answer of the running server, or of the opened data folder when none runs."""

    async def work() -> T:
        try:
            return await ask(settings.origin_data)
        except (ConnectionError, FileNotFoundError):
            service = await Service.open(settings)
            try:
                return await do(service.keys)
            finally:
                await service.close()

    logs.setup(settings.log, "key")
    try:
        answer = asyncio.run(work())
    except ServiceError as error:
        raise StartError(f"{error.message} ({error.code})") from None
    click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))


COMMANDS: list[click.Command] = [origin, key]
