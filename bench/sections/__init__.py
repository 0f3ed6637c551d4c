"""The sections of the page, in its order."""

from __future__ import annotations

from bench.sections import hits

SECTIONS = (hits.SECTION,)
