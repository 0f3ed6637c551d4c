"""What a pool and its renderers say to each other.

The rule of this file: one message is a 4-byte length (big-endian) and MessagePack; an Answer is followed by as many
bytes of body as it says. A renderer answers every Job once, in order, and says hello with an empty Answer.
"""

from __future__ import annotations

import struct
from typing import Literal

import msgspec

from edge.policy.plan import RenderPlan
from edge.render.facts import Facts, Limits

LENGTH = struct.Struct(">I")


class SourceRef(msgspec.Struct, frozen=True):
    """Bytes in a file: data[offset : offset + length]. The file must not change while it is read."""

    path: str
    offset: int
    length: int


class Job(msgspec.Struct, frozen=True):
    """What to do with a source: read its header, render it by a plan, or strip its metadata losslessly."""

    task: Literal["probe", "render", "strip"]
    source: SourceRef
    plan: RenderPlan | None = None
    cpu_seconds: int = 60
    """The kernel ends a renderer that uses more for this job."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it: facts (probe), a body of so many bytes (render, strip), or an error's reason and message."""

    facts: Facts | None = None
    body: int = 0
    content_type: str = ""
    width: int = 0
    height: int = 0
    error: str = ""
    message: str = ""


class Start(msgspec.Struct, frozen=True):
    """How a renderer is started: its limits and its nice level."""

    limits: Limits
    nice: int = 0


encode = msgspec.msgpack.Encoder().encode
decode_job = msgspec.msgpack.Decoder(Job).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode


def framed(message: Job | Answer) -> bytes:
    """The message with its length first."""
    body = encode(message)
    return LENGTH.pack(len(body)) + body
