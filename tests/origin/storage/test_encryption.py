"""Second seals: what another key sealed shares no bytes, opens with that key alone, and outlives rotation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from conf.encryption import Encryption
from conf.schema import Settings
from origin.jobs.rewrap import rewrap
from origin.service.model import Caller, CopyRequest, CustomerKey, ServiceError
from origin.service.model import Expected as Expect
from origin.service.multipart import CompletedPart, CreateUploadRequest
from origin.service.service import Service
from tests.origin.storage.support import BUCKET, blob_files, caller, get, put, settings, stream

SIZE = 100_000
ONE, TWO = CustomerKey(bytes(range(32))), CustomerKey(bytes(range(32, 64)))
INLINE = 2_000


def kms(name: str) -> dict[str, str]:
    return {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": name}


@pytest.fixture
def scratch(tmp_path: Path) -> Settings:
    return with_keys(tmp_path / "data", "one", "two")


def with_keys(folder: Path, *names: str, **origin: Any) -> Settings:
    return settings(folder, **origin).model_copy(update={"encryption": Encryption(kms_keys=names)})


async def read(service: Service, who: Caller, key: str, customer: CustomerKey | None = None) -> bytes:
    async with await service.objects.open(who, BUCKET, key, customer=customer) as reading:
        return b"".join([bytes(chunk) async for chunk in reading.chunks()])


async def test_bytes_are_shared_within_one_kms_key_only(service: Service, ada: Caller, scratch: Settings) -> None:
    body = os.urandom(SIZE)
    identities = {}
    for key, headers in {
        "plain": {}, "again": {}, "one": kms("one"), "one-again": kms("arn:aws:kms:x:1:key/one"), "two": kms("two"),
    }.items():  # fmt: skip
        identities[key] = (await put(service, ada, key, body, headers=headers)).identity
    assert len({identities["plain"], identities["one"], identities["two"]}) == 3
    assert (identities["plain"], identities["one"]) == (identities["again"], identities["one-again"])
    assert len(await live_blobs(service)) == 3
    for key in identities:
        assert await get(service, ada, key) == body


async def live_blobs(service: Service) -> list[int]:
    def numbers(tables: Any) -> list[int]:
        found = []
        for one in tables.versions.live(tables.buckets.get(BUCKET).number, b"", None):
            found += [segment.blob.number for segment in tables.manifests.segments(one.manifest, 0, one.size)]
        return sorted(set(found))

    return await service.stores.read(numbers)


async def test_nothing_is_shared_under_a_customers_key(service: Service, ada: Caller, scratch: Settings) -> None:
    body = os.urandom(SIZE)
    made = [await put(service, ada, f"k{number}", body, customer=ONE) for number in range(2)]
    made.append(await put(service, ada, "other", body, customer=TWO))
    made.append(await put(service, ada, "plain", body))
    assert len({info.identity for info in made}) == len({info.etag for info in made}) == 4
    assert len(await live_blobs(service)) == 4


@pytest.mark.parametrize("size", [INLINE, SIZE])
async def test_the_store_alone_does_not_open_what_a_customers_key_sealed(
    service: Service, ada: Caller, scratch: Settings, size: int
) -> None:
    body = os.urandom(size)
    await put(service, ada, "k", body, customer=ONE)
    for path in (*blob_files(scratch), *(scratch.origin_data).glob("catalog.sqlite*")):
        assert ONE.key not in path.read_bytes(), path
        assert body[:64] not in path.read_bytes(), path
    for wrong in (None, TWO):
        with pytest.raises(ServiceError):
            await read(service, ada, "k", wrong)
    assert await read(service, ada, "k", ONE) == body


async def test_rotation_needs_no_customers_key(service: Service, ada: Caller) -> None:
    bodies = {"customer": os.urandom(SIZE), "kms": os.urandom(SIZE), "small": os.urandom(INLINE)}
    await put(service, ada, "customer", bodies["customer"], customer=ONE)
    await put(service, ada, "small", bodies["small"], customer=ONE)
    await put(service, ada, "kms", bodies["kms"], headers=kms("one"))
    [old] = service.stores.ring.ids
    await service.master_keys.add("new")
    assert (await rewrap(service.stores))["rewrapped"] == 2
    await service.master_keys.retire(old)
    for key, body in bodies.items():
        assert await read(service, ada, key, None if key == "kms" else ONE) == body


async def test_a_kms_key_that_was_taken_away_reads_again_when_it_is_back(tmp_path: Path) -> None:
    body = os.urandom(SIZE)
    service = await Service.open(with_keys(tmp_path, "one"))
    ada = await caller(service, access_key="ada-key", permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    await put(service, ada, "k", body, headers=kms("one"))
    await service.close()
    service = await Service.open(with_keys(tmp_path))
    with pytest.raises(ServiceError) as refused:
        await get(service, ada, "k")
    assert refused.value.code == "KMS.NotFoundException"
    assert (await service.objects.head(ada, BUCKET, "k")).size == SIZE
    await service.close()
    service = await Service.open(with_keys(tmp_path, "one"))
    assert await get(service, ada, "k") == body
    await service.close()


async def test_customers_bodies_are_sealed_where_nothing_else_is(tmp_path: Path) -> None:
    service = await Service.open(with_keys(tmp_path, "one", seal=False))
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    body = os.urandom(SIZE)
    await put(service, ada, "k", body, customer=ONE)
    await put(service, ada, "kms", body, headers=kms("one"))
    assert all(body[:64] not in path.read_bytes() for path in blob_files(service.settings))
    assert (await read(service, ada, "k", ONE), await get(service, ada, "kms")) == (body, body)
    await service.close()


async def test_an_upload_of_small_parts_keeps_its_seal(service: Service, ada: Caller) -> None:
    for customer, headers in ((ONE, {}), (None, kms("one"))):
        request = CreateUploadRequest(bucket=BUCKET, key="m", headers=headers, customer=customer)
        upload = (await service.uploads.create(ada, request)).upload_id
        done = []
        for number, part in enumerate((b"first", os.urandom(SIZE), b"last"), start=1):
            info = await service.uploads.put_part(
                ada, BUCKET, "m", upload, number, Expect(), stream(part), customer
            )  # fmt: skip
            done.append(CompletedPart(number=number, etag=info.etag))
        info = await service.uploads.complete(ada, BUCKET, "m", upload, done)
        assert len(info.identity) == 64
        assert len(await read(service, ada, "m", customer)) == SIZE + 9


async def test_a_copy_under_the_same_seal_moves_no_byte(service: Service, ada: Caller, scratch: Settings) -> None:
    body = os.urandom(SIZE)
    await put(service, ada, "k", body, headers=kms("one"))
    await put(service, ada, "c", body, customer=ONE)
    files = set(blob_files(scratch))
    copy = CopyRequest(source_bucket=BUCKET, source_key="k", bucket=BUCKET, key="k2", headers=kms("one"))
    await service.objects.copy(ada, copy)
    copy = CopyRequest(source_bucket=BUCKET, source_key="c", bucket=BUCKET, key="c2", customer=ONE, source_customer=ONE)
    await service.objects.copy(ada, copy)
    assert set(blob_files(scratch)) == files
    assert (await get(service, ada, "k2"), await read(service, ada, "c2", ONE)) == (body, body)
