"""The nine steps of a write (DESIGN: The origin), by name, so that a test can stop at each one.

    1 PENDING   blob ids are committed as pending: whatever a crash leaves on disk is known
    2 STREAM    the body runs through fingerprint, MD5, the client's checksums and sealing into a nameless file
    3 CHECK     every digest and length the client gave holds
    4 SYNC      the bytes are durable
    5 LINK      the file has its name, the blob id
    6 SETTLE    the name is durable
    7 TRANSACT  conditions hold, the blob is joined or kept, the version and its event are in the transaction
    8 COMMIT    the transaction is durable
    9 ANSWER    the client may hear of it

A body of more than one segment takes steps 1, 2, 4 and 5 for each full segment while later bytes still arrive; a
pending row makes those known too. A body small enough to live in the catalog takes steps 2, 3 and 7 to 9.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum


class Step(IntEnum):
    """A step that has just been completed."""

    PENDING = 1
    STREAM = 2
    CHECK = 3
    SYNC = 4
    LINK = 5
    SETTLE = 6
    TRANSACT = 7
    COMMIT = 8
    ANSWER = 9


Observer = Callable[[Step], None]


def unobserved(step: Step) -> None:
    """The observer that a server runs with."""
