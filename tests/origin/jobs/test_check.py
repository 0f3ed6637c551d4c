"""The check: every disagreement between rows, counts and files is found; repairing destroys nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conf.schema import Settings
from origin.catalog.upkeep import Recount
from origin.jobs.check import Checked, check
from origin.jobs.collect import collect_once
from origin.service.model import Caller, CopyRequest, Expected, ServiceError
from origin.service.multipart import CompletedPart, CreateUploadRequest
from origin.service.service import Service
from tests.origin.jobs.damage import cut, sql
from tests.origin.storage.support import BUCKET, Clock, blob_files, get, join, put, stream

SIZE = 100_000
LATER = 10_000.0


async def test_every_way_to_write_and_remove_leaves_exact_counts(service: Service, ada: Caller, clock: Clock) -> None:
    bodies = [os.urandom(SIZE), b"small", os.urandom(SIZE + 1)]
    for number, body in enumerate([*bodies, *bodies]):
        await put(service, ada, f"k{number}", body)
    await service.objects.copy(ada, CopyRequest(source_bucket=BUCKET, source_key="k0", bucket=BUCKET, key="copy"))
    for key, finish in (("joined", "complete"), ("dropped", "abort"), ("open", "nothing")):
        upload = await service.uploads.create(ada, CreateUploadRequest(bucket=BUCKET, key=key))
        parts = []
        for number, body in enumerate([*bodies, bodies[0]], start=1):
            part = await service.uploads.put_part(ada, BUCKET, key, upload.upload_id, number, Expected(), stream(body))
            parts.append(CompletedPart(number=number, etag=part.etag))
        if finish == "complete":
            await service.uploads.complete(ada, BUCKET, key, upload.upload_id, parts[:-1])
        elif finish == "abort":
            await service.uploads.abort(ada, BUCKET, key, upload.upload_id)
    assert (await check(service.stores)).clean
    await service.objects.delete(ada, BUCKET, "k0")
    await put(service, ada, "joined", b"overwritten")
    assert (await check(service.stores)).clean
    for _ in range(3):
        clock.now += LATER
        await collect_once(service.stores, clock.now)
        found = await check(service.stores)
        assert found.clean, found.document()


async def test_wrong_counts_are_found_and_set_right(service: Service, ada: Caller, scratch: Settings) -> None:
    body = os.urandom(SIZE)
    await put(service, ada, "one", body)
    await put(service, ada, "two", body)
    await service._duplicates.idle()
    sql(scratch, "UPDATE blobs SET refs = refs + 3")
    sql(scratch, "UPDATE manifests SET refs = 0, doomed_at = 1, doomed_in = 1 WHERE number = 1")
    sql(scratch, "UPDATE usage SET bytes = bytes - 1")
    found = await check(service.stores)
    assert (len(found.counts.blobs), len(found.counts.manifests), len(found.counts.usage)) == (1, 1, 1)
    assert not found.clean
    assert not found.lost
    assert not (await check(service.stores, repair=True)).clean
    assert (await check(service.stores)).clean
    await collect_once(service.stores, service.stores.clock() + LATER)
    assert await get(service, ada, "one") == body


async def test_what_nothing_refers_to_is_doomed_by_a_repair_and_then_collected(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    await put(service, ada, "k", os.urandom(SIZE))
    sql(scratch, "DELETE FROM versions")
    assert len((await check(service.stores, repair=True)).counts.manifests) == 1
    for _ in range(2):
        clock.now += LATER
        await collect_once(service.stores, clock.now)
    assert blob_files(scratch) == []
    assert (await check(service.stores)).clean


@pytest.mark.parametrize("damage", ["missing", "short"])
async def test_a_missing_or_short_file_is_found_flagged_and_healed(
    service: Service, ada: Caller, scratch: Settings, damage: str
) -> None:
    body = os.urandom(SIZE)
    await put(service, ada, "k", body)
    (path,) = blob_files(scratch)
    if damage == "missing":
        path.unlink()
    else:
        cut(path)
    found = await check(service.stores)
    assert (found.missing or found.wrong_length) == [path.name]
    assert (bool(found.missing), found.flagged, found.lost) == (damage == "missing", 0, True)
    repaired = await check(service.stores, repair=True)
    assert (repaired.flagged, repaired.objects) == (1, [(BUCKET, "k", "")])
    await put(service, ada, "again", body)
    assert await get(service, ada, "k") == body
    assert not (await check(service.stores)).lost


async def test_unknown_files_are_told_apart_and_quarantined_never_unlinked(
    service: Service, ada: Caller, scratch: Settings
) -> None:
    await put(service, ada, "k", os.urandom(SIZE))
    blobs = scratch.origin_data / "blobs"
    orphan = "ab" * 16
    strangers = ["README", "00/notes.txt", "01/" + orphan, "02/folder"]
    (blobs / "ab" / orphan).write_text("orphan")
    for name in strangers[:3]:
        (blobs / name).write_text(name)
    (blobs / strangers[3]).mkdir()
    found = await check(service.stores)
    assert (found.orphaned, sorted(found.foreign)) == ([orphan], sorted(strangers))
    assert len(blob_files(scratch)) == 1 + 4
    await check(service.stores, repair=True)
    assert (await check(service.stores)).clean
    quarantine = scratch.origin_data / "quarantine"
    kept = sorted(path.read_text() for path in quarantine.iterdir() if path.is_file())
    assert kept == sorted(["orphan", *strangers[:3]])


async def test_nothing_in_quarantine_is_ever_written_over(service: Service, scratch: Settings) -> None:
    name = "ab" * 16
    for content in ("first", "second"):
        (scratch.origin_data / "blobs" / "ab" / name).write_text(content)
        await check(service.stores, repair=True)
    kept = sorted(path.read_text() for path in (scratch.origin_data / "quarantine").iterdir())
    assert kept == ["first", "second"]


async def test_lost_rows_are_found_and_not_invented(service: Service, ada: Caller, scratch: Settings) -> None:
    for number in range(3):
        await put(service, ada, f"k{number}", os.urandom(SIZE + number))
    sql(scratch, "DELETE FROM manifests WHERE number = 1")
    sql(scratch, "DELETE FROM blobs WHERE number = 2")
    sql(scratch, 'UPDATE segments SET "end" = "end" - 1 WHERE manifest = 3')
    found: Checked = await check(service.stores, repair=True)
    assert found.counts.lost_manifests == [1]
    assert found.counts.lost_blobs == [2]
    assert 3 in found.counts.broken_manifests
    assert found.lost


async def test_lists_of_parts_are_counted_and_never_invented(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    bodies = {key: await join(service, ada, key, [os.urandom(SIZE)]) for key in ("kept", "lost", "gone")}
    clock.now += LATER
    await collect_once(service.stores, clock.now)
    assert (await check(service.stores)).clean
    joined = "SELECT manifest FROM versions WHERE key = CAST('{}' AS BLOB)"
    sql(scratch, f"DELETE FROM joined WHERE manifest = ({joined.format('lost')})")
    sql(scratch, f"DELETE FROM manifests WHERE number = ({joined.format('gone')})")
    sql(scratch, "DELETE FROM versions WHERE key = CAST('gone' AS BLOB)")
    found = await check(service.stores, repair=True)
    assert (found.lost, len(found.counts.broken_manifests), found.counts.loose) == (True, 1, {"joined": 1})
    again = await check(service.stores)
    assert again.counts == Recount(broken_manifests=found.counts.broken_manifests)
    for _ in range(2):
        clock.now += LATER
        await collect_once(service.stores, clock.now)
    assert await get(service, ada, "kept") == bodies["kept"]
    with pytest.raises(ServiceError, match="damaged"):
        await get(service, ada, "lost")


async def test_files_of_writes_in_progress_are_known(service: Service, scratch: Settings) -> None:
    blob_id = bytes(16)
    await service.stores.write(lambda tables: tables.blobs.add_pending([blob_id], service.stores.epoch, 0))
    path: Path = scratch.origin_data / "blobs" / "00" / blob_id.hex()
    path.write_text("in progress")
    assert (await check(service.stores, repair=True)).clean
    assert path.exists()


async def test_a_dead_blob_that_is_referred_to_is_revived(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    bodies = {f"k{number}": os.urandom(SIZE + number) for number in range(3)}
    for key, body in bodies.items():
        await put(service, ada, key, body)
    # The second is known again under a new number since it died, as after an upload of the same bytes.
    sql(scratch, "UPDATE blobs SET state = 2, doomed_at = 1, doomed_in = 1 WHERE number < 3")
    await put(service, ada, "again", bodies["k1"])
    found = await check(service.stores)
    assert (found.counts.dead_blobs, found.lost, found.clean) == ([1, 2], False, False)
    await check(service.stores, repair=True)
    for _ in range(2):
        clock.now += LATER
        await collect_once(service.stores, clock.now)
    found = await check(service.stores)
    assert found.clean, found.document()
    assert {key: await get(service, ada, key) for key in bodies} == bodies
    assert len(blob_files(scratch)) == 3


async def test_a_revived_blob_without_its_file_is_missing_and_heals(
    service: Service, ada: Caller, scratch: Settings
) -> None:
    body = os.urandom(SIZE)
    await put(service, ada, "k", body)
    (path,) = blob_files(scratch)
    path.unlink()
    sql(scratch, "UPDATE blobs SET state = 2, doomed_at = 1, doomed_in = 1")
    repaired = await check(service.stores, repair=True)
    assert (repaired.missing, repaired.flagged, repaired.lost) == ([path.name], 1, True)
    await put(service, ada, "again", body)
    assert await get(service, ada, "k") == body
    assert (await check(service.stores)).clean


async def test_rows_of_nothing_are_found_and_removed_unless_they_may_be_all_that_is_left(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    for key in ("gone", "lost", "small", "kept"):
        await put(service, ada, key, b"small" if key == "small" else os.urandom(SIZE))
    sql(scratch, "DELETE FROM versions WHERE key = CAST('gone' AS BLOB)")
    sql(scratch, "DELETE FROM manifests WHERE number IN (1, 2)")
    sql(scratch, "INSERT INTO bodies VALUES (77, x'00', 1, 0)")
    sql(scratch, "INSERT INTO pending SELECT id, 0, 0 FROM blobs WHERE number = 3")
    found = await check(service.stores)
    assert found.counts.loose == {"segments": 2, "bodies": 1, "pending": 1}
    assert found.counts.lost_manifests == [2]
    for _ in range(3):
        await check(service.stores, repair=True)
        clock.now += LATER
        await collect_once(service.stores, clock.now)
    found = await check(service.stores)
    assert (found.counts.loose, found.flagged, found.missing) == ({"segments": 1}, 0, [])
    assert len(blob_files(scratch)) == 2
    assert len(await get(service, ada, "kept")) == SIZE
