"""docs/operations.md: every command about the store is run, in the order of the page, beside a running server."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from origin.service.model import PutRequest
from origin.service.service import Service
from tests.origin.jobs.test_commands import facet, serving
from tests.origin.storage.support import caller, settings, stream

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
FIRST = "## Looking after the store"


def commands() -> list[list[str]]:
    """The indented lines from that heading on, without comments."""
    lines = re.findall(r"^    ((?:facet|cp) .*)$", PAGE[PAGE.index(FIRST) :], re.MULTILINE)
    return [line.partition("#")[0].split() for line in lines]


async def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    data = tmp_path / "data"
    service = await Service.open(settings(data))
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, "mastodon")
    for number in range(3):
        await service.objects.put(ada, PutRequest(bucket="mastodon", key=f"k{number}"), stream(bytes(50_000 + number)))
    (first,) = service.stores.ring.ids
    await service.close()
    for folder in ("backups", "safe/place", "srv"):
        (tmp_path / folder).mkdir(parents=True)
    with serving(data):
        ran = 0
        for words in commands():
            here = [str(tmp_path) + word if word.startswith("/") else word for word in words]
            here = [first if re.fullmatch(r"20\d\d-\d\d-\d\d-[0-9a-f]{8}", word) else word for word in here]
            match here:
                case ["cp", source, target]:
                    shutil.copy(source, target)
                case ["facet", "up", "--data", restored]:
                    with serving(Path(restored)):
                        assert facet(Path(restored), "fsck", "--json")["clean"]
                case ["facet", "blobs", "move"]:  # which needs its settings first; test_s3.py runs whole moves
                    facet(data, "blobs", "move", code=2)
                case ["facet", *rest]:
                    facet(data, *rest)
            ran += 1
    assert ran == 18
