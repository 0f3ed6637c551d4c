"""What the machine gives: keys, disk, file handles, codecs."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from conf.schema import GIB, MIB, Settings
from doctor.finding import Finding, fail, ok, warn

HANDLES = 4096  # a connection of the edge takes two (client, body file), one of the origin as many

_CODECS = {
    "AVIF": (".avif", "render.avif"),
    "WebP": (".webp", "render.webp"),
    "JPEG": (".jpg", ""),
    "PNG": (".png", ""),
}
_EXTRAS = {"HEIC": ("pillow_heif", "heic"), "JPEG XL": ("pillow_jxl", "jxl"), "remote tier": ("redis", "remote")}


def keys(settings: Settings) -> Iterator[Finding]:
    """The key files are there, are read by their owner alone, and are not missing beside data."""
    catalog = settings.origin_data / "catalog.sqlite"
    if not settings.data.exists():
        yield warn("keys", f"{settings.data} does not exist", "nothing was started yet; `facet up` makes it")
        return
    for name, file in {
        "master key": settings.master_key,
        "root key": settings.root_key,
        "edge key": settings.edge_key,
    }.items():
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except FileNotFoundError:
            if name == "root key" and settings.root_access_key:
                yield ok("keys", "the root key is in the settings")
            elif catalog.exists() and name == "master key":
                yield fail("keys", f"{file} is missing", "put the copy of the master key there, or set master_key_file")
            else:
                yield warn("keys", f"no {name} at {file}", "the next start of the origin makes it")
            continue
        if mode & 0o077:
            yield fail("keys", f"{file} can be read by others (mode {mode:04o})", f"chmod 600 {file}")
        elif not os.access(file, os.R_OK):
            yield warn("keys", f"{file} belongs to another user", "run the doctor as Facet's user")
        else:
            yield ok("keys", f"{name}: {file}, mode {mode:04o}")


def disk(settings: Settings) -> Iterator[Finding]:
    """Free space against the settings' bounds; fsync and unnamed files work where data is."""
    folder = _existing(settings.data)
    usage = shutil.disk_usage(folder)
    least = settings.origin.reserve + settings.edge.disk_floor
    saw = f"{usage.free / GIB:.1f} of {usage.total / GIB:.1f} GiB are free at {folder}"
    if usage.free < least:
        yield fail("disk", saw, f"make room: below {least / GIB:.1f} GiB (origin.reserve, edge.disk_floor) writes stop")
    elif settings.edge.disk > usage.total - settings.origin.reserve:
        yield warn(
            "disk", f"{saw}, edge.disk is {settings.edge.disk / GIB:.1f} GiB", "set edge.disk to what the disk has"
        )
    else:
        yield ok("disk", saw)
    if not os.access(folder, os.W_OK):
        yield fail("disk", f"{folder} cannot be written", "set data to a folder of Facet's user")
        return
    with tempfile.TemporaryDirectory(prefix="facet-doctor-", dir=folder) as scratch:
        path = Path(scratch)
        try:
            with (path / "file").open("wb") as file:
                file.write(b"doctor")
                os.fdatasync(file.fileno())
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            yield ok("disk", "files and folders can be synced")
        except OSError as error:
            yield fail(
                "disk", f"fsync fails: {error.strerror}", "set data to a local file system (ext4, XFS, ZFS, btrfs)"
            )
        try:
            os.close(os.open(path, os.O_TMPFILE | os.O_WRONLY, 0o600))
            yield ok("disk", "unnamed temporary files (O_TMPFILE) work")
        except OSError:
            yield warn(
                "disk", "no unnamed temporary files (O_TMPFILE)", "works with named ones; leftovers are swept at start"
            )


def _existing(path: Path) -> Path:
    """The nearest folder above that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def handles(_: Settings) -> Iterator[Finding]:
    """The limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < HANDLES:
        yield warn(
            "file handles", f"{soft} here (at most {hard})", f"LimitNOFILE={HANDLES * 16} in Facet's systemd unit"
        )
    else:
        yield ok("file handles", f"{soft} here")


def codecs(settings: Settings) -> Iterator[Finding]:
    """Every format that is offered can be written, and read again; optional packages are there or not."""
    import pyvips

    from_memory = pyvips.Image.black(16, 16, bands=3).copy(interpretation="srgb")
    for name, (suffix, setting) in _CODECS.items():
        offered = not setting or getattr(settings.render, setting.partition(".")[2])
        try:
            back = pyvips.Image.new_from_buffer(from_memory.write_to_buffer(suffix), "")
            assert back.width == 16
            yield ok("codecs", f"{name} can be written and read" + ("" if offered else f" ({setting} is off)"))
        except pyvips.Error:
            fix = f"pip install pyvips-binary, or {setting} = false" if setting else "pip install pyvips-binary"
            yield (fail if offered else warn)("codecs", f"libvips has no {name}", fix)
    for name, (module, extra) in _EXTRAS.items():
        if find_spec(module) is not None:
            yield ok("codecs", f"{name}: {module} is installed")
        elif extra == "remote" and getattr(settings.remote, "url", None):
            yield fail("codecs", "remote.url is set and redis is not installed", "pip install 'facet-edge[remote]'")
        elif extra != "remote":
            yield ok("codecs", f"{name} passes as stored (`pip install 'facet-edge[{extra}]'` renders it)")
    limit = settings.render.memory
    if limit < 512 * MIB:
        yield warn(
            "codecs", f"renderers have {limit // MIB} MiB", 'render.memory = "1536 MiB" renders what phones upload'
        )
    with suppress(ValueError, OSError):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if settings.render.total_memory > total * 3 // 4:
            yield warn("codecs", f"render.total_memory is more than 3/4 of {total / GIB:.1f} GiB", "set it lower")
