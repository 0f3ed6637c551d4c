"""`facet migrate`: a bucket of another S3 service, copied with everything that belongs to it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.filesize import decimal

from conf.errors import StartError
from origin.commands.common import AS_JSON, CONFIG, DATA, SizeType, end, run, show
from origin.jobs.migrate.wish import Address, Migration
from origin.service.service import ROOT

SCHEME = "s3://"
VARIABLES = ("SOURCE_ACCESS_KEY", "SOURCE_SECRET_KEY", "SOURCE_SESSION_TOKEN")


@click.command()
@click.argument("source", metavar="s3://BUCKET[/PREFIX]")
@click.option("--from", "url", required=True, metavar="URL", help="The address of the S3 service that has the bucket.")
@click.option(
    "--to", "bucket", required=True, metavar="BUCKET", help="The bucket here; it is made where it is missing."
)
@click.option(
    "--key-file", type=click.Path(path_type=Path, dir_okay=False),
    help="A JSON file with access_key and secret_key of the source, instead of SOURCE_ACCESS_KEY and"
    " SOURCE_SECRET_KEY in the environment. Without either the source is read as anybody may.",
)  # fmt: skip
@click.option("--region", default="us-east-1", show_default=True, help="The source's region.")
@click.option(
    "--path-style/--virtual-host", default=True, show_default=True, help="How the source's URLs name buckets."
)
@click.option("--ca-file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The source's authority.")
@click.option("--owner", default=ROOT, show_default=True, help="Who owns the bucket, where it has to be made.")
@click.option(
    "--owner-map", "owner_map", multiple=True, metavar="ID=OWNER",
    help="The owner here of what ID owns at the source; owners nobody knows become the bucket's owner.",
)  # fmt: skip
@click.option("--current-only", is_flag=True, help="Copy the present objects and not their earlier versions.")
@click.option("--quick", is_flag=True, help="Do not ask whether ACLs and tags of what is here already have changed.")
@click.option(
    "--settings", is_flag=True, help="Bring CORS, tags, website, lifecycle, ownership, policy and blocks, too."
)
@click.option("--delete", is_flag=True, help="Remove here what the source no longer has.")
@click.option("--verify", is_flag=True, help="Read everything back, and compare it with its ETag.")
@click.option("--dry-run", is_flag=True, help="Copy nothing, count what would be copied.")
@click.option(
    "--at-once", type=click.IntRange(1, 64), default=8, show_default=True, help="Keys that are copied at once."
)
@click.option("--rate", type=SizeType(), default=0, metavar="SIZE", help="The most bytes a second [no limit].")
@AS_JSON
@CONFIG
@DATA
def migrate(
    source: str, url: str, bucket: str, key_file: Path | None, region: str, path_style: bool, ca_file: Path | None,
    owner: str, owner_map: tuple[str, ...], current_only: bool, quick: bool, delete: bool, verify: bool, dry_run: bool,
    settings: bool,
    at_once: int, rate: int, as_json: bool, config: Path | None, data: Path | None,
) -> None:  # fmt: skip
    """Copy a bucket of any S3 service with headers, metadata, ACLs, tags, versions, dates and multipart ETags.

    Run it again to go on after it was cut short, and to copy what has changed since. Exits with 1 where anything could
    not be copied; DATA/migrate-BUCKET.jsonl says what and why.
    """
    name, _, prefix = source.removeprefix(SCHEME).partition("/")
    if not source.startswith(SCHEME) or not name:
        raise StartError(f"{source} is not s3://BUCKET or s3://BUCKET/PREFIX")
    if not url.startswith(("http://", "https://")):
        raise StartError(f"--from {url} is not a URL such as https://s3.example.com")
    access_key, secret_key, token = _keys(key_file)
    address = Address(
        url=url, bucket=name, prefix=prefix, region=region, path_style=path_style,
        ca_file=str(ca_file.absolute()) if ca_file else None,
        access_key=access_key, secret_key=secret_key, session_token=token,
    )  # fmt: skip
    wish = Migration(
        source=address, bucket=bucket, owner=owner, owners=_owners(owner_map), at_once=at_once, rate=rate,
        current_only=current_only, quick=quick, delete=delete, verify=verify, dry_run=dry_run,
        settings=settings,
    )  # fmt: skip
    done = run(config, data, "migrate", wish)
    if as_json:
        show(done)
    else:
        click.echo(_words(done, dry_run=dry_run))
    end(not done["failed"])


def _keys(file: Path | None) -> tuple[str | None, str | None, str | None]:
    """Access key, secret key and session token of the source."""
    if file is None:
        access, secret, token = (os.environ.get(name) or None for name in VARIABLES)
        if (access is None) != (secret is None):
            raise StartError(f"set both {VARIABLES[0]} and {VARIABLES[1]}, or neither")
        return access, secret, token
    try:
        said: dict[str, Any] = json.loads(file.read_text())
        return said["access_key"], said["secret_key"], said.get("session_token")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StartError(f"{file} (--key-file) is no JSON with access_key and secret_key: {error}") from None


def _owners(pairs: tuple[str, ...]) -> dict[str, str]:
    found = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(found.values()):
        raise StartError("--owner-map is ID=OWNER")
    return found


def _words(done: dict[str, Any], *, dry_run: bool) -> str:
    verb = "would copy" if dry_run else "copied"
    lines = [
        f"{verb} {done['copied']:,} objects, {decimal(done['copied_bytes'])}, and {done['markers']:,} delete markers;"
        f" {done['unchanged']:,} were here already, {done['refreshed']:,} got new ACLs or tags"
    ]
    for name, words in (
        ("newer", "are newer here and stay"),
        ("removed", "would be removed" if dry_run else "removed"),
        ("verified", "read back and good"),
        ("failed", "failed"),
    ):
        if done[name]:
            lines.append(f"{done[name]:,} {words}")
    if done["settings"]:
        lines.append(f"settings of the bucket: {', '.join(done['settings'])}")
    lines += [f"failed {count:,} times: {reason}" for reason, count in done["reasons"].items()]
    lines += [f"note, {count:,} times: {what}" for what, count in done["notes"].items()]
    if done["details"]:
        lines.append(f"key by key: {done['details']}")
    return "\n".join(lines)
