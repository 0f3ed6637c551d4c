"""One finding of the doctor, and the rule that a check which itself fails is a finding, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from conf.schema import Settings


class State(StrEnum):
    """How bad it is: `warn` is worth reading, `fail` makes the exit status 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What a check saw, and what to change where that is not right."""

    check: str
    state: State
    saw: str
    fix: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def ok(check: str, saw: str) -> Finding:
    """Nothing to do."""
    return Finding(check, State.OK, saw)


def warn(check: str, saw: str, fix: str) -> Finding:
    """Worth reading."""
    return Finding(check, State.WARN, saw, fix)


def fail(check: str, saw: str, fix: str) -> Finding:
    """Has to be mended."""
    return Finding(check, State.FAIL, saw, fix)


def findings(settings: Settings, checks: dict[str, Check]) -> Iterator[Finding]:
    """Everything that the checks see, in their order."""
    for name, check in checks.items():
        try:
            yield from check(settings)
        except OSError as error:
            yield warn(name, f"could not be looked at: {error.strerror or error}", "run the doctor as Facet's user")
