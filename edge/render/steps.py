"""How a picture is made: STEPS, in order, over one Work.

The rule of this file: a rendering is this list. Every step reads the Work, changes it or leaves it, and knows nothing
of the others. libvips is lazy: the steps describe a graph, and pixels flow through it, a few lines at a time, when
`gather` asks for them; so a crop after the resize costs nothing for what is cut away, and a step that needs all
pixels at once (`turn`, a smart crop) comes when few are left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pyvips

from edge.policy.plan import RenderPlan
from edge.render import canvas, colour, content, cost, facts, gain_map, hdr, kinds, reel
from edge.render.containers import Bytes
from edge.render.encode import FORMATS, encode
from edge.render.errors import Damaged, ResultTooLarge, TooLarge, TooManyPixels
from edge.render.facts import Limits
from edge.render.work import Work

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

JPEG_SHRINKS = (8, 4, 2)
"""What libjpeg can leave out while decoding (block scaling in gamma space)."""

HEADROOM = 2.0
"""Shrinking while decoding leaves at least this factor to the resampler: 4000 → 500 px scores 10 SSIMULACRA2 points
less without (mean of four photographs, q80)."""
FAST_HEADROOM = 1.0
"""The same in the speed profile: what the decoder can do for nothing is not left to the resampler."""

TURNS: dict[int, Callable[[Image], Image]] = {
    1: lambda image: image,
    2: lambda image: image.fliphor(),
    3: lambda image: image.rot180(),
    4: lambda image: image.flipver(),
    5: lambda image: image.rot90().fliphor(),
    6: lambda image: image.rot90(),
    7: lambda image: image.rot270().fliphor(),
    8: lambda image: image.rot270(),
}
"""What sets a raster with this Exif orientation upright (Exif 2.32 §4.6.4)."""

COPYRIGHT_FIELDS = ("exif-ifd0-Copyright", "exif-ifd0-Artist")
LOCATED = ("orientation", "xmp-data", "iptc-data", "photoshop-data")
"""Metadata beside Exif that is left behind."""


def recognise(work: Work) -> None:
    """Choose the loader by magic bytes, and see that nothing is cut off."""
    work.kind = kinds.recognise(work.source)
    facts.check_whole(work.kind, work.source)


def read_header(work: Work) -> None:
    """Learn size, frames, orientation and profile from the header, and refuse what is over a limit."""
    work.facts = facts.read(work.kind, work.source, work.limits)
    plan, form = work.plan, FORMATS[work.plan.format]
    if max(plan.width, plan.height) > form.max_side:
        raise ResultTooLarge(f"{plan.width} × {plan.height} for {plan.format}")
    shown = work.facts.pages if work.animated else 1
    if max(plan.width * plan.height, plan.resize_width * plan.resize_height) * shown > work.limits.max_pixels:
        raise TooManyPixels(f"{plan.width} × {plan.height} × {shown}")
    if cost.memory(work.facts, plan) > work.limits.memory:
        raise TooLarge(f"about {cost.memory(work.facts, plan)} bytes of memory")


def open_frames(work: Work) -> None:
    """Open lazily (libvips jpegload, pngload, … from memory), already smaller where the format can.

    A JPEG is shrunk by 2, 4 or 8, leaving headroom; an SVG is drawn at the size wanted; an animation is opened as a
    tall strip and cut into its frames.
    """
    width, height = work.stored_size
    options: dict[str, Any] = {}
    if work.kind.name == "jpeg":
        headroom = FAST_HEADROOM if work.plan.fast else HEADROOM
        room = min(work.facts.width / width, work.facts.height / height) / headroom
        options["shrink"] = next((shrink for shrink in JPEG_SHRINKS if shrink <= room), 1)
    elif work.kind.name == "svg":
        options["scale"] = max(width / work.facts.width, height / work.facts.height)
    work.reel = reel.of(work.kind, work.source)
    if work.animated:
        options["n"] = -1
    elif work.reel.shown[0]:
        options["page"] = work.reel.shown[0]
    strip = kinds.load(work.kind, work.reel.data, **options)
    tall = strip.get("page-height") if "n" in options else strip.height
    shown = work.reel.shown if "n" in options else (0,)
    if strip.height < tall * (shown[-1] + 1):
        raise Damaged("fewer frames than the file announces")
    work.frames = [strip.crop(0, tall * number, strip.width, tall) for number in shown]
    if "n" in options:
        work.timing = {"delay": work.reel.delays, "loop": int(kinds.field(strip, "loop", 0))}
    if work.plan.keep_copyright:
        with contextlib.suppress(UnicodeError):  # a claim that is no text is none
            work.copyright = {name: _exif_text(strip.get(name)) for name in COPYRIGHT_FIELDS if strip.get_typeof(name)}


def carry_gain_map(work: Work) -> None:
    """Reduce and turn the gain map of an UltraHDR JPEG beside the picture, where the plan lets it survive."""
    if work.facts.gain_map and gain_map.survives(work.plan):
        work.gain_map = gain_map.carried(work.source, *work.stored_size, TURNS[work.facts.orientation])


def to_rgb(work: Work) -> None:
    """Turn CMYK, grey with a profile (libvips icc_transform) and high dynamic range into sRGB: they cannot wait for
    the resize."""
    if (coding := work.facts.coding) is not None:
        work.each(lambda frame: hdr.to_srgb(frame, coding))
    if work.facts.profile in (colour.Profile.CMYK, colour.Profile.GREY):
        work.each(lambda frame: colour.to_rgb(frame, work.facts.profile))
    work.grey = work.frames[0].bands < 3


def to_working_space(work: Work) -> None:
    """Go to linear light (libvips colourspace scrgb) where that is affordable and not too slow by the plan, else to
    8-bit gamma."""
    sizes = [(frame.width, frame.height) for frame in work.frames]
    work.linear = work.resizes and not work.plan.fast and colour.linear_is_affordable(sizes, work.stored_size[1])
    work.each(colour.to_linear if work.linear else lambda frame: colour.to_display(frame, work.grey))


def resize(work: Work) -> None:
    """Resample to the plan's size (libvips resize, Lanczos 3), colours weighted by alpha so that no fringe appears
    (premultiply, unpremultiply).

    No sharpening follows: on four photographs reduced to 320 and 500 px (JPEG 80) a light one gained 0.4 to 0.8
    SSIMULACRA2 points for 3 % more bytes, as one step of quality does, and a stronger one lost 2 (2026-11-20).
    """
    if not work.resizes:
        return
    width, height = work.stored_size

    def resample(frame: Image) -> Image:
        alpha, form = frame.hasalpha(), frame.format
        ready = frame.premultiply() if alpha else frame
        sized = ready.resize(width / frame.width, vscale=height / frame.height, kernel="lanczos3")
        if not alpha:
            return sized
        plain = sized.unpremultiply()
        return plain if form == "float" else plain.rint().cast(form)

    work.each(resample)


def to_display(work: Work) -> None:
    """Back to 8 bits with the sRGB curve (libvips colourspace srgb or b-w)."""
    if work.linear:
        work.each(lambda frame: colour.to_display(frame, work.grey))


def turn(work: Work) -> None:
    """Set the picture upright by its Exif orientation (libvips rot90 and flip operations)."""
    if work.facts.orientation > 1:
        work.each(lambda frame: TURNS[work.facts.orientation](frame.copy_memory()))


def crop(work: Work) -> None:
    """Cut what is over the plan's size, at its gravity (libvips crop), or around what draws the eye in the first
    frame (smartcrop attention)."""
    first, plan = work.frames[0], work.plan
    width, height = min(plan.width, first.width), min(plan.height, first.height)
    if (width, height) == (first.width, first.height):
        return
    if plan.gravity is None:
        work.frames[0] = first = first.copy_memory()
        _, where = first.smartcrop(width, height, interesting="attention", attention_x=True, attention_y=True)
        left = min(max(where["attention_x"] - width // 2, 0), first.width - width)
        top = min(max(where["attention_y"] - height // 2, 0), first.height - height)
    else:
        left = round((first.width - width) * plan.gravity[0])
        top = round((first.height - height) * plan.gravity[1])
    work.each(lambda frame: frame.crop(left, top, width, height))


def to_output_space(work: Work) -> None:
    """Settle what the numbers mean: sRGB, or Display-P3 with its profile where the plan keeps it (icc_transform)."""
    profile = colour.profile_of(work.frames[0])
    if work.facts.profile is colour.Profile.P3 and profile is colour.Profile.SRGB:
        profile = colour.Profile.P3
        work.each(colour.as_p3)
    work.each(lambda frame: colour.to_output(frame, profile, work.plan.keep_profile))


def pad_and_flatten(work: Work) -> None:
    """Lay the picture on the plan's canvas and background (edge.render.canvas)."""
    work.frames = canvas.laid(work.frames, work.plan, FORMATS[work.plan.format].alpha)


def blur(work: Work) -> None:
    """Soften (libvips gaussblur), colours weighted by alpha."""
    if work.plan.blur <= 0:
        return

    def soften(frame: Image) -> Image:
        if not frame.hasalpha():
            return frame.gaussblur(work.plan.blur)
        return frame.premultiply().gaussblur(work.plan.blur).unpremultiply().rint().cast("uchar")

    work.each(soften)


def strip(work: Work) -> None:
    """Leave all metadata behind, location above all. The encoders write none of it by themselves, but heifsave turns
    an orientation into a rotation of its own; where copyright is to survive they write Exif, which must then hold
    nothing else."""
    names = {"orientation"} if work.frames[0].get_typeof("orientation") else set()
    if work.copyright:
        try:
            names.update(n for n in work.frames[0].get_fields() if n.startswith("exif-") or n in LOCATED)
        except UnicodeError:  # names that are no text cannot be listed, and so not be left behind one by one
            work.copyright = {}

    def bare(frame: Image) -> Image:
        clean = frame.copy()
        for name in names:
            clean.remove(name)
        return clean

    if names:
        work.each(bare)


def gather(work: Work) -> None:
    """Join the frames (libvips arrayjoin) and let the pixels flow into memory, so that the source's decoder and its
    buffers are gone before an encoder takes its own; what is too large for that flows when it is encoded."""
    picture = work.frames[0]
    if len(work.frames) > 1:
        picture = pyvips.Image.arrayjoin(work.frames, across=1)
    work.frames = [picture.copy_memory() if picture.width * picture.height <= content.MOST_PIXELS else picture]


def encode_frames(work: Work) -> None:
    """Write the format's bytes, with what is to be said beside the pixels."""
    picture = work.frames[0].copy()
    if work.animated:
        picture.set_type(pyvips.GValue.gint_type, "page-height", work.plan.height)
    for name, value in work.timing.items():
        kind = pyvips.GValue.array_int_type if name == "delay" else pyvips.GValue.gint_type
        picture.set_type(kind, name, value)
    for name, value in work.copyright.items() if not work.timing else ():
        picture.set_type(pyvips.GValue.gstr_type, name, value)
    for name, (kind, value) in work.gain_map.items():
        picture.set_type(kind, name, value)
    keep = ["gainmap"] if work.gain_map else []
    keep += ["icc"] if picture.get_typeof(colour.PROFILE_FIELD) else []
    keep += ["exif"] if work.copyright else []
    work.body = encode(picture, work.plan, keep, work.facts)
    if work.animated and work.plan.format == "webp":
        work.body = reel.timed(work.body, work.reel.delays)


Step = Callable[[Work], None]

STEPS: tuple[Step, ...] = (
    recognise,
    read_header,
    open_frames,
    carry_gain_map,
    to_rgb,
    to_working_space,
    resize,
    to_display,
    turn,
    crop,
    to_output_space,
    pad_and_flatten,
    blur,
    strip,
    gather,
    encode_frames,
)
"""The pipeline."""


def render(source: Bytes, plan: RenderPlan, limits: Limits) -> bytes:
    """The rendering of a source by a plan.

    Raises Unreadable, Damaged, TooLarge and its kin.
    """
    work = Work(source, plan, limits)
    with kinds.reading():
        for step in STEPS:
            step(work)
    return work.body


def _exif_text(value: str) -> str:
    """The bare text of a libvips Exif field, which is written "text (text, ASCII, n components, n bytes)"."""
    return value.partition(" (")[0].strip() if value.endswith("bytes)") else value
