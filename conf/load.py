"""Settings from defaults, a TOML file, FACET_… variables and the command line, later ones winning.

The rule of this file: a setting that is wrong stops the start with one line that names the setting, its value,
what is allowed and the page that documents it; a setting that is unknown is wrong.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_origin

import orjson
from pydantic import BaseModel, ValidationError

from conf.errors import StartError
from conf.schema import Settings

PREFIX = "FACET_"
SETTINGS_JSON = "FACET_SETTINGS_JSON"  # how a supervisor hands its resolved settings to a child
CONFIG = "FACET_CONFIG"  # the TOML file, where no --config is given
PAGE = "docs/configuration.md"
TABLES = frozenset({"sites", "accounts", "destinations"})  # lists of tables
_PROCESS_VARIABLES = frozenset({SETTINGS_JSON, CONFIG, "FACET_READY_FD", "FACET_RELOAD_FD", "FACET_REQUIRE_PROGRAMS"})


def load(
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings of this process.

    `overrides` maps dotted names ("origin.listen") to values of the command line; None values are left out.
    Raises StartError.
    """
    if handed := environ.get(SETTINGS_JSON):
        return Settings.model_validate_json(handed)
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    file = config or (Path(environ[CONFIG]) if environ.get(CONFIG) else None)
    if file is not None:
        merged = _read_toml(file)
        sources = dict.fromkeys(_dotted(merged), str(file))
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and variable not in _PROCESS_VARIABLES:
            dotted = _setting_of(variable)
            _put(merged, dotted, _from_text(variable, dotted, text))
            sources[dotted] = variable
    for dotted, value in (overrides or {}).items():
        if value is not None:
            _put(merged, dotted, value)
            sources[dotted] = "the command line"
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise StartError(_explain(error, sources)) from None


def dump(settings: Settings) -> str:
    """The settings as the JSON text that `load` takes from FACET_SETTINGS_JSON."""
    return settings.model_dump_json()


def variables() -> dict[str, str]:
    """Every environment variable, mapped to the dotted name of its setting."""
    return {PREFIX + dotted.replace(".", "_").upper(): dotted for dotted in _names(Settings)}


def _names(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _names(annotation, f"{before}{name}.")
        else:
            yield before + name


def _setting_of(variable: str) -> str:
    known = variables()
    if variable in known:
        return known[variable]
    near = difflib.get_close_matches(variable, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise StartError(f"the variable {variable} is not a setting{hint} (see {PAGE})")


def _annotation(dotted: str) -> Any:
    model: Any = Settings
    *sections, last = dotted.split(".")
    for section in sections:
        model = model.model_fields[section].annotation
    return model.model_fields[last].annotation


def _from_text(variable: str, dotted: str, text: str) -> Any:
    """The value of a variable's text: lists are written with commas, lists of tables as JSON, the rest as it is."""
    if dotted in TABLES:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise StartError(f"{dotted} ({variable}) is not JSON: {error} (see {PAGE}#{dotted})") from None
    if get_origin(_annotation(dotted)) is tuple:
        if text.lstrip().startswith('["'):  # as JSON is meant too
            with suppress(orjson.JSONDecodeError):
                return orjson.loads(text)
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"the configuration file {file} cannot be read: {reason} (see {PAGE})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartError(f"the configuration file {file} is not TOML: {error} (see {PAGE})") from None


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, last = dotted.split(".")
    for section in sections:
        below = tree.setdefault(section, {})
        if not isinstance(below, dict):
            return  # the file gives a value where a section belongs: validation says so
        tree = below
    tree[last] = value


def _dotted(tree: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{before}{name}.")
        else:
            yield before + name


def _explain(error: ValidationError, sources: Mapping[str, str]) -> str:
    """One line for the first mistake: setting, where it was given, value, what is allowed, page."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    top = place.split(".")[0]
    parents = (place, place.rpartition(".")[0], top)
    given = next((f" (from {sources[name]})" for name in parents if name in sources), "")
    page = f"see {PAGE}{'#' + top if top else ''}"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, list(variables().values()), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{place}{given} is not a setting{hint} ({page})"
    if first["type"] == "missing":
        return f"{place}{given} is missing ({page})"
    allowed = re.sub(r"^\w+ should ", "must ", first["msg"].removeprefix("Value error, "))
    if first["type"] == "bool_parsing":
        allowed = "must be true or false"
    if isinstance(first["input"], Mapping):  # a rule between several settings
        return f"{place + ' ' if place else ''}{allowed}{given} ({page})"
    shown = "(hidden)" if "secret" in place else repr(first["input"])
    return f"{place}{given} is {shown}: {allowed} ({page})"
