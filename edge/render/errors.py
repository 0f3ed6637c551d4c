"""Why a source cannot be rendered.

The rule of this file: every failure of a renderer or its pool is one of these, and carries the word that
Cache-Status, logs and metrics show for it.
"""

from __future__ import annotations

from typing import ClassVar

from edge.policy.reasons import Detail


class RenderError(Exception):
    """A rendering that did not come about; the message is for logs."""

    reason: Detail = Detail.CRASHED
    BY_REASON: ClassVar[dict[Detail, type[RenderError]]] = {}

    def __init_subclass__(cls) -> None:
        RenderError.BY_REASON.setdefault(cls.reason, cls)

    @classmethod
    def named(cls, reason: str, message: str) -> RenderError:
        """The error with this reason's class and word (ValueError for an unknown word)."""
        word = Detail(reason)
        error = cls.BY_REASON[word](message)
        error.reason = word
        return error


class Unreadable(RenderError):
    """Not a picture we know, by its magic bytes or its header."""

    reason = Detail.UNREADABLE


class Damaged(Unreadable):
    """A picture we know that is cut off or broken."""

    reason = Detail.DAMAGED


class NeedsHeic(Unreadable):
    """A HEIC, and the extra that reads it is not installed."""

    reason = Detail.NEEDS_HEIC


class NeedsJxl(Unreadable):
    """A JPEG XL, and the extra that reads it is not installed."""

    reason = Detail.NEEDS_JXL


class TooLarge(RenderError):
    """Over a limit: bytes of memory needed, pixels or frames."""

    reason = Detail.TOO_LARGE


class TooManyPixels(TooLarge):
    """More pixels, all frames together, than render.max_pixels."""

    reason = Detail.TOO_MANY_PIXELS


class TooManyFrames(TooLarge):
    """More frames than render.max_frames."""

    reason = Detail.TOO_MANY_FRAMES


class ResultTooLarge(TooLarge):
    """A longer side than the output format can have."""

    reason = Detail.RESULT_TOO_LARGE


class TimedOut(RenderError):
    """Longer than render.deadline; the renderer was killed."""

    reason = Detail.TIMED_OUT


class QueueFull(RenderError):
    """render.queue jobs are waiting already, or this one has waited for render.wait."""

    reason = Detail.QUEUE_FULL


class Crashed(RenderError):
    """The renderer died; another one takes its place."""

    reason = Detail.CRASHED
