"""The pages made from the schema: docs/configuration.md and facet.example.toml. `make docs` writes them."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from conf import schema
from conf.destination import Destination
from conf.load import PREFIX, TABLES
from conf.schema import Account, Settings, Site

_ROOT = Path(__file__).resolve().parent.parent
_HEAD = """# Configuration

Facet runs without any configuration. Every setting below can be given in a TOML file
(`facet up --config facet.toml`, or the variable `FACET_CONFIG`), or as an environment variable, which wins over the
file; options on the command line win over both. Lists are written with commas in variables; `FACET_SITES`,
`FACET_DESTINATIONS` and `FACET_ACCOUNTS` are JSON. Sizes are bytes, alone or with `KiB`, `MiB`, `GiB`, `TiB`; times
are seconds. A setting that is unknown or wrong stops the start. `facet.example.toml` holds every setting with its
default.

This page is made from `conf/schema.py` by `make docs`.

"""
_TYPES = {
    schema.Address: "HOST:PORT", schema.Host: "host name", schema.Prefix: "path prefix", schema.Upstream: "URL",
    schema.Network: "network", schema.HeaderName: "header name",
    schema.Preset: "NAME:QUERY", schema.RemoteUrl: "URL", schema.SignKey: "text",
    schema.Size: "size", schema.Seconds: "seconds",
    int: "integer", str: "text", bool: "true or false", Path: "path", float: "number",
}  # fmt: skip


def configuration_page() -> str:
    """docs/configuration.md."""
    parts = [_HEAD, "## General\n\n", _table(Settings, "")]
    for name, model in _sections():
        parts.append(f"\n## {name}\n\n{model.__doc__}\n\n")
        parts.append(_table(model, name))
    for table, entry in (("sites", Site), ("destinations", Destination), ("accounts", Account)):
        parts.append(f"\n## {table}\n\n{entry.__doc__} Each is a `[[{table}]]` table.\n\n")
        parts.append(_table(entry, None))
    return "".join(parts)


def example_file() -> str:
    """facet.example.toml: every setting with its default, commented out."""
    lines = ["# Every setting of Facet with its default. Take the # away from what you change.", ""]
    lines += _example(Settings)
    for name, model in _sections():
        lines += [f"[{name}]", *_example(model)]
    lines += [
        "# A site for each public host. This one serves a bucket's keys at the host's root:", "#",
        '# [[sites]]', '# name = "media"', '# host = "media.example.com"', '# bucket = "mastodon"', "#",
        "# and this one the web server's own files (Mastodon's CDN_HOST):", "#",
        '# [[sites]]', '# name = "assets"', '# host = "assets.example.com"', '# kind = "assets"',
        '# upstream = "http://127.0.0.1:3000"', '# upstream_host = "social.example.com"',
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, Any]]:
    """Name, field and annotation as written, of the settings that are no sections."""
    hints = typing.get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            yield name, field, hints[name]


def _table(model: type[BaseModel], section: str | None) -> str:
    """A table of one model's settings; without a section there are no variables."""
    head = (
        ["Setting", "Default", "Allowed", "Meaning"]
        if section is None
        else ["Setting", "Variable", "Default", "Allowed", "Meaning"]
    )
    rows = [head, ["---"] * len(head)]
    for name, field, annotation in _fields(model):
        variable = PREFIX + (f"{section}_{name}" if section else name).upper()
        row = [
            f"`{name}`",
            f"`{variable}`",
            _default(field, annotation),
            _allowed(field, annotation),
            field.description or "",
        ]
        if section is None:
            del row[1]
        rows.append(row)
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _default(field: FieldInfo, annotation: Any) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ("", ()):
        return "none"
    return f"`{_toml(value, annotation).strip(chr(34))}`"


def _allowed(field: FieldInfo, annotation: Any) -> str:
    bounds = []
    for rule in field.metadata:
        for kind, word in ((Ge, "at least"), (Gt, "more than"), (Le, "at most"), (Lt, "less than")):
            if isinstance(rule, kind) and (bound := getattr(rule, kind.__name__.lower())) != 0:
                bounds.append(f"{word} {bound}")
    return ", ".join([_type(annotation), *bounds])


def _type(annotation: Any) -> str:
    for known, word in _TYPES.items():
        if annotation == known:
            return word
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return ", ".join(_type(part) for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is tuple:
        item = get_args(annotation)[0]
        return "list of tables" if item in (Site, Destination, Account) else f"list ({_type(item)})"
    return str(annotation)


def _toml(value: Any, annotation: Any = None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if annotation == schema.Size and value >= schema.KIB:
        for unit, size in (("TiB", schema.TIB), ("GiB", schema.GIB), ("MiB", schema.MIB), ("KiB", schema.KIB)):
            if value % size == 0:
                return f'"{value // size} {unit}"'
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) and value != int(value) else str(int(value))
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    return f'"{value.value if isinstance(value, Enum) else value}"'


def _example(model: type[BaseModel]) -> list[str]:
    lines = []
    for name, field, annotation in _fields(model):
        if name in TABLES:
            continue
        value = '""' if field.default is None else _toml(field.default, annotation)
        lines += [f"# {field.description}", f"# {name} = {value}", ""]
    return lines


def main() -> None:
    """Write both pages into the checkout."""
    (_ROOT / "docs" / "configuration.md").write_text(configuration_page(), encoding="utf-8")
    (_ROOT / "facet.example.toml").write_text(example_file(), encoding="utf-8")


if __name__ == "__main__":
    main()
