"""The admin listener: metrics, health, and purges that name something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from edge.cache.epochs import HARD, Epochs
from edge.cache.records import RecordStore
from edge.cache.subjects import Addressed, purge_subject
from edge.keeper.admin import admin_app
from edge.keeper.metrics import Metrics
from edge.keeper.purge import Purger
from tests.edge.cache.samples import DEFAULT, PHOTOS


class Admin:
    def __init__(self, folder: Path) -> None:
        self.epochs = Epochs.write(folder / "epochs", base=7)
        self.records = RecordStore(folder / "records", 1 << 20, writable=True)
        self.metrics = Metrics()
        self.reason: str | None = None
        self.client: TestClient[Any, Any]

    def match(self, host: str, raw_path: str) -> tuple[Addressed, str] | None:
        return {"photos.example": (PHOTOS, raw_path), "127.0.0.1": (DEFAULT, raw_path)}.get(host)

    async def purge(self, order: Any) -> int:
        async with self.client.post("/purge", json=order) as response:
            if response.status != 204:
                problem = await response.json(content_type="application/problem+json")
                assert problem["status"] == response.status
                assert problem["detail"]
            return response.status


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Admin]:
    admin = Admin(tmp_path)
    app = admin_app(
        metrics=admin.metrics,
        purger=Purger(admin.epochs, admin.records, admin.metrics),
        match=admin.match,
        named={"photos-host": PHOTOS, "default": DEFAULT},
        ready=lambda: admin.reason,
    )
    async with TestClient(TestServer(app)) as client:
        admin.client = client
        yield admin


async def test_a_purged_url_a_purged_site_and_everything_are_in_force_when_answered(admin: Admin) -> None:
    subject, other = purge_subject(PHOTOS, "/a b"), purge_subject(DEFAULT, "/films/x")
    before = admin.epochs.current(subject), admin.epochs.current(other)
    assert await admin.purge({"url": "https://photos.example/a%20b?w=100"}) == 204
    assert (admin.epochs.current(subject), admin.epochs.current(other)) == (before[0] + HARD, before[1])
    assert await admin.purge({"site": "photos-host"}) == 204
    assert (admin.epochs.current(subject), admin.epochs.current(other)) == (before[0] + 2 * HARD, before[1])
    assert await admin.purge({"all": True}) == 204
    assert (admin.epochs.current(subject), admin.epochs.current(other)) == (before[0] + 3 * HARD, before[1] + HARD)


async def test_a_prefix_is_a_folder_and_a_tag_is_one_site_s_or_all_sites(admin: Admin) -> None:
    inside, beside = purge_subject(PHOTOS, "/2024/a/b", ("t",)), purge_subject(PHOTOS, "/2024b/a")

    def epochs() -> tuple[int, int]:
        return admin.epochs.current(inside), admin.epochs.current(beside)

    before = epochs()
    assert await admin.purge({"prefix": "https://photos.example/2024/"}) == 204
    assert epochs() == (before[0] + HARD, before[1])
    assert await admin.purge({"tag": "t", "site": "default"}) == 204
    assert epochs() == (before[0] + HARD, before[1])
    assert await admin.purge({"tag": "t", "soft": True}) == 204
    assert epochs() == (before[0] + HARD + 1, before[1])
    assert await admin.purge({"prefix": "https://photos.example/"}) == 204
    assert epochs() == (before[0] + 2 * HARD + 1, before[1] + HARD)


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({}, 400),
        ([], 400),
        ({"url": "https://photos.example/a", "all": True}, 400),
        ({"al": True}, 400),
        ({"url": 5}, 400),
        ({"url": "/a"}, 400),
        ({"url": "http://[::1/a"}, 400),
        ({"url": "https://unknown.example/a"}, 404),
        ({"site": "unknown"}, 404),
        ({"prefix": "https://photos.example/a"}, 400),
        ({"prefix": "https://unknown.example/"}, 404),
        ({"tag": "x", "site": "unknown"}, 404),
        ({"tag": "x", "all": True}, 400),
    ],
)
async def test_a_purge_that_names_nothing_is_refused_and_purges_nothing(admin: Admin, order: Any, status: int) -> None:
    subject = purge_subject(PHOTOS, "/a")
    before = admin.epochs.current(subject)
    assert await admin.purge(order) == status
    assert admin.epochs.current(subject) == before


async def test_a_web_page_cannot_purge(admin: Admin) -> None:
    async with admin.client.post("/purge", data=b'{"all": true}', headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 415
    async with admin.client.get("/purge") as answer:
        assert answer.status == 405


async def test_health_is_of_the_process_and_readiness_says_what_is_missing(admin: Admin) -> None:
    admin.reason = "no renderer answers"
    async with admin.client.get("/healthz") as answer:
        assert answer.status == 200
    async with admin.client.get("/readyz") as answer:
        assert answer.status == 503
        assert "no renderer answers" in await answer.text()
    admin.reason = None
    async with admin.client.get("/readyz") as answer:
        assert answer.status == 200


async def test_metrics_have_the_names_that_are_documented(admin: Admin) -> None:
    admin.metrics.hits.labels("photos-host", "memory").inc(3)
    async with admin.client.get("/metrics") as answer:
        text = await answer.text()
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert 'facet_edge_hits_total{site="photos-host",tier="memory"} 3.0' in text
    assert "facet_edge_disk_bytes" in text
