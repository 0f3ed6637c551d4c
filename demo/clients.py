"""The readers of the demo: who they are and what they really send when they want a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate


@dataclass(frozen=True)
class Reader:
    """One kind of client and its request fields."""

    name: str
    fields: Mapping[str, str]

    @property
    def named(self) -> frozenset[str]:
        """The media types its Accept names, without wildcards and without those it refuses (q=0)."""
        found = set()
        for member in self.fields.get("Accept", "").split(","):
            kind, *parameters = (part.strip().lower() for part in member.split(";"))
            if "*" not in kind and not any(p.startswith("q=") and float(p[2:]) == 0 for p in parameters):
                found.add(kind)
        return frozenset(found - {""})


READERS = (
    Reader(
        "Chrome",
        {
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/150.0.0.0 Safari/537.36",
            "Accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
            "Accept-Encoding": "gzip, deflate, br, zstd",
            "Accept-Language": "en-US,en;q=0.9",
            "Sec-Fetch-Dest": "image",
            "Sec-Fetch-Mode": "no-cors",
            "Sec-Fetch-Site": "cross-site",
            "Referer": "https://social.example/",
        },
    ),
    Reader(
        "Safari",
        {
            "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
            "Accept": "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,"
            "image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
            "Accept-Encoding": "gzip, deflate, br",
            "Accept-Language": "en-GB,en;q=0.9",
            "Sec-Fetch-Dest": "image",
            "Sec-Fetch-Mode": "no-cors",
            "Sec-Fetch-Site": "cross-site",
            "Referer": "https://social.example/",
        },
    ),
    Reader(
        "old browser",
        {
            "User-Agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_13_6) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/13.1.2 Safari/605.1.15",
            "Accept": "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5",
            "Accept-Encoding": "gzip, deflate",
            "Accept-Language": "en-us",
            "Referer": "https://social.example/",
        },
    ),
    Reader(
        "fediverse server",
        {
            "User-Agent": "Mastodon/4.5.2 (http.rb/5.3.1; +https://social.example/)",
            "Accept-Encoding": "gzip",
            "Date": formatdate(usegmt=True),
        },
    ),
)
