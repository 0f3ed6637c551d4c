"""The tags that an upstream gives its answers, by which they can be purged together.

The rule of this file: a tag is what lies between commas and white space in one of the fields that the settings name
(Cache-Tag has commas, Surrogate-Key and xkey have spaces); where there are too many, the first ones count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

MOST: Final = 64
"""Tags of one answer."""
LONGEST: Final = 256
"""Characters of a tag; longer ones are none."""

_BETWEEN: Final = re.compile(r"[,\s]+")


def tags(headers: Mapping[str, str], fields: Iterable[str]) -> tuple[str, ...]:
    """The tags of an answer, by the fields (in lower case) that carry them."""
    given = (tag for field in fields if field in headers for tag in _BETWEEN.split(headers[field]))
    return tuple(dict.fromkeys(tag for tag in given if 0 < len(tag) <= LONGEST))[:MOST]


def named(value: str) -> tuple[str, ...]:
    """The tags that a purge names."""
    return tags({"": value}, ("",))
