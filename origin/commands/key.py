"""`facet key`: access keys of applications."""

from __future__ import annotations

from pathlib import Path

import click

from origin.admin import wishes
from origin.commands.common import CONFIG, DATA, run, show
from origin.commands.keyring import export
from origin.service.model import Permission


@click.group()
def key() -> None:
    """Access keys of applications. While a server runs they are made through it, and work at once."""


@key.command("add")
@click.option("--owner", required=True, help="Who the key belongs to, such as mastodon; made if the name is new.")
@click.option("--access-key", help="The access key; without it, one is made.")
@click.option("--secret-key", help="The secret; without it, one is made. Give it together with --access-key.")
@click.option(
    "--allow",
    multiple=True,
    default=("read,write,delete",),
    show_default="read,write,delete",
    help=f"What it may do, separated by commas or repeated: {', '.join(Permission)}.",
)
@click.option(
    "--bucket", "buckets", multiple=True, help="A bucket it may touch; repeat for more; without it, every one."
)
@click.option("--allow-delete", multiple=True, help="A key prefix that a create-only key may delete, such as locks/.")
@click.option("--policy", type=click.Path(exists=True, path_type=Path), help="A file with an IAM-style policy.")
@CONFIG
@DATA
def key_add(
    owner: str,
    access_key: str | None,
    secret_key: str | None,
    allow: tuple[str, ...],
    buckets: tuple[str, ...],
    allow_delete: tuple[str, ...],
    policy: Path | None,
    config: Path | None,
    data: Path | None,
) -> None:
    """Make a key and print it as JSON. Its secret is shown this once."""
    wish = wishes.Key(
        owner=owner,
        access_key=access_key,
        secret_key=secret_key,
        allow=tuple(dict.fromkeys(word.strip() for word in ",".join(allow).split(",") if word.strip())),
        buckets=buckets or None,
        allow_delete=allow_delete,
        policy=policy.read_text() if policy else None,
    )
    show(run(config, data, "key-add", wish))


@key.command("list")
@CONFIG
@DATA
def key_list(config: Path | None, data: Path | None) -> None:
    """Print every key as JSON, without secrets."""
    show(run(config, data, "key-list", wishes.Nothing()))


@key.command("remove")
@click.argument("access_key")
@CONFIG
@DATA
def key_remove(access_key: str, config: Path | None, data: Path | None) -> None:
    """Forget a key at once."""
    show(run(config, data, "key-remove", wishes.KeyName(access_key=access_key)))


key.add_command(export)
