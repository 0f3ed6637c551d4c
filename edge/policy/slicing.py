"""Which sources are kept in slices, and what the answer to the request for one must be (RFC 9110 §14, §15.3.7).

The rule of this file: a source is cut only where its upstream can be held to one version of it: a strong validator
that every slice must carry, and ranges that it says it has.
"""

from __future__ import annotations

import re
from typing import Final

from conf.schema import Edge
from edge.policy.directives import Headers
from edge.policy.plan import RENDERABLE_TYPES
from edge.policy.sites import Site
from wire.etags import parse_etag
from wire.fields import media_type, split_list
from wire.ranges import content_range

LEAST: Final = 4
"""What fits into this many slices is fetched whole."""

_CONTENT_RANGE: Final = re.compile(r"bytes +[0-9]+-[0-9]+/[0-9]+")


def is_sliced(site: Site, edge: Edge, status: int, content_type: str, headers: Headers, length: int | None) -> bool:
    """Whether an answer is too long to be fetched whole, and may be fetched in slices."""
    if site.behaviour.transparent or status != 200 or length is None or edge.slice == 0 or length <= LEAST * edge.slice:
        return False
    if site.behaviour.renders and media_type(content_type) in RENDERABLE_TYPES and length <= edge.max_source:
        return False
    if "content-encoding" in headers or "bytes" not in split_list(headers.get("accept-ranges", "").lower()):
        return False
    tag = parse_etag(headers.get("etag", ""))
    return tag is not None and not tag.weak


def is_slice(status: int, headers: Headers, *, etag: str | None, start: int, stop: int, length: int) -> bool:
    """Whether an answer is bytes [start, stop) of the source of `length` bytes that `etag` names, and nothing else."""
    said = headers.get("content-range", "")
    return (
        status == 206
        and headers.get("etag") == etag
        and _CONTENT_RANGE.fullmatch(said) is not None
        and " ".join(said.split()) == content_range(start, stop - 1, length)
    )
