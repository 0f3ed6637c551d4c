"""Tests that need a program that is missing say so; where all programs must be there, they fail instead."""

from __future__ import annotations

import os
import shutil

import pytest


def need(program: str) -> str:
    """The path of `program`, also from /usr/sbin; without it the test skips, or fails if FACET_REQUIRE_PROGRAMS=1."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is not None:
        return found
    reason = f"the program {program} is not installed"
    if os.environ.get("FACET_REQUIRE_PROGRAMS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
