"""How long the catalog's writer is held by a copy and by a delete: of an object of many parts, and of a small one.

The rule of this file: both manifests are made through the catalog's own contract, and what is timed is what a request
does in its transaction, without its commit: the part in which nobody else can write.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.table import Table

from origin.catalog.contract import Catalog, Tables
from origin.catalog.rows import Described, NewVersion, OwnerRow
from origin.catalog.sqlite.store import SqliteCatalog

PARTS, PART = 10_000, 500_000_000
COPIES = 200
_ABOUT = Described(content_type="", headers={}, metadata={}, acl="private", storage_class="STANDARD")


def _make(tables: Tables) -> dict[str, int]:
    """A bucket's owner, and the two manifests: name → number."""
    tables.owners.add(OwnerRow("0" * 64, "bench", "bench"), 1.0)
    tables.buckets.add(name="bench", owner="0" * 64, created=1.0, acl="private", region="")
    one = partial(tables.manifests.insert, identity=bytes(32), seal_id=bytes(16))
    parts = [(one(size=PART), PART) for _ in range(PARTS)]
    return {"small": one(size=1), "5 TB": one(size=PARTS * PART, parts=parts)}


def _copy(tables: Tables, manifest: int, key: bytes) -> float:
    """Seconds of a copy's statements."""
    began = time.perf_counter()
    tables.versions.latest(1, key)
    tables.manifests.acquire(manifest)
    sequence = tables.meta.mutation()
    tables.versions.insert(
        sequence,
        NewVersion(
            bucket=1, key=key, version_id="", owner="0" * 64, created=1.0, described=_ABOUT, manifest=manifest, size=1,
            seal_id=bytes(16), digests=b"",
        ),
    )  # fmt: skip
    return time.perf_counter() - began


def _delete(tables: Tables, key: bytes) -> float:
    """Seconds of a delete's statements."""
    began = time.perf_counter()
    version = tables.versions.latest(1, key)
    assert version is not None
    assert version.manifest is not None
    tables.versions.remove(version)
    tables.manifests.release(version.manifest, 1.0, tables.meta.mutation())
    return time.perf_counter() - began


def _times(catalog: Catalog, manifests: dict[str, int]) -> dict[str, dict[str, float]]:
    """The medians of both, by name, in seconds; the two take turns."""
    found: dict[str, dict[str, list[float]]] = {verb: {name: [] for name in manifests} for verb in ("copy", "delete")}
    for number in range(COPIES):
        for name, manifest in manifests.items():
            key = f"{name}/{number}".encode()
            work: dict[str, Callable[[Tables], float]] = {
                "copy": partial(_copy, manifest=manifest, key=key),
                "delete": partial(_delete, key=key),
            }
            for verb, function in work.items():
                found[verb][name].append(catalog.write(function).result())
    return {verb: {name: statistics.median(times) for name, times in by.items()} for verb, by in found.items()}


def table(folder: Path) -> Table:
    """Make the manifests and measure."""
    catalog = SqliteCatalog(folder / "manifests.sqlite")
    times = _times(catalog, catalog.write(_make).result())
    catalog.close()
    made = Table("request", "us, small", "us, 5 TB", "x", "goal", title="How long a manifest holds the writer")
    for verb, by in times.items():
        small, large = by["small"], by["5 TB"]
        made.add_row(verb, f"{small * 1e6:.0f}", f"{large * 1e6:.0f}", f"{large / small:.2f}", "<= 1.15")
    return made
