"""`facet gc`, `facet fsck` and `facet scrub`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.filesize import decimal

from origin.admin import wishes
from origin.commands.common import AS_JSON, CONFIG, DATA, SizeType, end, run, show

_FEW = 20


@click.command()
@AS_JSON
@CONFIG
@DATA
def gc(as_json: bool, config: Path | None, data: Path | None) -> None:
    """Remove bytes that nobody refers to and that are past the grace. A running server does so every minute."""
    answer = run(config, data, "collect", wishes.Nothing())
    if as_json:
        show(answer)
    else:
        click.echo(
            f"removed {answer['blobs']} blobs, {answer['abandoned']} leftovers of writes, {answer['manifests']}"
            f" manifests and {answer['uploads']} ended uploads"
        )
        _lines("files that the store did not remove", answer["refused"], [])


@click.command()
@click.option("--repair", is_flag=True, help="Correct counts, flag bad blobs, put unknown files into quarantine.")
@AS_JSON
@CONFIG
@DATA
def fsck(repair: bool, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Compare the catalog with itself and with the files. Exits with 1 where something is wrong and not repaired.

    Nothing is ever deleted. No key is needed, and a server may run.
    """
    found = run(config, data, "check", wishes.Check(repair=repair))
    if as_json:
        show(found)
    else:
        click.echo(f"{found['blobs']} blobs, {found['files']} files: {'clean' if found['clean'] else 'not clean'}")
        done = ", corrected" if repair else ""
        for what, count in found["wrong_counts"].items():
            _lines(f"wrong counts of {what}{done}", count, [])
        done = ", revived" if repair else ""
        _lines(f"dead blobs that are referred to{done}", len(found["dead_blobs"]), found["dead_blobs"])
        for what, count in found["loose_rows"].items():
            _lines(f"{what} of nothing{', removed' if repair else ''}", count, [])
        for what, rows in found["lost_rows"].items():
            _lines(f"{what.replace('_', ' ')} in the catalog", len(rows), rows)
        _lines("complaints of the catalog's engine", len(found["catalog"]), found["catalog"])
        done = ", flagged" if repair else ""
        _lines(f"missing files{done}", len(found["missing"]), found["missing"])
        _lines(f"files of wrong length{done}", len(found["wrong_length"]), found["wrong_length"])
        done = ", put into quarantine" if repair else ""
        _lines(f"orphaned files{done}", len(found["orphaned"]), found["orphaned"])
        _lines(f"foreign files{done}", len(found["foreign"]), found["foreign"])
        _flagged(found)
    end(found["clean"] or (repair and not found["lost"]))


@click.command()
@click.option("--rate", type=SizeType(), default=0, help="Bytes a second, such as 20MiB [0, as fast as it goes].")
@click.option("--restart", is_flag=True, help="Begin anew, also where the last scrub was interrupted.")
@AS_JSON
@CONFIG
@DATA
def scrub(rate: int, restart: bool, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Read all that is stored and compare it with its checksums. Exits with 1 where anything is damaged.

    Damaged blobs are flagged: nothing joins them, and the next upload of the same bytes heals them. No key is needed.
    A scrub that was interrupted is resumed.
    """
    done = run(config, data, "scrub", wishes.Scrub(rate=rate, restart=restart))
    if as_json:
        show(done)
    else:
        read = f"{done['blobs']} blobs and {done['bodies']} small bodies, {decimal(done['bytes'])}"
        click.echo(f"read {read}: {'clean' if done['clean'] else 'not clean'}")
        _lines("damaged blobs", len(done["damaged"]), [f"{one['blob']} {one['reason']}" for one in done["damaged"]])
        _lines("damaged small bodies in the catalog", len(done["damaged_bodies"]), done["damaged_bodies"])
        _flagged(done)
    end(done["clean"])


def _flagged(report: dict[str, Any]) -> None:
    _lines("flagged blobs and small bodies", report["flagged"], [])
    names = [f"{one['bucket']}/{one['key']} (version {one['version']})" for one in report["objects"]]
    _lines("objects that cannot be read whole", len(names), names)


def _lines(what: str, count: int, examples: list[Any]) -> None:
    if count:
        click.echo(f"{count} {what}")
        for example in examples[:_FEW]:
            click.echo(f"  {example}")
        if len(examples) > _FEW:
            click.echo(f"  and {len(examples) - _FEW} more (--json lists them)")
