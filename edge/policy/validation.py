"""Asking whether a stored answer is still right, and what the reply makes of it (RFC 9111 §4.3, §3.2).

The rule of this file: it works on header mappings; whose headers they are is in the names of the arguments.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from edge.policy.directives import Headers
from wire.etags import parse_etag, weak_match
from wire.fields import HOP_BY_HOP

# What no validation updates (§3.2): it belongs to the connection, or says how the stored bytes were stored.
_OF_THE_BYTES: Final = frozenset({"content-encoding", "content-length", "content-range"})
NOT_UPDATED: Final = HOP_BY_HOP | _OF_THE_BYTES | {"content-type", "set-cookie"}
"""For answers that are looked into: their type is what the bytes were found to be."""
NOT_UPDATED_AS_THEY_ARE: Final = HOP_BY_HOP | _OF_THE_BYTES | {"etag", "set-cookie"}
"""For answers that only pass."""

CONDITIONAL: Final = frozenset(
    {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"}
)
"""What a client's request says about one representation; not sent where we ask about our own."""


def freshened(stored: Headers, validation: Headers, not_updated: frozenset[str] = NOT_UPDATED) -> dict[str, str]:
    """The headers of a stored answer after a 304 (§3.2, §4.3.4) or a HEAD (§4.3.5).

    validation: the new answer's headers, through hygiene like those of any answer. A field it does not mention stays.
    """
    updated = {name: value for name, value in validation.items() if name not in not_updated}
    return {**stored, **updated}


def about_another(stored_tag: str | None, answer: Headers) -> bool:
    """Whether a 304 has another tag than the stored answer, and so confirms nothing that is stored (§4.3.4)."""
    tags = [parse_etag(text) for text in (stored_tag, answer.get("etag")) if text is not None]
    return len(tags) == 2 and not (tags[0] and tags[1] and weak_match(tags[0], tags[1]))


class Verdict(Enum):
    """What a HEAD says about a stored answer to GET."""

    CONFIRMED = "confirmed"
    CHANGED = "changed"
    NOTHING = "nothing"


def head_verdict(status: int, stored: Headers, length: int | None, answer: Headers) -> Verdict:
    """What an answer to HEAD says about a stored answer (RFC 9111 §4.3.5).

    length: of the stored body, in bytes. An answer with other validators or another length means that it has
    changed, and so does one that says it is gone.
    """
    if status in (404, 410):
        return Verdict.CHANGED
    if status != 200:
        return Verdict.NOTHING
    if about_another(stored.get("etag"), answer):
        return Verdict.CHANGED
    modified = [headers["last-modified"] for headers in (stored, answer) if "last-modified" in headers]
    if len(set(modified)) == 2:
        return Verdict.CHANGED
    sent = answer.get("content-length", "")
    return Verdict.CHANGED if sent.isdigit() and length is not None and int(sent) != length else Verdict.CONFIRMED
