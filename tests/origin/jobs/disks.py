"""Small file systems of a test's own. They need root and mount(8); a test without them is skipped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1024 * 1024


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """`mount OPTIONS FOLDER`, unmounted at the end."""
    folder.mkdir()
    try:
        done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("mount is not installed")
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of `size` bytes in memory."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs") as disk:
        yield disk


@contextmanager
def failing_disk(folder: Path, size: int) -> Iterator[tuple[Path, Path]]:
    """An ext4 of `size` bytes that turns read-only when something is written to the second path."""
    image = folder.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(size)
    try:
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    except FileNotFoundError:
        pytest.skip("mkfs.ext4 is not installed")
    with mounted(folder, "-o", "loop,errors=remount-ro", str(image)) as disk:
        device = os.stat(disk).st_dev
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        trigger = Path(f"/sys/fs/ext4/{name}/trigger_fs_error")
        if not os.access(trigger, os.W_OK):
            pytest.skip("ext4's errors cannot be triggered here")
        yield disk, trigger
