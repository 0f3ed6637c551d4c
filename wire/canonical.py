"""The canonical forms that a signature covers: query, headers, path.

The rule of this file: a form is made from the raw text as it was sent, and nothing else of the request changes.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote_from_bytes

from wire.targets import decode_path

Headers = Sequence[tuple[str, str]]


def split_query(raw_query: str) -> list[tuple[str, str]]:
    """The decoded (name, value) pairs of a raw query, in order; "+" is a space and a missing "=" an empty value.

    Bytes that are not UTF-8 survive as surrogates (PEP 383), so that the signature still covers them.
    """
    pairs = []
    for piece in raw_query.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def first_values(raw_query: str) -> dict[str, str]:
    """The decoded parameters of a raw query by name; of one that is repeated the first counts, for every reader."""
    found: dict[str, str] = {}
    for name, value in split_query(raw_query):
        found.setdefault(name, value)
    return found


def _decode(text: str) -> str:
    return decode_path(text.replace("+", " ")).decode("utf-8", "surrogateescape")


def _encode(text: str) -> str:
    return quote_from_bytes(text.encode("utf-8", "surrogateescape"), safe="-_.~")


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
    encoded = sorted((_encode(name), _encode(value)) for name, value in pairs if name != "X-Amz-Signature")
    return "&".join(f"{name}={value}" for name, value in encoded)


def header_block(fields: Mapping[str, str], names: Iterable[str]) -> str:
    """The lines of the named headers."""
    return "".join(f"{name}:{fields[name]}\n" for name in names)


def spellings(raw_path: str) -> tuple[str, ...]:
    """The path as sent and, where a client or a proxy spelled it differently on the wire, as AWS spells it."""
    standard = quote_from_bytes(decode_path(raw_path), safe="/-_.~")
    return (raw_path,) if standard == raw_path else (raw_path, standard)
