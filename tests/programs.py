"""Tests that need a program that is missing say so; where all programs must be there, they fail instead."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def found(program: str) -> str | None:
    """The path of `program`, also from /usr/sbin; None where it is not installed."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def need(program: str) -> str:
    """The path of `program`; without it the test skips, or fails if FACET_REQUIRE_PROGRAMS=1."""
    path = found(program)
    if path is None:
        missing(f"the program {program} is not installed")
    return path


def missing(reason: str) -> NoReturn:
    """Skip for this reason, or fail if FACET_REQUIRE_PROGRAMS=1."""
    if os.environ.get("FACET_REQUIRE_PROGRAMS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
