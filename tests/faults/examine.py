"""A data folder after a crash: every key holds what it may, and after collection every reference and file is explained.

The rule of this file: references are counted again from the rows themselves, in SQL of its own, so that a mistake in
the engine's counting cannot hide itself.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
from blake3 import blake3

from conf.errors import StartError
from conf.schema import Settings
from origin.jobs.check import check
from origin.jobs.collect import collect_once
from origin.seal.frames import Damaged
from origin.service.model import Caller, ServiceError
from origin.service.service import Service
from tests.faults.traffic import Journal, digest
from tests.origin.storage.support import BUCKET, get, settings

LATER = 10_000.0
ROUNDS = 3
"""A doomed manifest of parts dooms their manifests, which doom blobs."""


async def examine(data: Path, access_key: str, journal: Journal) -> list[str]:
    """Everything that is wrong with the folder; it is collected on the way."""
    mine = settings(data, grace=0)
    try:
        service = await Service.open(mine)
    except StartError as error:
        return [f"the folder cannot be opened: {error}"]
    try:
        problems = [problem async for problem in _contents(service, access_key, journal)]
        now = service.stores.clock()
        for number in range(1, ROUNDS + 1):
            await collect_once(service.stores, now + number * LATER)
        checked = await check(service.stores)
        if not checked.clean:
            problems.append(f"the check finds {checked.document()}")
    finally:
        await service.close()
    return problems + list(recount(mine))


async def _contents(service: Service, access_key: str, journal: Journal) -> AsyncIterator[str]:
    found = await service.keys.secret(access_key)
    if found is None:
        if journal.keys():
            yield f"the key {access_key} is gone"
        return
    who = Caller(found[0])
    for key in sorted(journal.keys()):
        try:
            held: str | None = digest(await get(service, who, key))
        except ServiceError as error:
            held = None if error.code == "NoSuchKey" else f"{error}"
        except Damaged as error:
            held = f"{error}"
        if held not in journal.allowed(key):
            yield f"{BUCKET}/{key} holds {held}, not one of {journal.allowed(key)}"


def recount(mine: Settings) -> Iterator[str]:
    """What references and files do not agree with the rows, in a folder at rest that was just collected."""
    path = mine.origin_data / "catalog.sqlite"
    with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE) as catalog:
        yield from _manifests(catalog)
        yield from _bodies(catalog)
        yield from _blobs(catalog, mine.origin_data / "blobs")
        if catalog.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            yield "the catalog's own check fails"


def _manifests(catalog: apsw.Connection) -> Iterator[str]:
    wanted: Counter[int] = Counter()
    for table in ("versions", "parts", "uploads"):
        for (number,) in catalog.execute(f"SELECT manifest FROM {table} WHERE manifest IS NOT NULL"):
            wanted[number] += 1
    stored: dict[int, int] = dict(catalog.execute("SELECT number, refs FROM manifests").fetchall())
    lists = dict(catalog.execute("SELECT manifest, parts FROM joined").fetchall())
    for parts in lists.values():
        for part, _ in json.loads(parts):
            wanted[part] += 1
    joined = {number for (number,) in catalog.execute("SELECT number FROM manifests WHERE parts IS NOT NULL")}
    yield from (f"manifest {number} and its list of parts are not both there" for number in joined ^ lists.keys())
    for number in wanted.keys() | stored.keys():
        if wanted[number] != stored.get(number):
            yield f"manifest {number} has {stored.get(number)} references, {wanted[number]} refer to it"
    for (number,) in catalog.execute("SELECT DISTINCT manifest FROM segments"):
        if number not in stored:
            yield f"segments of manifest {number}, which does not exist"


def _bodies(catalog: apsw.Connection) -> Iterator[str]:
    known = dict(catalog.execute("SELECT manifest, checksum FROM bodies WHERE flagged = 0").fetchall())
    for number, inline in catalog.execute("SELECT number, inline FROM manifests WHERE inline IS NOT NULL"):
        if known.pop(number, None) != blake3(inline).digest():
            yield f"the body of manifest {number} is not what was stored"
    yield from (f"a checksum of the body of manifest {number}, which does not exist" for number in known)


def _blobs(catalog: apsw.Connection, folder: Path) -> Iterator[str]:
    wanted = Counter(number for (number,) in catalog.execute("SELECT blob FROM segments"))
    files = {path.name: path for path in folder.rglob("*") if path.is_file()}
    rows = "SELECT number, id, stored, checksum, refs, state, flagged FROM blobs"
    for number, blob_id, stored, checksum, refs, state, flagged in catalog.execute(rows):
        path = files.pop(blob_id.hex(), None)
        if refs != wanted.pop(number, 0) or refs == 0 or state != 0:
            yield f"blob {number} has {refs} references in state {state}"
        if path is None or flagged:
            yield f"blob {number} is {'flagged' if flagged else 'missing'}"
        elif path.stat().st_size != stored or blake3(path.read_bytes()).digest() != checksum:
            yield f"blob {number} is not what was stored"
    yield from (f"segments of blob {number}, which does not exist" for number in wanted)
    pending = {blob_id.hex() for (blob_id,) in catalog.execute("SELECT id FROM pending")}
    yield from (f"{name} is still pending" for name in pending)
    yield from (f"nobody explains the file {name}" for name in files.keys() - pending)
