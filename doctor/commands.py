"""`facet doctor`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from conf.errors import StartError
from conf.load import load
from conf.schema import Settings
from doctor import apps, front, machine, names, running
from doctor.finding import Check, Finding, State, fail, findings, ok
from doctor.place import Place, find_place
from doctor.refusals import refusals

CHECKS: dict[str, Check] = {
    "keys": machine.keys,
    "disk": machine.disk,
    "file handles": machine.handles,
    "codecs": machine.codecs,
    "ports": running.ports,
    "clock": running.clock,
    "nginx": front.nginx,
    "dns": names.dns,
    "cors": names.cors,
}
_COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


@click.command(short_help="Check this installation; print an application's settings.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
@click.option("--data", type=click.Path(path_type=Path), help="The folder for everything that is kept [./data].")
@click.option(
    "--app", type=click.Choice(apps.names()), metavar="NAME", help="Print the settings to paste into this application."
)
@click.option("--bucket", help="The application's bucket, where no site says it.")
@click.option("--site", help="The site that shows it, where there are several.")
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="A file with what `facet key add` printed.")
@click.option("--show-secret", is_flag=True, help="Print secrets, not the words that stand for them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(
    config: Path | None,
    data: Path | None,
    app: str | None,
    bucket: str | None,
    site: str | None,
    key: Path | None,
    show_secret: bool,
    as_json: bool,
) -> None:
    """Check settings, keys, clock, disk, codecs, ports, nginx, DNS and CORS, and say what to change.

    Exits with 1 where something fails. With --app NAME the settings to paste into that application are printed
    instead, with this installation's values; settings of Facet that would betray it are refused (exit status 1).
    """
    try:
        settings = load(config, {"data": data})
    except StartError as error:
        if app is not None:
            raise
        _report([fail("settings", str(error), "mend that setting")], as_json)
        return
    if app is None:
        read = ok("settings", f"{config or 'defaults and variables'}: {len(settings.sites)} sites")
        _report([read, *findings(settings, CHECKS)], as_json)
        return
    try:
        place = find_place(settings, app, apps.read_app(app).bucket, bucket, site)
    except LookupError as error:
        raise StartError(error.args[0]) from None
    _prescribe(app, _with_key(place, key, show_secret), as_json)


def _with_key(place: Place, key: Path | None, show_secret: bool) -> Place:
    if key is None:
        return replace(place, show_secret=show_secret)
    try:
        told = orjson.loads(key.read_bytes())
        return replace(place, access_key=told["access_key"], secret_key=told["secret_key"], show_secret=show_secret)
    except (OSError, ValueError, KeyError, TypeError):
        raise StartError(f"--key {key} is not what `facet key add` printed") from None


def _report(seen: list[Finding], as_json: bool) -> None:
    """Print the findings and end with 1 where one of them fails."""
    failed = any(finding.state is State.FAIL for finding in seen)
    if as_json:
        told = [{"check": one.check, "state": one.state, "saw": one.saw, "fix": one.fix} for one in seen]
        click.echo(orjson.dumps({"ok": not failed, "findings": told}, option=orjson.OPT_INDENT_2).decode())
    else:
        table = Table("", "check", "what is seen", "what to change", box=None, pad_edge=False)
        for one in seen:
            table.add_row(f"[{_COLOURS[one.state]}]{one.state}[/]", one.check, _plain(one.saw), _plain(one.fix))
        Console(width=None if sys.stdout.isatty() else 160).print(table)
    sys.exit(1 if failed else 0)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def _prescribe(name: str, place: Place, as_json: bool) -> None:
    """Print the application's block on stdout and the rest on stderr; a refusal prints no block."""
    app = apps.read_app(name)
    against = list(refusals(app, place))
    text = "" if against else apps.block(app, place)
    command = apps.key_command(app, name, place)
    where = f"sites.{place.site.name}.purge_secret" if place.site else "edge.purge_secret"
    notes = [*apps.placeholders(text, command, where), *app.notes]
    pages = _pages(place.settings, app, place.bucket)
    if as_json:
        told: dict[str, Any] = {"app": name, "file": app.file, "format": app.format, "block": text, "key": command}
        told |= {"refused": against, "notes": notes, "pages": [f"{one.state} {one.saw}" for one in pages]}
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    elif against:
        for sentence in against:
            click.echo(f"refused: {sentence}", err=True)
    else:
        click.echo(f"# {app.title}: {app.file}", err=True)
        click.echo(text, nl=False)
        for note in [*notes, *(f"{one.state}: {one.saw}" for one in pages)]:
            click.echo(f"# {note}", err=True)
    sys.exit(1 if against else 0)


def _pages(settings: Settings, app: apps.App, bucket: str) -> list[Finding]:
    return list(names.bucket_cors(settings, bucket, app.browser)) if app.browser else []


COMMANDS: list[click.Command] = [doctor]
