"""Gain maps: the second picture in an UltraHDR JPEG, which says how much brighter each place is on an HDR screen.

The rule of this file: a rendering is the standard picture, and the map is carried along beside it, reduced alike. It
survives a resize and a turn into a JPEG; what crops, pads or blurs leaves it behind. Sources: ISO 21496-1, and the
metadata names of libvips' uhdrload.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pyvips

from edge.policy.plan import RenderPlan
from edge.render.containers import SOS, Bytes, jpeg_segments
from edge.render.errors import Damaged

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

_DATA = "gainmap-data"
_FIELDS = (
    "gainmap-max-content-boost",
    "gainmap-min-content-boost",
    "gainmap-gamma",
    "gainmap-offset-sdr",
    "gainmap-offset-hdr",
    "gainmap-hdr-capacity-min",
    "gainmap-hdr-capacity-max",
    "gainmap-use-base-cg",
)
_SHARE = 2
"""A map of half the picture's width and height, as cameras make them."""
_QUALITY = 75

Fields = dict[str, tuple[int, Any]]
"""libvips header fields: type and value by name."""


def is_announced(data: Bytes) -> bool:
    """Whether a JPEG's head says that a gain map follows (hdrgm XMP or ISO 21496-1)."""
    with suppress(Damaged):  # the decoder may still make something of it
        for name, start, end in jpeg_segments(data):
            if name == SOS:
                break
            head = bytes(data[start:end]) if name in (b"\xe1", b"\xe2") else b""
            if b"hdrgm:" in head or b"urn:iso:std:iso:ts:21496:-1" in head:
                return True
    return False


def survives(plan: RenderPlan) -> bool:
    """Whether this plan carries a gain map along."""
    whole = (plan.width, plan.height) == (plan.resize_width, plan.resize_height)
    return plan.format == "jpeg" and whole and not plan.blur


def carried(data: Bytes, width: int, height: int, turn: Callable[[Image], Image]) -> Fields:
    """The header fields that give a rendering of this stored size its gain map; none where the map cannot be read."""
    try:
        source = pyvips.Image.uhdrload_source(pyvips.Source.new_from_memory(data))
        found = {name: (source.get_typeof(name), source.get(name)) for name in _FIELDS if source.get_typeof(name)}
        whole = pyvips.Image.jpegload_buffer(source.get(_DATA), fail_on="truncated")
        across, down = width / _SHARE / whole.width, height / _SHARE / whole.height
        reduced = whole.resize(min(across, 1.0), vscale=min(down, 1.0)).copy_memory()
        found[_DATA] = pyvips.GValue.blob_type, bytes(turn(reduced).jpegsave_buffer(Q=_QUALITY, keep="none"))
    except pyvips.Error:
        return {}
    return found
