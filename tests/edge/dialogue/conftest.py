"""One edge for each file of dialogues: its tests play on paths of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo import pictures
from tests.edge.dialogue.stage import Stage, stage


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("edge"), {"edge": {"negative": 1}}) as playing:
        yield playing


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A photo-like JPEG, upright 300 × 400."""
    return pictures.photo(300, 400)
