"""The canonical forms that a signature covers: query, headers, path.

The rule of this file: a form is made from the raw text as it was sent, and nothing else of the request changes.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote_from_bytes

from wire.targets import decode_path

Headers = Sequence[tuple[str, str]]
Pairs = tuple[tuple[str, str], ...]

# What encoding leaves alone, in a query and in a path; most of what is sent is nothing else.
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")
SHORT = 128
"""The longest text that is remembered, in characters."""
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]*")


@lru_cache(maxsize=16)
def split_query(raw_query: str) -> Pairs:
    """The decoded (name, value) pairs of a raw query, in order; "+" is a space and a missing "=" an empty value.

    Bytes that are not UTF-8 survive as surrogates (PEP 383), so that the signature still covers them.
    """
    pairs = []
    for piece in raw_query.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((_decode(name), _decode(value)))
    return tuple(pairs)


def first_values(raw_query: str) -> dict[str, str]:
    """The decoded parameters of a raw query by name; of one that is repeated the first counts, for every reader."""
    found: dict[str, str] = {}
    for name, value in split_query(raw_query):
        found.setdefault(name, value)
    return found


def _decode(text: str) -> str:
    return _short_decoded(text) if len(text) <= SHORT else _decoded(text)


def _encode(text: str) -> str:
    return _short_encoded(text) if len(text) <= SHORT else _encoded(text)


def _decoded(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return decode_path(text.replace("+", " ")).decode("utf-8", "surrogateescape")


def _encoded(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return quote_from_bytes(text.encode("utf-8", "surrogateescape"), safe="-_.~")


# The requests of a client share nearly all that they say in their queries: names, credential, date.
_short_decoded = lru_cache(maxsize=2048)(_decoded)
_short_encoded = lru_cache(maxsize=2048)(_encoded)


def joined_fields(headers: Headers) -> dict[str, str]:
    """Header values by lower-case name: runs of spaces become one, repeated lines are joined by commas."""
    fields: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        value = " ".join(value.split())
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return fields


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """The query, encoded and sorted; a presigned URL's own signature is not part of it."""
    encoded = [(_encode(name), _encode(value)) for name, value in pairs if name != "X-Amz-Signature"]
    encoded.sort()
    return "&".join([f"{name}={value}" for name, value in encoded])


def header_block(fields: Mapping[str, str], names: Iterable[str]) -> str:
    """The lines of the named headers."""
    return "".join(f"{name}:{fields[name]}\n" for name in names)


def spellings(raw_path: str) -> tuple[str, ...]:
    """The path as sent and, where a client or a proxy spelled it differently on the wire, as AWS spells it."""
    if _PLAIN_PATH.fullmatch(raw_path):
        return (raw_path,)
    standard = quote_from_bytes(decode_path(raw_path), safe="/-_.~")
    return (raw_path,) if standard == raw_path else (raw_path, standard)
