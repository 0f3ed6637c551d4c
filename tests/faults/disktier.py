"""The edge's disk tier under kill −9 and flipped bits: never a wrong byte, never above its bound.

The rule of this file: what a body must be follows from its key alone, so no run needs to remember what it wrote. A
writer is killed wherever it is; whoever opens the folder after it must find whole bodies or none, within the bound.
Writers are forked: to start Python for each would take a second, and there are to be thousands.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from functools import lru_cache
from pathlib import Path

from edge.cache.files import BodyStore, Damaged
from edge.keeper.ledger import Ledger

LIMIT = 2 * 1024 * 1024
"""Bytes of the tier in these runs: small, so that eviction is always at work."""
KEYS = 64


def key_of(number: int) -> str:
    return hashlib.blake2b(f"key {number}".encode(), digest_size=32).hexdigest()


@lru_cache(maxsize=KEYS)
def body_of(key: str) -> bytes:
    """The bytes that belong to a key; a few bytes up to a few blocks."""
    chance = random.Random(key)
    return chance.randbytes(chance.choice((0, 1, 100, 65_535, 65_536, 65_537, chance.randrange(300_000))))


def write(folder: Path, seed: int, begun: int) -> None:
    """Write bodies until killed: announced and unannounced lengths, aborts, replacements, discards.

    `begun` is a descriptor that gets a byte when the first is written.
    """
    chance = random.Random(seed)
    ledger = Ledger.open(folder, limit=LIMIT)
    store = BodyStore(folder, ledger)
    os.write(begun, b"!")
    while True:
        key = key_of(chance.randrange(KEYS))
        body = body_of(key)
        with store.create(chance.choice((None, len(body)))) as writer:
            for start in range(0, len(body), 50_000):
                writer.write(body[start : start + 50_000])
            if chance.random() < 0.9:
                writer.commit(key)
        if chance.random() < 0.1:
            ledger.discard(key_of(chance.randrange(KEYS)))


def kill(folder: Path, seed: int) -> list[str]:
    """One writer, killed somewhere; what is wrong afterwards."""
    begins, begun = os.pipe()
    writer = os.fork()
    if not writer:
        try:
            write(folder, seed, begun)
        finally:
            os._exit(1)
    os.close(begun)
    assert os.read(begins, 1), "the writer died by itself"
    os.close(begins)
    chance = random.Random(f"kill {seed}")
    problems = []
    end = time.monotonic() + chance.random() * 0.05
    while time.monotonic() < end:
        if (used := on_disk(folder)) > LIMIT:
            problems.append(f"kill {seed}: {used} bytes while writing, above {LIMIT}")
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    return problems + examine(folder, f"kill {seed}")[1]


def flip(folder: Path, seed: int) -> list[str]:
    """One bit of one stored file flipped, or its end cut off; what is wrong afterwards."""
    chance = random.Random(f"flip {seed}")
    files = sorted(path for path in (folder / "bodies").rglob("*") if path.is_file())
    if not files:
        refill(folder)
        files = sorted(path for path in (folder / "bodies").rglob("*") if path.is_file())
    victim = chance.choice(files)
    damaged = bytearray(victim.read_bytes())
    if chance.random() < 0.1:
        del damaged[chance.randrange(len(damaged)) :]
    else:
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    victim.write_bytes(damaged)
    whole, problems = examine(folder, f"flip {seed}")
    if victim.name in whole and victim.exists() and victim.read_bytes() == damaged:
        problems.append(f"flip {seed}: {victim.name} was read as if nothing had happened")
    return problems


def refill(folder: Path) -> None:
    ledger = Ledger.open(folder, limit=LIMIT)
    store = BodyStore(folder, ledger)
    for number in range(KEYS):
        body = body_of(key_of(number))
        with store.create(len(body)) as writer:
            writer.write(body)
            writer.commit(key_of(number))
    ledger.close()


def examine(folder: Path, name: str) -> tuple[set[str], list[str]]:
    """Open the tier as a keeper does and read everything: the keys that are whole, and what is wrong."""
    problems = []
    ledger = Ledger.open(folder, limit=LIMIT)
    store = BodyStore(folder, ledger)
    if (used := on_disk(folder)) > LIMIT or ledger.used > LIMIT:
        problems.append(f"{name}: {used} bytes on the disk, {ledger.used} in the ledger, above {LIMIT}")
    if any((folder / "tmp").iterdir()):
        problems.append(f"{name}: temporaries stayed")
    whole = set()
    for number in range(KEYS):
        key = key_of(number)
        reader = store.find(key)
        if reader is None:
            continue
        with reader:
            try:
                body = reader.read()
            except Damaged:
                continue
        whole.add(key)
        if body != body_of(key):
            problems.append(f"{name}: wrong bytes under {key}")
    ledger.close()
    return whole, problems


def on_disk(folder: Path) -> int:
    """Bytes of all files, temporaries included."""
    total = 0
    for name in ("bodies", "tmp"):
        for parent, _, files in os.walk(folder / name):
            for file in files:
                try:
                    total += (Path(parent) / file).stat().st_size
                except FileNotFoundError:
                    continue
    return total
