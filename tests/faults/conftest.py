"""Where faults are made: in memory where the system offers it, since hundreds of stores are made and thrown away."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is removed at the end. What is proven does not depend on the file system below it."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="facet-faults-", dir=place, ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def scratch() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder
