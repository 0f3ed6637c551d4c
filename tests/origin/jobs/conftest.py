"""The storage tests' service, owner and clock."""

from __future__ import annotations

from tests.origin.storage.conftest import ada, clock, scratch, service

__all__ = ["ada", "clock", "scratch", "service"]
