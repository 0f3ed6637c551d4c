"""Starts: what is missing or wrong is one clear sentence, and nothing is made twice."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from conf.errors import StartError
from conf.schema import Settings
from origin.seal.keyring import KeyRing
from origin.service.model import Caller
from origin.service.service import Service
from tests.origin.storage.support import BUCKET, caller, get, put, settings


async def test_a_first_start_makes_its_keys_and_a_second_one_takes_them(tmp_path: Path) -> None:
    mine = settings(tmp_path / "deep" / "data")
    service = await Service.open(mine)
    await service.close()
    for path in (mine.master_key, mine.root_key, mine.edge_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = {path: path.read_text() for path in (mine.master_key, mine.root_key, mine.edge_key)}
    service = await Service.open(mine)
    assert {path: path.read_text() for path in made} == made
    for path, owner in ((mine.root_key, "root"), (mine.edge_key, "edge")):
        pair = json.loads(path.read_text())
        found = await service.keys.secret(pair["access_key"])
        assert found is not None
        assert (found[0].owner.name, found[1]) == (owner, pair["secret_key"])
    await service.close()


async def test_the_root_key_of_the_settings_is_used_and_can_change(tmp_path: Path) -> None:
    for secret in ("first-secret", "other-secret"):
        mine = Settings(data=tmp_path, root_access_key="admin", root_secret_key=secret)
        service = await Service.open(mine)
        found = await service.keys.secret("admin")
        assert found is not None
        assert (found[0].owner.name, found[1]) == ("root", secret)
        assert not mine.root_key.exists()
        await service.close()


async def test_a_missing_master_key_with_data_is_refused_by_name(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    await (await Service.open(mine)).close()
    mine.master_key.unlink()
    with pytest.raises(StartError, match=r"master\.key \(master_key_file\) is missing"):
        await Service.open(mine)
    assert not mine.master_key.exists()


async def test_a_wrong_master_key_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    await (await Service.open(mine)).close()
    right = mine.master_key.read_text()
    (key_id,) = [line.split()[1] for line in right.splitlines() if line.startswith("key")]
    for ring in (KeyRing({key_id: bytes(32)}), KeyRing({"other": bytes(32)})):
        mine.master_key.write_text(ring.render())
        with pytest.raises(StartError, match="wrong one"):
            await Service.open(mine)
    mine.master_key.write_text("hello")
    with pytest.raises(StartError, match="line 1"):
        await Service.open(mine)
    mine.master_key.write_text(right)
    await (await Service.open(mine)).close()


async def test_a_second_owner_of_the_folder_is_refused(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    service = await Service.open(mine)
    with pytest.raises(StartError, match="in use"):
        await Service.open(mine)
    await service.close()
    await (await Service.open(mine)).close()


async def test_an_unwritable_folder_is_refused_by_name(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StartError, match="file"):
        await Service.open(settings(blocked / "data"))


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    service = await Service.open(mine)
    ada = await caller(service, access_key="ada-key", secret_key="ada-secret", buckets=[BUCKET])
    await service.buckets.create(ada, BUCKET, acl="public-read")
    bodies = {"small": b"small", "large": os.urandom(300_000)}
    infos = [await put(service, ada, key, body, metadata={"k": "v"}) for key, body in bodies.items()]
    await service.close()
    service = await Service.open(mine)
    found = await service.keys.secret("ada-key")
    assert found == (ada.key, "ada-secret")
    again = Caller(found[0])
    assert [await get(service, again, key) for key in bodies] == list(bodies.values())
    assert [await service.objects.head(again, BUCKET, key) for key in bodies] == infos
    assert len((await service.acls.bucket(again, BUCKET)).grants) == 2
    await service.close()


async def test_closing_waits_for_what_was_acknowledged_alone(tmp_path: Path) -> None:
    service = await Service.open(settings(tmp_path))
    ada = await caller(service)
    await service.buckets.create(ada, BUCKET)
    await asyncio.gather(*(put(service, ada, f"k{number}", bytes(20_000)) for number in range(10)))
    await service.close()
