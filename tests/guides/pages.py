"""The blocks of docs/guides: what each is, and what the words on a page stand for while it is tried.

The rule of this file: a fence says how its block is checked, and one that says nothing is a mistake of the page.

    ```toml facet            Facet's settings; the last one before a block is what the block is about
    ```env doctor=mastodon   what `facet doctor --app mastodon` prints with those settings
    ```sh run                run, in the order of the page and in one shell, beside a `facet up` with those settings
    ```sh admin              for the machine's administrator (packages, services, certificates): its syntax is checked
    ```json ```yaml ```xml ```nginx   read by a parser of that language
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "guides"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md"))
_FENCE = re.compile(r"^```([a-z]*)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block, with the settings that it is about."""

    page: str
    language: str
    check: str
    text: str
    settings: str

    def __str__(self) -> str:
        return f"{self.page}: {self.language} {self.check}: {self.text[:40]!r}"


def blocks(page: str) -> list[Block]:
    """A page's blocks, in their order."""
    found: list[Block] = []
    settings = ""
    for match in _FENCE.finditer((FOLDER / f"{page}.md").read_text()):
        language, check, text = match[1], match[2] or "", match[3]
        if (language, check) == ("toml", "facet"):
            settings = text
        found.append(Block(page, language, check, text, settings))
    return found


EVERY = [block for page in PAGES for block in blocks(page)]
