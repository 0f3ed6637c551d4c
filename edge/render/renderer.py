"""A renderer: a process that takes one job after another from a socket and may die of any of them.

The rule of this file: it trusts nothing it reads. It runs with bounded memory and CPU, cannot write files, has none
of the parent's environment, and holds no more than the source it works on. Started as
`python -m edge.render.renderer FD START`, by edge.render.pool only.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import mmap
import os
import resource
import signal
import socket
import sys

import msgspec
import pyvips

from edge.render import facts, kinds, steps, strip
from edge.render.containers import Bytes
from edge.render.encode import FORMATS
from edge.render.errors import Crashed, RenderError, TooLarge
from edge.render.facts import Limits
from edge.render.messages import LENGTH, Answer, Job, SourceRef, Start, decode_job, framed

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def main(fd: int, start: Start) -> None:
    """Answer jobs from this socket until the other end closes it."""
    confine(start)
    with socket.socket(fileno=fd) as parent:
        parent.sendall(framed(Answer()))
        while (job := _receive(parent)) is not None:
            answer, body = perform(job, start.limits)
            parent.sendall(framed(answer))
            parent.sendall(body)


def confine(start: Start) -> None:
    """Give up what rendering does not need (prctl(2), setrlimit(2)), and set libvips up for one job at a time.

    VIPS_BLOCK_UNTRUSTED, VIPS_CONCURRENCY and MALLOC_ARENA_MAX come in the environment, before libvips is loaded.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(start.nice)
    resource.setrlimit(resource.RLIMIT_AS, (start.limits.memory, start.limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    pyvips.cache_set_max(0)
    logging.getLogger("pyvips").setLevel(logging.ERROR)


def perform(job: Job, limits: Limits) -> tuple[Answer, bytes]:
    """The answer to one job, and its body."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + job.cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    try:
        return _dispatch(job, mapped(job.source), limits)
    except RenderError as error:
        return Answer(error=error.reason, message=str(error)[:500]), b""
    except MemoryError:
        return Answer(error=TooLarge.reason, message="out of memory"), b""
    except Exception as error:  # a picture that confuses us costs its own request, not the process
        return Answer(error=Crashed.reason, message=f"{type(error).__name__}: {error}"[:500]), b""


def _dispatch(job: Job, source: Bytes, limits: Limits) -> tuple[Answer, bytes]:
    if job.task == "strip":
        body = strip.strip(source)
        return Answer(body=len(body), content_type=kinds.recognise(source).content_type), body
    kind = kinds.recognise(source)
    # librsvg is the one loader we need that libvips counts as untrusted; it is blocked again for every other kind.
    pyvips.operation_block_set("VipsForeignLoadSvg", kind.name != "svg")
    if job.plan is None:
        return Answer(facts=facts.read(kind, source, limits)), b""
    body = steps.render(source, job.plan, limits)
    plan = job.plan
    content_type = FORMATS[plan.format].content_type
    return Answer(body=len(body), content_type=content_type, width=plan.width, height=plan.height), body


def mapped(source: SourceRef) -> memoryview:
    """The bytes of a source, mapped and not copied; the mapping ends with the last reference to them.

    Raises OSError, also where the file is shorter than it should be.
    """
    with open(source.path, "rb") as file:  # noqa: PTH123
        before = source.offset % mmap.ALLOCATIONGRANULARITY
        size = os.fstat(file.fileno()).st_size
        if source.length < 0 or source.offset + source.length > size:
            raise OSError(errno.EIO, f"{source.path} has {size} bytes")
        if source.length == 0:  # which mmap(2) refuses
            return memoryview(b"")
        start, length = source.offset - before, source.length + before
        return memoryview(mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ, offset=start))[before:]


def _receive(parent: socket.socket) -> Job | None:
    """The next job; None when there will be no more."""
    head = _exactly(parent, LENGTH.size)
    if not head:
        return None
    return decode_job(_exactly(parent, LENGTH.unpack(head)[0]))


def _exactly(parent: socket.socket, size: int) -> bytes:
    """So many bytes, or none where the other end has closed."""
    parts = bytearray()
    while len(parts) < size:
        part = parent.recv(size - len(parts))
        if not part:
            return b""
        parts += part
    return bytes(parts)


if __name__ == "__main__":
    main(int(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Start))
