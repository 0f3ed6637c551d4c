"""Applications as data: one file each in doctor/table, with what it needs and the block of settings it takes.

The rule of this file: what is said about an application is in its file; the code here only fills in values.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from string import Template
from typing import Literal

from pydantic import Field

from conf.section import Section
from doctor.place import ACCESS_KEY, PURGE_SECRET, SECRET_KEY, Place

TABLE = Path(__file__).resolve().parent / "table"


class App(Section):
    """One application."""

    title: str = Field(description="Its name, as people write it.")
    file: str = Field(description="Where its block goes.")
    format: Literal["env", "yaml", "toml", "ini", "php", "elixir", "text"] = Field(description="What its block is.")
    bucket: str = Field(description="The bucket's name where no site says another.")
    buckets: tuple[str, ...] = Field((), description="Further buckets it needs.")
    reads: Literal["site", "default", "endpoint"] = Field(
        description="Who its readers ask: a site of the bucket, the default site (/BUCKET/KEY), or the S3 endpoint."
    )
    acl: bool = Field(False, description="It hides and shows objects by their ACL.")
    cors: bool = Field(False, description="Scripts of other hosts' pages read its media.")
    browser: tuple[str, ...] = Field((), description="Methods that pages send to the S3 endpoint themselves.")
    port: str = Field("", description="Why its endpoint must be on a standard port; empty: any will do.")
    tls: str = Field("", description="Why its endpoint must be HTTPS; empty: need not.")
    sigv2: str = Field("", description="What of it signs with Signature Version 2; empty: nothing.")
    body: int = Field(5 * 1024 * 1024, description="The largest body of one of its requests, in bytes.")
    allow: str = Field("", description="Further options of `facet key add`.")
    notes: tuple[str, ...] = Field((), description="What to know.")
    block: str = Field(description="The settings to paste; $names are values of the installation (doctor/place.py).")
    optional: tuple[str, ...] = Field((), description="Values without which the lines that name them are left out.")


def names() -> list[str]:
    """Every application there is a file for."""
    return sorted(path.stem for path in TABLE.glob("*.toml"))


def read_app(name: str) -> App:
    """The application of a name in `names()`."""
    return App.model_validate(tomllib.loads((TABLE / f"{name}.toml").read_text(encoding="utf-8")))


def key_command(app: App, name: str, place: Place) -> str:
    """The command that makes the application's key."""
    buckets = dict.fromkeys([place.bucket, *app.buckets])
    return " ".join([f"facet key add --owner {name}", *(f"--bucket {each}" for each in buckets), *app.allow.split()])


def block(app: App, place: Place) -> str:
    """The settings to paste, with this installation's values."""
    values = place.values()
    has = values | {
        "purge_secret": (place.site.purge_secret or "") if place.site else place.settings.edge.purge_secret or ""
    }
    gone = {name for name in app.optional if not has[name]}
    kept = [line for line in app.block.strip("\n").split("\n") if not _drops(line, gone)]
    lines = (line.partition("  #if ")[0] for line in kept)
    return Template("\n".join(lines)).substitute(values) + "\n"


def _drops(line: str, gone: set[str]) -> bool:
    """A line is left out with a value it names, or that stands behind `#if` at its end."""
    return any(f"${name}" in line or f"${{{name}}}" in line or line.endswith(f"  #if {name}") for name in gone)


def placeholders(text: str, command: str, where: str) -> list[str]:
    """Where to find what a block leaves open."""
    told = []
    if ACCESS_KEY in text or SECRET_KEY in text:
        told.append(
            f"{ACCESS_KEY}, {SECRET_KEY}: `{command}` prints them, once; --key FILE with its output fills them in"
        )
    if PURGE_SECRET in text:
        told.append(f"{PURGE_SECRET}: {where}; --show-secret fills it in")
    return told
