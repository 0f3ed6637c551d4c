"""`facet bucket`: what only an administrator says about buckets."""

from __future__ import annotations

from pathlib import Path

import click

from conf.load import load
from origin.admin import wishes
from origin.commands.common import CONFIG, DATA, SizeType, run_with, show


@click.group()
def bucket() -> None:
    """Buckets, as an administrator sees them."""


@bucket.command()
@click.argument("name")
@click.option("--bytes", "size", type=SizeType(), help="The most logical bytes, such as 50GiB; 0 is no limit.")
@click.option("--objects", type=click.IntRange(0), help="The most objects; 0 is no limit.")
@CONFIG
@DATA
def quota(name: str, size: int | None, objects: int | None, config: Path | None, data: Path | None) -> None:
    """Print a bucket's use and quota as JSON; with options, set the quota first.

    Every version counts with its own size, shared bytes or not, and so do parts of uploads in progress.
    """
    settings = load(config, {"data": data})
    answer = run_with(settings, "quota-get", wishes.Bucket(bucket=name))
    if size is not None or objects is not None:
        wish = wishes.Quota(
            bucket=name,
            bytes=answer["max_bytes"] if size is None else size or None,
            objects=answer["max_objects"] if objects is None else objects or None,
        )
        answer = run_with(settings, "quota-set", wish)
    show(answer)
