"""What the commands share: options, running an errand, and showing how far it is.

The rule of this file: the answer goes to stdout, everything about the way to it to stderr. On a terminal progress is a
bar; otherwise it is a plain line at every tenth.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
import orjson
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from conf import logs
from conf.errors import StartError
from conf.load import load
from conf.schema import Settings, Size
from origin.admin.asking import ask
from origin.jobs.progress import Progress, Tell
from origin.service.model import ServiceError

CONFIG = click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
DATA = click.option("--data", type=click.Path(path_type=Path), help="The folder for everything that is kept [./data].")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")

_TENTHS = 10


class SizeType(click.ParamType[int]):
    """A size in bytes, alone or with KiB, MiB, GiB, TiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The size in bytes."""
        try:
            return int(TypeAdapter(Size).validate_python(value))
        except ValidationError:
            self.fail(f"{value!r} is not a size such as 1048576 or 10 GiB", param, ctx)


def run(config: Path | None, data: Path | None, name: str, wish: msgspec.Struct) -> Any:
    """The answer of an errand, with its progress on stderr. Raises StartError."""
    settings = load(config, {"data": data})
    return run_with(settings, name, wish)


def run_with(settings: Settings, name: str, wish: msgspec.Struct) -> Any:
    """As `run`, with settings that are loaded already."""
    logs.setup(settings.log, name)
    with showing() as tell, refusing():
        return asyncio.run(ask(settings, name, wish, tell))


@contextmanager
def refusing() -> Iterator[None]:
    """Turn a refusal into the one line that ends a command."""
    try:
        yield
    except ServiceError as error:
        raise StartError(f"{error.message} ({error.code})") from None


def show(answer: Any) -> None:
    """Print an answer as JSON."""
    click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))


def end(good: bool) -> None:
    """Exit with 0 where all is well, else with 1."""
    sys.exit(0 if good else 1)


@contextmanager
def showing() -> Iterator[Tell]:
    """Hears of progress and shows it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    bars = Bars(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"), _Rate(),
        TimeRemainingColumn(), console=console,
    )  # fmt: skip
    with bars:
        yield _Bar(bars)


def amount(progress: Progress) -> str:
    """How far it is, in words."""
    size = decimal if progress.unit == "bytes" else "{:,}".format
    done = size(progress.done) + (f" of {size(progress.total)}" if progress.total else "")
    return done if progress.unit == "bytes" else f"{done} {progress.unit}"


class _Rate(ProgressColumn):
    """Bytes a second, where bytes are counted."""

    def render(self, task: Task) -> Text:
        """The rate of one bar."""
        speed = task.finished_speed or task.speed
        return Text(f"{decimal(int(speed))}/s" if speed and task.fields["unit"] == "bytes" else "")


class _Bar:
    """One bar for each step."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.what not in self._tasks:
            self._tasks[progress.what] = self._bars.add_task(progress.what, amount="", unit=progress.unit)
        self._bars.update(
            self._tasks[progress.what],
            total=progress.total or None, completed=progress.done, amount=amount(progress),
        )  # fmt: skip


class _Lines:
    """A line for each tenth of each step."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, progress: Progress) -> None:
        tenth = progress.done * _TENTHS // progress.total if progress.total else 0
        if (progress.what, tenth) != self._last:
            self._last = (progress.what, tenth)
            click.echo(f"{progress.what}: {amount(progress)}", err=True)
