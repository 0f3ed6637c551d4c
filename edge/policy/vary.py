"""Which of several stored answers a request selects (RFC 9111 §4.1).

The rule of this file: two requests that mean the same give the same text. What may be done to a field without
changing its meaning is said there; nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from edge.policy.directives import Headers
from wire.fields import split_list, split_parameters

# Lists whose members are weighed: their order and the case of their letters mean nothing (RFC 9110 §12.5).
_WEIGHED: Final = frozenset({"accept", "accept-charset", "accept-encoding", "accept-language"})


def selecting_fields(headers: Headers) -> tuple[str, ...]:
    """The fields that an answer's Vary names: lower case, each once, sorted."""
    return tuple(sorted({name.lower() for name in split_list(headers.get("vary", ""))}))


def selection(fields: Iterable[str], request: Headers) -> str:
    """What a request says in these fields; an absent one differs from an empty one."""
    return "\n".join(
        f"{name}:{_normal(name, request[name])}" if name in request else name  # no value has a line feed
        for name in fields
    )


def _normal(name: str, value: str) -> str:
    """Lines were joined, blanks around commas mean nothing (RFC 9110 §5.6.1)."""
    members = split_list(value)
    if name in _WEIGHED:
        members = sorted(map(_weighed, members))
    return ", ".join(members)


def _weighed(member: str) -> str:
    """A member as it sorts: heaviest first, `q=1` unsaid."""
    head, parameters = split_parameters(member.lower())
    rest = [f"{name}={value}" for name, value in parameters if name != "q"]
    quality = _quality(dict(parameters).get("q", "1"))
    return ";".join((f"{1 - quality:.3f}", head, *rest))


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0
