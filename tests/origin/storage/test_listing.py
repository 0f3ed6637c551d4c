"""Listings against a plain sorted model."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from origin.service.listing import Scan, skip_scan, successor
from origin.service.model import Caller, ServiceError
from origin.service.service import Service
from tests.origin.storage.support import BUCKET, put

LETTERS = st.text("ab/\u00e4\U0010ffff", max_size=5)
KEYS = st.lists(LETTERS.filter(bool), max_size=25, unique=True)


@dataclass(frozen=True)
class Row:
    key: bytes


def scan(keys: list[bytes], prefix: bytes, delimiter: bytes, after: bytes, limit: int) -> Scan[Row]:
    def seek(start: bytes, stop: bytes | None) -> Generator[Row, None, None]:
        yield from (Row(key) for key in sorted(keys) if start <= key and (stop is None or key < stop))

    return skip_scan(seek, prefix, delimiter, after, limit)


def model(keys: list[str], prefix: str, delimiter: str) -> list[bytes]:
    """Every entry of the listing, in order: keys, and common prefixes once."""
    entries: dict[bytes, None] = {}
    for key in sorted(key.encode() for key in keys if key.startswith(prefix)):
        rest = key.decode()[len(prefix) :]
        cut = rest.find(delimiter) if delimiter else -1
        entries[key if cut < 0 else (prefix + rest[: cut + len(delimiter)]).encode()] = None
    return list(entries)


@given(keys=KEYS, prefix=LETTERS, delimiter=st.sampled_from(["", "/", "a", "b/"]), limit=st.integers(1, 4))
@settings(max_examples=400, deadline=None)
def test_pages_together_are_the_sorted_model(keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    entries: list[bytes] = []
    after = b""
    while True:
        page = scan([key.encode() for key in keys], prefix.encode(), delimiter.encode(), after, limit)
        entries += [entry if isinstance(entry, bytes) else entry.key for entry in page.entries]
        if not page.truncated:
            break
        assert len(page.entries) == limit
        after = entries[-1]
    assert entries == model(keys, prefix, delimiter)


@given(st.binary(max_size=4), st.binary(max_size=6))
def test_the_successor_ends_a_prefix(prefix: bytes, key: bytes) -> None:
    stop = successor(prefix)
    assert (prefix <= key and (stop is None or key < stop)) == key.startswith(prefix)


def test_a_common_prefix_costs_one_row_however_many_keys_it_has() -> None:
    touched = 0
    keys = [b"p%d/%06d" % (prefix, number) for prefix in range(10) for number in range(1000)]

    def seek(start: bytes, stop: bytes | None) -> Generator[Row, None, None]:
        nonlocal touched
        for key in keys:
            if start <= key and (stop is None or key < stop):
                touched += 1
                yield Row(key)

    assert len(skip_scan(seek, b"", b"/", b"", 1000).entries) == 10
    assert touched <= 11


async def test_a_bucket_is_listed_as_both_versions_say(service: Service, ada: Caller) -> None:
    keys = ["a", "a/1", "a/2", "b", "photos/x/y", "photos/\u00e4", "z"]
    for key in keys:
        await put(service, ada, key, b"x")
    page = await service.listing.v1(ada, BUCKET, max_keys=3)
    assert ([one.key for one in page.objects], page.truncated, page.next_marker) == (["a", "a/1", "a/2"], True, "a/2")
    page = await service.listing.v1(ada, BUCKET, delimiter="/", max_keys=2)
    assert ([one.key for one in page.objects], page.prefixes, page.next_marker) == (["a"], ("a/",), "a/")
    page = await service.listing.v1(ada, BUCKET, delimiter="/", marker="a/")
    assert ([one.key for one in page.objects], page.prefixes, page.truncated) == (["b", "z"], ("photos/",), False)

    listed: list[str] = []
    token: str | None = None
    while True:
        page = await service.listing.v2(ada, BUCKET, token=token, max_keys=2)
        listed += [one.key for one in page.objects]
        token = page.next_token
        if token is None:
            break
    assert listed == keys
    page = await service.listing.v2(ada, BUCKET, start_after="b", prefix="photos/")
    assert [one.key for one in page.objects] == keys[4:6]
    assert (await service.listing.v2(ada, BUCKET, max_keys=0)).truncated is False
    with pytest.raises(ServiceError, match="InvalidArgument"):
        await service.listing.v2(ada, BUCKET, token="made up")
