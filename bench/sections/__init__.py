"""The sections of the page, in its order."""

from __future__ import annotations

from bench.sections import cold, disk, herd, hits, mixed, overload, s3

SECTIONS = (
    hits.SECTION, disk.SECTION, cold.SECTION, mixed.SECTION, herd.SECTION, overload.SECTION, s3.SECTION,
)  # fmt: skip
