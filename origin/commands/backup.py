"""`facet backup`, `facet backups` and `facet restore`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.filesize import decimal

from conf import logs
from conf.load import load
from origin.admin import wishes
from origin.commands.common import AS_JSON, CONFIG, DATA, end, refusing, run, show, showing
from origin.jobs.restore import restore as restore_backup


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="The backup's name; without it, the present time.")
@AS_JSON
@CONFIG
@DATA
def backup(folder: Path, name: str | None, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Back the origin up into DIR while it goes on serving. What DIR has already is not copied again.

    The backup has everything but the master keys. Exits with 1 where a blob was damaged, or dead
    although something refers to it (`facet fsck --repair` revives it), and is not in it.
    """
    done = run(config, data, "backup", wishes.Backup(folder=str(folder.absolute()), name=name))
    if as_json:
        show(done)
    else:
        click.echo(
            f"backup {done['name']}: {done['blobs']} blobs, {decimal(done['bytes'])};"
            f" copied {done['copied_blobs']}, {decimal(done['copied_bytes'])}"
        )
        click.echo(f"it needs the master keys {', '.join(done['key_ids'])}, which are not in it")
        for blob in done["damaged"]:
            click.echo(f"not in it: {blob}")
    end(not done["damaged"])


@click.group()
def backups() -> None:
    """The backups that were made. A master key that one of them needs is not retired."""


@backups.command("list")
@CONFIG
@DATA
def backups_list(config: Path | None, data: Path | None) -> None:
    """Print every backup as JSON: where it is, when it began and finished, which master keys it needs."""
    show(run(config, data, "backup-list", wishes.Nothing()))


@backups.command("forget")
@click.argument("name")
@CONFIG
@DATA
def backups_forget(name: str, config: Path | None, data: Path | None) -> None:
    """Forget a backup, and remove from its folder what no other backup there needs."""
    show(run(config, data, "backup-forget", wishes.BackupName(name=name)))


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The data folder to restore into.")
@click.option("--name", help="The backup to restore; without it, the newest one in DIR.")
@AS_JSON
@CONFIG
def restore(folder: Path, data: Path, name: str | None, as_json: bool, config: Path | None) -> None:
    """Restore a backup from DIR into a data folder without a catalog, and check the copy. No key is needed.

    Put the master keys into the data folder before you start a server on it. Exits with 1 where something is missing.
    """
    settings = load(config, {"data": data})
    logs.setup(settings.log, "restore")
    with showing() as tell, refusing():
        done = asyncio.run(restore_backup(folder, settings, name, tell=tell)).document()
    if as_json:
        show(done)
    else:
        found = done["check"]
        state = "clean" if done["clean"] else "not clean"
        click.echo(f"restored {done['backup']}: {found['blobs']} blobs, {found['files']} files, {state}")
        click.echo(f"it needs the master keys {', '.join(done['keys'])} in {settings.master_key}")
        for blob in done["damaged"]:
            click.echo(f"damaged: {blob}")
        if done["missing_bodies"]:
            click.echo(f"{done['missing_bodies']} small bodies are missing")
    end(done["clean"])
