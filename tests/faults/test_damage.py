"""Whatever becomes of a stored file, no wrong byte is returned: an error, or a body that ends short."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path

import pytest

from origin.jobs.scrub import scrub
from origin.seal.frames import Damaged
from origin.service.ingest import SEGMENT
from origin.service.model import ServiceError
from origin.service.service import Service
from tests.faults.conftest import scratch_folder
from tests.faults.damages import DAMAGES
from tests.origin.api.conftest import Origin, running
from tests.origin.storage.support import BUCKET, MIB, blob_files, caller, get, put, settings

SIZE = SEGMENT + MIB


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with (
        scratch_folder() as folder,
        running(folder / "data", ORIGIN_SYNC="false", ORIGIN_RESERVE="0") as one,
    ):
        assert one.ask("PUT", f"/{BUCKET}").status == 200
        yield one


def wreck(file: Path, other: Path, damage: str, seed: int) -> None:
    """Do it to the file."""
    content = file.read_bytes()
    wrong = DAMAGES[damage](content, other.read_bytes(), random.Random(seed))
    assert wrong != content
    if wrong is None:
        file.unlink()
    else:
        file.write_bytes(wrong)


def read(origin: Origin, target: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, bool]:
    """Status and bytes of an answer, and whether they are all that Content-Length promised."""
    with origin.connect() as connection:
        connection.sendall(origin.head("GET", target, headers))
        response = HTTPResponse(connection)
        response.begin()
        try:
            return response.status, response.read(), True
        except IncompleteRead as error:
            return response.status, error.partial, False


@pytest.mark.parametrize(("damage", "segment"), [(damage, number % 2) for number, damage in enumerate(DAMAGES)])
def test_nothing_wrong_is_ever_sent(origin: Origin, damage: str, segment: int) -> None:
    chance = random.Random(f"{damage} {segment}")
    before = set(blob_files(settings(origin.data)))
    bodies = [chance.randbytes(SIZE) for _ in range(2)]
    files: list[list[Path]] = []
    for number, body in enumerate(bodies):
        assert origin.ask("PUT", f"/{BUCKET}/{number}", body=body).status == 200
        new = sorted(set(blob_files(settings(origin.data))) - before, key=lambda path: -path.stat().st_size)
        files.append(new)
        before.update(new)
    wreck(files[0][segment], files[1][segment], damage, len(damage))
    status, sent, whole = read(origin, f"/{BUCKET}/0")
    if status == 200:
        assert not whole
        assert bodies[0].startswith(sent)
        assert len(sent) < SIZE
    else:
        assert (status, segment) == (500, 0)
    start = 0 if segment else SEGMENT
    good = read(origin, f"/{BUCKET}/0", {"Range": f"bytes={start}-{start + 99}"})
    assert good == (206, bodies[0][start : start + 100], True)
    assert read(origin, f"/{BUCKET}/1") == (200, bodies[1], True)
    assert origin.ask("PUT", f"/{BUCKET}/again", body=bodies[0]).status == 200
    assert read(origin, f"/{BUCKET}/0") == (200, bodies[0], True)


@pytest.mark.parametrize("seal", [True, False])
async def test_reads_and_the_scrub_find_all_of_it(scratch: Path, seal: bool) -> None:
    service = await Service.open(settings(scratch / "data", seal=seal))
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    chance = random.Random(5)
    bodies = [chance.randbytes(MIB) for _ in range(len(DAMAGES) + 1)]
    for number, body in enumerate(bodies):
        await put(service, ada, str(number), body)
    *files, other = blob_files(service.settings)
    for file, damage in zip(files, DAMAGES, strict=True):
        wreck(file, other, damage, 5)
    read = 0
    for number, body in enumerate(bodies):
        with suppress(ServiceError, Damaged):
            assert await get(service, ada, str(number)) == body
            read += 1
    assert read == 1
    report = await scrub(service.stores, rate=0)
    assert {one["blob"] for one in report.document()["damaged"]} == {file.name for file in files}
    for number, body in enumerate(bodies):
        await put(service, ada, f"again {number}", body)
        assert await get(service, ada, str(number)) == body
    assert (await scrub(service.stores, rate=0, restart=True)).clean
    await service.close()
