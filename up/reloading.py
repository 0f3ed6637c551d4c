"""What of new settings takes effect while everything runs.

The rule of this file: what is named here needs a start, and everything else of the edge does not.
"""

from __future__ import annotations

from conf.schema import Settings

_EDGE_AT_START = frozenset(
    {
        *("listen", "admin", "origin", "key_file", "processes", "memory", "memory_object", "disk", "disk_floor"),
        "trusted_proxies",
    }
)
_AT_ONCE = frozenset({"sites", "guard", "edge"})


def merged(old: Settings, new: Settings) -> tuple[Settings, tuple[str, ...]]:
    """The settings to go on with, and the names of those that wait for the next start."""
    waiting = [
        name
        for name in type(new).model_fields
        if name not in _AT_ONCE and getattr(new, name) != getattr(old, name) and name != "origin"
    ]
    if new.origin.model_copy(update={"listen": old.origin.listen}) != old.origin:
        waiting.append("origin")
    kept = {name: getattr(old.edge, name) for name in _EDGE_AT_START}
    waiting += [
        f"edge.{name}"
        for name in sorted(_EDGE_AT_START - {"listen", "admin", "origin"})
        if getattr(new.edge, name) != kept[name]
    ]
    edge = new.edge.model_copy(update=kept)
    return old.model_copy(update={"sites": new.sites, "guard": new.guard, "edge": edge}), tuple(waiting)
