"""What to do for one request: give the stored bytes, make a rendering, or refuse.

The rule of this file: `decide` is the only place that knows. A URL without parameters is never worse than no edge:
what cannot be rendered there is Stored with a reason, and Refused is for URLs that ask for a change. A RenderPlan is
resolved to exact pixels, so that one meaning has one plan and one plan has one result.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from conf.schema import Render
from edge.policy.negotiate import AcceptClass
from edge.policy.reasons import Detail
from edge.policy.sites import Site
from edge.policy.variant import Variant

RENDERABLE_TYPES: frozenset[str]
"""Content types that are probed, rendered and negotiated; for all others image parameters are nothing."""


class AssetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a source. content_type comes from its headers (after hygiene.effective_type), size is in
    bytes; the rest comes from the probe of its first bytes and is right only where problem is None."""

    content_type: str
    size: int
    format: str = ""
    """By magic bytes: "jpeg", "png", "gif", "webp", "avif", "tiff", "svg"; empty is unknown."""
    width: int = 0
    """In stored pixels, before orientation; of one frame."""
    height: int = 0
    pages: int = 1
    """Frames of an animation (an APNG's too); 1 for stills."""
    has_alpha: bool = False
    orientation: int = 1
    """EXIF orientation, 1–8."""
    has_profile: bool = False
    """Carries a colour profile that is not sRGB."""
    palette: bool = False
    """At most 256 colours, by its encoding."""
    no_transform: bool = False
    """Its Cache-Control says no-transform (RFC 9111 §5.2.2.6)."""
    problem: Detail | None = None
    """Why it cannot be rendered: UNREADABLE, DAMAGED, TOO_LARGE, TOO_MANY_PIXELS, TOO_MANY_FRAMES, …"""


class RenderPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One rendering, resolved: resize the upright picture to (resize_width, resize_height); where that is larger than
    (width, height) crop to it at `gravity`, where smaller place it there on `background`. Identical plans on
    identical source bytes give identical results."""

    resize_width: int
    resize_height: int
    width: int
    height: int
    gravity: tuple[float, float] | None = (0.5, 0.5)
    """Fractions of the free width and height; None is the most interesting part (only ever for crops)."""
    background: str = ""
    """"rrggbb" or "rrggbbaa" for padding and for flattening; empty is transparent, or white where there is no alpha."""
    blur: float = 0.0
    """Sigma in pixels of the result; 0 is none."""
    format: str
    """"avif", "webp", "jpeg", "png" or "gif"."""
    quality: int = 0
    """The encoder's own number, already translated from JPEG's scale; 0 for png, gif and lossless."""
    lossless: bool = False
    animated: bool = False
    """All frames; otherwise the first."""
    keep_profile: bool = False
    """Keep the source's colour profile; otherwise convert to sRGB."""
    keep_copyright: bool = False

    def canonical(self) -> str:
        """The plan in a cache key."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Stored:
    """Give the stored bytes; strip: losslessly without Exif, XMP and IPTC (orientation and profile stay)."""

    reason: Detail | None
    strip: bool = False


@dataclass(frozen=True, slots=True)
class Rendering:
    """Make (or find) this rendering; may_yield: where it is not smaller than the source, the source stands in."""

    plan: RenderPlan
    may_yield: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The URL asks for a change that cannot be made: an error answer."""

    status: int
    reason: Detail
    message: str


Plan = Stored | Rendering | Refused


def renderable(content_type: str) -> bool:
    """Whether image parameters and negotiation mean anything for this content type (parameters of it ignored)."""
    raise NotImplementedError


def decide(asset: AssetFacts, variant: Variant, accept: AcceptClass, site: Site, settings: Render) -> Plan:
    """The plan for one request."""
    raise NotImplementedError


def degraded(asset: AssetFacts, variant: Variant, site: Site, reason: Detail) -> Stored | Refused:
    """What to do instead when a Rendering of `decide` failed (queue full, timed out, crashed, damaged, …)."""
    raise NotImplementedError


def yielded(site: Site) -> Stored:
    """What to do instead when a rendering that may yield was not smaller than the source."""
    raise NotImplementedError
