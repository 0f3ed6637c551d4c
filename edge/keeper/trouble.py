"""What can go wrong on this node between an upstream's answer and a client's."""

from __future__ import annotations


class NoRoom(Exception):
    """The disk has no room for what was fetched or made."""


class SourceGone(Exception):
    """A source's body is not on the disk (any more), or damaged: fetch it again."""
