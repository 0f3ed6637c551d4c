"""A bucket of very many objects beside a bucket of a few: what requests cost in each, and what listings take.

The rule of this file: the full bucket is filled with rows as PUT would have made them, through the catalog's own
contract; everything measured goes through a running origin.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.progress import track
from rich.table import Table

from bench.load import Sample, cpu_seconds, peak_memory, wrk
from bench.origins import KEY, SECRET, Origin, origin, script
from conf.schema import Origin as OriginSettings
from conf.schema import Settings
from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, ManifestRow, NewVersion, VersionRow
from origin.service.model import Caller, PutRequest
from origin.service.service import Service

FEW, KEYS, BATCH = 1000, 2000, 5000
GROUPED, PREFIXES, LISTS = 100_000, 10, 30
BODY = b"a small object that stands for all others" * 4


async def _body() -> AsyncIterator[bytes]:
    yield BODY


async def fill(folder: Path, buckets: dict[str, Sequence[str]]) -> None:
    """Make buckets of those keys in the data folder, which no server has open."""
    settings = Settings(
        data=folder / "data", root_access_key=KEY, root_secret_key=SECRET, origin=OriginSettings(sync=False)
    )
    service = await Service.open(settings)
    found = await service.keys.secret(KEY)
    assert found is not None
    root = Caller(found[0])
    for name, keys in buckets.items():
        await service.buckets.create(root, name)
        await service.objects.put(root, PutRequest(bucket=name, key=keys[0]), _body())

        like = await service.stores.read(partial(_first, name=name, key=keys[0]))
        rest = list(keys[1:])
        for start in track(range(0, len(rest), BATCH), f"filling {name}", transient=True):
            await service.stores.write(partial(_insert_all, like=like, keys=rest[start : start + BATCH]))
    await service.close()


Like = tuple[BucketRow, VersionRow, ManifestRow]


def _first(tables: Tables, name: str, key: str) -> Like:
    bucket = tables.buckets.get(name)
    assert bucket is not None
    version = tables.versions.latest(bucket.number, key.encode())
    assert version is not None
    assert version.manifest is not None
    manifest = tables.manifests.get(version.manifest)
    assert manifest is not None
    return bucket, version, manifest


def _insert_all(tables: Tables, like: Like, keys: Sequence[str]) -> None:
    for key in keys:
        _insert(tables, *like, key)


def _insert(tables: Tables, bucket: BucketRow, version: VersionRow, manifest: ManifestRow, key: str) -> None:
    """A row like the first one's: sealed values belong to a seal id, not to a key."""
    number = tables.manifests.insert(
        size=manifest.size, identity=manifest.identity, seal_id=manifest.seal_id, inline=manifest.inline
    )
    fresh = NewVersion(
        bucket=bucket.number, key=key.encode(), version_id=version.version_id, owner=bucket.owner.id,
        created=version.created, described=version.described, manifest=number, size=version.size,
        seal_id=version.seal_id, digests=version.digests,
    )  # fmt: skip
    tables.versions.insert(tables.meta.mutation(), fresh)


def tables(folder: Path, rounds: int, objects: int) -> Iterator[Table]:
    """Fill both buckets, then measure."""
    home = folder / "million"
    home.mkdir()
    chance = random.Random(1)
    full = [f"{number:07d}/object" for number in range(objects)]
    names = {"few": [f"{number:07d}/object" for number in range(FEW)], "full": full}
    grouped = [f"{number % PREFIXES}/{number:06d}" for number in range(GROUPED)]
    asyncio.run(fill(home, {**names, "grouped": grouped, "ten": [f"k{number}" for number in range(10)]}))
    with origin(home) as one:
        yield _requests(
            one, home, rounds, {name: chance.choices(keys, k=KEYS) for name, keys in names.items()}, objects
        )
        yield _listings(one)


def _requests(one: Origin, folder: Path, rounds: int, keys: dict[str, list[str]], objects: int) -> Table:
    table = Table("request", f"CPU us at {FEW:,}", f"CPU us at {objects:,}", "x", "goal", "p99 ms at either", "peak MB",
                  title="One bucket of very many objects; 32 connections, HEAD one")  # fmt: skip
    for verb, operation, goal in (
        ("GET", "get_object", 1.15), ("HEAD", "head_object", 1.15), ("PUT", "put_object", 1.5),
    ):  # fmt: skip
        samples: dict[str, list[Sample]] = {name: [] for name in keys}
        targets = {name: one.targets(operation, some, bucket=name) for name, some in keys.items()}
        files = {
            name: script(folder, f"{verb}-{name}", one.url, verb, some, BODY if verb == "PUT" else b"")
            for name, some in targets.items()
        }
        for number in range(rounds + 1):
            for name, some in targets.items():
                sample = _heads(one, some) if verb == "HEAD" else wrk(one.url, [one.pid], script=files[name])
                if number:
                    samples[name].append(sample)
        few, full = (1e6 / statistics.median(run.per_cpu_second for run in runs) for runs in samples.values())
        late = " / ".join(f"{statistics.median(run.p99 for run in runs):.1f}" for runs in samples.values())
        table.add_row(verb, f"{few:,.0f}", f"{full:,.0f}", f"{full / few:.2f}", f"<= {goal:.2f}", late,
                      f"{max(run.peak for runs in samples.values() for run in runs) / 1e6:.0f}")  # fmt: skip
    return table


def _heads(one: Origin, targets: Sequence[str]) -> Sample:
    """HEAD requests one after the other: wrk waits for a body that HEAD never sends."""
    connection = http.client.HTTPConnection(*one.address)
    before, began = cpu_seconds([one.pid]), time.perf_counter()
    times = []
    for target in targets:
        start = time.perf_counter()
        connection.request("HEAD", target)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        times.append((time.perf_counter() - start) * 1e3)
    used, seconds = cpu_seconds([one.pid]) - before, time.perf_counter() - began
    connection.close()
    ranked = sorted(times)
    return Sample(len(times), seconds, used, ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100],
                  peak_memory([one.pid]), 0)  # fmt: skip


def _listings(one: Origin) -> Table:
    """A delimiter listing of many keys under few prefixes, beside one of as many keys in a small bucket."""
    targets = {
        f"{GROUPED:,} keys under {PREFIXES} prefixes": one.target("list_objects_v2", bucket="grouped", Delimiter="/"),
        "10 keys in a bucket of 10": one.target("list_objects_v2", bucket="ten", Delimiter="/"),
    }
    connection = http.client.HTTPConnection(*one.address)
    seconds: dict[str, list[float]] = {name: [] for name in targets}
    for _ in range(LISTS):
        for name, target in targets.items():
            began = time.perf_counter()
            connection.request("GET", target)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            seconds[name].append(time.perf_counter() - began)
    connection.close()
    median = {name: statistics.median(times) for name, times in seconds.items()}
    least = min(median.values())
    table = Table("listing", "ms", "x", "goal", title="Delimiter listings")
    for name, value in median.items():
        table.add_row(name, f"{value * 1e3:.2f}", f"{value / least:.2f}", "<= 5.00" if value != least else "")
    return table
