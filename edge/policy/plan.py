"""What to do for one request: give the stored bytes, make a rendering, or refuse.

The rule of this file: `decide` is the only place that knows. A URL without parameters is never worse than no edge:
what cannot be rendered there is Stored with a reason, and Refused is for URLs that ask for a change. A RenderPlan is
resolved to exact pixels, so that one meaning has one plan and one plan has one result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from conf.schema import Render
from edge.policy.geometry import Geometry, geometry
from edge.policy.negotiate import ANIMATED, OWN, TRANSPARENT, AcceptClass, Result, choose_format
from edge.policy.quality import encoder_quality, target_score
from edge.policy.reasons import DETAILS, Detail
from edge.policy.sites import Site
from edge.policy.variant import AUTO, CENTER, PLACEHOLDERS, Gravity, Variant
from wire.fields import media_type

PIPELINE: Final = "4"
"""Raised whenever the renderers make other bytes of an old plan; older renderings are then no longer found."""

PLACEHOLDER_SIDE: Final = 32
"""The longer side, in pixels, of what placeholders are made of: four times the waves of the finest of them."""

RENDERABLE_TYPES: Final = frozenset(
    {
        "image/jpeg",
        "image/jpg",
        "image/pjpeg",
        "image/png",
        "image/apng",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/heic",
        "image/heif",
        "image/jxl",
        "image/tiff",
        "image/svg+xml",
    }
)
"""Content types that are probed, rendered and negotiated; for all others image parameters are nothing."""

_PLAIN: Final = frozenset({"gif", *PLACEHOLDERS})
"""Formats that can say nothing about their colours: sRGB is meant."""

_RENDERABLE_FORMATS: Final = frozenset({"jpeg", "png", "gif", "webp", "avif", "heic", "jxl", "tiff", "svg"})


_UNSEEN: Final = frozenset({"tiff", "heic", "jxl"})
"""Formats that most browsers do not show: a rendering of one is of use however large."""


class AssetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a source. content_type comes from its headers (after hygiene.effective_type), size is in
    bytes; the rest comes from the probe of its first bytes and is right only where problem is None."""

    content_type: str
    size: int
    format: str = ""
    """By magic bytes: "jpeg", "png", "gif", "webp", "avif", "heic", "jxl", "tiff", "svg"; empty is unknown."""
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
    interlaced: bool = False
    """A progressive JPEG or interlaced PNG, which takes longer to read."""
    gain_map: bool = False
    """Brighter on an HDR screen, where it is resized as a JPEG and not cropped (edge.render.gain_map)."""
    no_transform: bool = False
    """Its Cache-Control says no-transform (RFC 9111 §5.2.2.6)."""
    problem: Detail | None = None
    """Why it cannot be rendered: UNREADABLE, DAMAGED, TOO_LARGE, …"""

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as it is seen: orientations 5–8 lie on their side."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


class RenderPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One rendering, resolved: resize the upright picture to (resize_width, resize_height); where that is larger than
    (width, height) crop to it at `gravity`, where smaller place it there on `background`. Identical plans on
    identical source bytes give identical results."""

    resize_width: int
    resize_height: int
    width: int
    height: int
    gravity: Gravity = CENTER
    """Fractions of the free width and height; None is the most interesting part (only ever for crops)."""
    background: str = ""
    """"rrggbb" or "rrggbbaa" for padding and behind transparency; empty leaves transparency as it is, and is given
    only where the format has it."""
    blur: float = 0.0
    """Sigma in pixels of the result; 0 is none."""
    format: str
    """"avif", "webp", "jpeg", "png", "gif", or one of PLACEHOLDERS."""
    quality: int = 0
    """The encoder's own number, already translated from JPEG's scale; 0 for png, gif and lossless."""
    target: float = 0.0
    """The score to bring the picture to, starting from quality; 0 is none."""
    lossless: bool = False
    """Exactly the source's pixels; where that is not asked, the encoder may still find it smaller."""
    slow: bool = False
    """With all the work the encoder can put into it, which is too much for somebody who waits."""
    fast: bool = False
    """render.profile is speed: no more work than a picture of this size needs."""
    animated: bool = False
    """All frames; otherwise the first."""
    keep_profile: bool = False
    """Keep the source's colour profile; otherwise convert to sRGB."""
    keep_copyright: bool = False

    def canonical(self) -> str:
        """The plan in a cache key.

        Every field is written: msgspec knows a default by identity, so a plan made of a variant that came over a
        wire would else be spelled otherwise than the same plan made here.
        """
        return PIPELINE + msgspec.json.encode(self).decode()

    @classmethod
    def parsed(cls, text: str) -> RenderPlan | None:
        """The plan of a canonical text; None for one of another PIPELINE, and for what is no plan."""
        try:
            return msgspec.json.decode(text.removeprefix(PIPELINE), type=cls) if text.startswith(PIPELINE) else None
        except msgspec.DecodeError:
            return None


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


Plan: TypeAlias = Stored | Rendering | Refused


def renderable(content_type: str) -> bool:
    """Whether image parameters and negotiation mean anything for this content type (its parameters are ignored)."""
    return media_type(content_type) in RENDERABLE_TYPES


def untouched(asset: AssetFacts, variant: Variant, accept: AcceptClass, site: Site) -> Stored | None:
    """The plan, where no probe of the source is needed to know it: nobody wants anything changed, or nobody may."""
    if not site.behaviour.renders or not renderable(asset.content_type):
        return Stored(None)
    if asset.no_transform:
        return Stored(Detail.NO_TRANSFORM)
    if not variant.changes and not variant.by_hints and (variant.format == "original" or accept == OWN):
        return Stored(None, site.strip_always)
    if _is_vector(asset) and not variant.names_format:
        return Stored(Detail.VECTOR)
    return None


def decide(
    asset: AssetFacts,
    variant: Variant,
    accept: AcceptClass,
    site: Site,
    settings: Render,
    without: frozenset[str] = frozenset(),
) -> Plan:
    """The plan for one request, in this order: what is not touched; what cannot be rendered; what a rendering would
    come to; whether that is what the source already is. Negotiation picks no format of `without`."""
    if stored := untouched(asset, variant, accept, site):
        return stored
    # A still format that the URL names takes the first frame; negotiation never flattens.
    frames = 1 if variant.names_format and variant.format not in ANIMATED else asset.pages
    if problem := asset.problem or _problem(asset, frames, settings):
        return degraded(asset, variant, site, problem)
    if frames > 1 and asset.format not in ANIMATED:
        return Stored(Detail.ANIMATION_KEPT, strip=True)

    size = geometry(*asset.upright, variant, settings.max_side, vector=_is_vector(asset))
    if variant.format in PLACEHOLDERS:
        size = size.within(PLACEHOLDER_SIDE)
    has_alpha = asset.has_alpha and not _is_opaque(variant.background)
    format = choose_format(
        asset.format,
        variant.format,
        accept,
        frozenset() if _keeps_gain_map(asset, size, variant) else _offered(settings) - without,
        Result(size.width, size.height, animated=frames > 1, has_alpha=has_alpha),
    )
    reshapes = bool(
        size != (*asset.upright, *asset.upright) or variant.blur or (asset.has_alpha and variant.background)
    )
    if format == asset.format and not reshapes and not (variant.quality and encoder_quality(format, settings.quality)):
        return Stored(Detail.UNCHANGED if variant.changes else None, strip=True)
    if format is None or _is_too_large(size, frames, settings):
        return degraded(asset, variant, site, Detail.RESULT_TOO_LARGE)

    lossless = asset.palette and format == "webp" and frames == 1 and not variant.quality and not reshapes
    plan = RenderPlan(
        resize_width=size.resize_width,
        resize_height=size.resize_height,
        width=size.width,
        height=size.height,
        gravity=variant.gravity if size.crops or size.pads else CENTER,
        background=_background(variant.background, size, format, asset.has_alpha),
        blur=variant.blur,
        format=format,
        quality=0 if lossless else encoder_quality(format, max(variant.quality, 0) or settings.quality),
        target=target_score(settings.quality) if _aims(variant, format, frames) else 0.0,
        lossless=lossless,
        fast=settings.profile == "speed",
        animated=frames > 1,
        keep_profile=asset.has_profile and format not in _PLAIN and accept != OWN,
        keep_copyright=site.keep_copyright,
    )
    return Rendering(plan, may_yield=variant.format == "auto" and not reshapes and asset.format not in _UNSEEN)


def degraded(asset: AssetFacts, variant: Variant, site: Site, reason: Detail) -> Stored | Refused:
    """What to do instead when a source cannot be rendered or stored, or a Rendering of `decide` failed."""
    if not variant.changes or untouched(asset, variant, OWN, site):
        return Stored(reason, site.strip_always)
    meaning, status = DETAILS[reason]
    return Refused(status or 503, reason, meaning)


def yielded() -> Stored:
    """What to do instead where a rendering that may yield was not smaller than the source."""
    return Stored(Detail.NOT_SMALLER, strip=True)


def _is_vector(asset: AssetFacts) -> bool:
    return asset.format in ("svg", "") and media_type(asset.content_type) == "image/svg+xml"


def _problem(asset: AssetFacts, frames: int, settings: Render) -> Detail | None:
    """What the header of a source says against rendering it."""
    if asset.format not in _RENDERABLE_FORMATS or asset.width < 1 or asset.height < 1:
        return Detail.UNREADABLE
    if asset.format == "svg" and not _is_vector(asset):  # in disguise
        return Detail.UNREADABLE
    if frames > settings.max_frames:
        return Detail.TOO_MANY_FRAMES
    if asset.width * asset.height * frames > settings.max_pixels and not _is_vector(asset):
        return Detail.TOO_MANY_PIXELS
    return None


def _is_too_large(size: Geometry, frames: int, settings: Render) -> bool:
    """Bounds the result, and what is resized only to be cropped away."""
    pixels = size.resize_width * size.resize_height * frames
    return max(size.width, size.height) > settings.max_side or pixels > settings.max_pixels


def _keeps_gain_map(asset: AssetFacts, size: Geometry, variant: Variant) -> bool:
    """Whether a rendering has an HDR screen's light only as long as it stays in the source's format."""
    resizes = size[:2] != asset.upright
    return asset.gain_map and resizes and not (size.crops or size.pads or variant.blur)


def _aims(variant: Variant, format: str, frames: int) -> bool:
    """Whether the quality is chosen for the picture; an animation is too long for that."""
    return variant.quality == AUTO and frames == 1 and encoder_quality(format, 1) > 0


def _offered(settings: Render) -> frozenset[str]:
    return frozenset(format for format, offered in (("avif", settings.avif), ("webp", settings.webp)) if offered)


def _is_opaque(background: str) -> bool:
    return len(background) == 6


def _background(asked: str, size: Geometry, format: str, has_alpha: bool) -> str:
    """The background of a rendering; empty where none of it shows.

    Without one, padding is white beside an opaque picture and transparent beside a transparent one, and what a format
    cannot hold is white.
    """
    if not size.pads and not has_alpha:
        return ""
    if format not in TRANSPARENT:
        return _on_white(asked)
    return asked or ("" if has_alpha else "ffffff")


def _on_white(colour: str) -> str:
    """A colour as it looks on white: without an alpha of its own."""
    if len(colour) != 8:
        return colour or "ffffff"
    alpha = int(colour[6:], 16)
    return "".join(
        f"{(int(colour[at : at + 2], 16) * alpha + 255 * (255 - alpha) + 127) // 255:02x}" for at in (0, 2, 4)
    )
