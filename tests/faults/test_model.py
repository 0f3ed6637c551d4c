"""The service against a dictionary: whatever is done in whatever order, both hold the same."""

from __future__ import annotations

import pytest

from tests.faults.model import histories
from tests.faults.small import shrink


def test_the_service_holds_what_a_dictionary_would(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch.setattr)
    histories(12, 25)
