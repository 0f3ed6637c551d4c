"""What the dialects share: the source that a URL names, and the variant of our own parameters that it comes to.

The rule of this file: a source is a path of the site it was asked at, or nothing. Another host or bucket is refused
here and never reached, so a dialect opens no proxy. Whatever is not understood is a BadParameter that names it.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from edge.policy.variant import BadParameter, Variant, parse

NOT_SUPPORTED: Final = "left out: it is not supported here"
_PATH: Final = "/%:@!$&'()*+,;=~"  # what a path may hold as it is (RFC 3986 §3.3), escapes included
_DEEPEST: Final = 64  # segments of options


class BadSignature(ValueError):
    """The URL is not signed, or not with the site's key: 403."""


class Rules(NamedTuple):
    """What a site allows in its dialect, and what its sources are called in URLs."""

    key: bytes
    salt: bytes
    signature_size: int
    """Bytes of an imgproxy signature that count."""
    unsigned: bool
    host: str
    prefix: str
    bucket: str | None
    upstream: str | None


class Reading(NamedTuple):
    """What a URL of a dialect means: the raw path of the source within the site, and the variant."""

    path: str
    variant: Variant


@dataclass(slots=True)
class Wanted:
    """Our parameters as far as they are read, each with the option that gave it."""

    given: dict[str, tuple[str, str]] = field(default_factory=dict)

    def set(self, parameter: str, option: str, text: str) -> None:
        """Give a parameter its value; an empty one takes it back. Of two the last counts, as in the dialects."""
        self.given.pop(parameter, None)
        if text:
            self.given[parameter] = (option, text)

    def variant(self, max_side: int) -> Variant:
        """The variant. Raises BadParameter, by the dialect's own names."""
        try:
            return parse(urlencode({name: text for name, (_, text) in self.given.items()}), max_side)
        except BadParameter as bad:
            option, text = self.given.get(bad.parameter, (bad.parameter, bad.value))
            raise BadParameter(option, text, bad.allowed) from None


Option = Callable[[Wanted, str, list[str]], None]
"""Reads the arguments of an option (its name is given, too) into what is wanted. Raises BadParameter."""


def source(text: str, rules: Rules) -> str:
    """The raw path within the site of a source as a dialect names it: a path, `local:///…`, `s3://bucket/…`, or a URL
    of the site itself or of its upstream. Raises BadParameter."""
    parts = urlsplit(text)
    path: str | None = text
    if parts.scheme or text.startswith("//"):
        path = parts.path if not parts.query and not parts.fragment else None
        ours = {("local", ""), ("s3", rules.bucket or "\0")}
        if path is not None and (parts.scheme, parts.netloc) not in ours:
            path = _within(parts.scheme, parts.netloc, path, rules)
    if not path or not path.strip("/") or "?" in path or "#" in path:
        raise BadParameter("source", text, "a path, or a URL of this site or its upstream, without a query")
    return quote("/" + path.lstrip("/"), safe=_PATH)


def _within(scheme: str, netloc: str, path: str, rules: Rules) -> str | None:
    bases = [f"http://{rules.host}{rules.prefix}", f"https://{rules.host}{rules.prefix}"]
    if rules.upstream is not None:
        bases.append(rules.upstream)
    url = f"{scheme.lower()}://{netloc.lower()}{path}"
    found = next((base for base in bases if url.startswith(base.rstrip("/") + "/")), None)
    return None if found is None else url[len(found.rstrip("/")) :]


def signed(given: str, message: str, key: bytes, salt: bytes, size: int, digest: str) -> bool:
    """Whether `given` is the signature of a message in URL-safe Base64 (padding is optional), cut to `size` bytes."""
    made = hmac.new(key, salt + message.encode("utf-8", "surrogateescape"), getattr(hashlib, digest)).digest()[:size]
    expected = urlsafe_b64encode(made).rstrip(b"=")
    return bool(key) and hmac.compare_digest(given.rstrip("=").encode("utf-8", "surrogateescape"), expected)


def read_option(table: Mapping[str, Option], wanted: Wanted, name: str, arguments: list[str]) -> None:
    """Read one option. Raises BadParameter."""
    option = table.get(name)
    if option is None:
        raise BadParameter(name, ":".join(arguments), NOT_SUPPORTED)
    option(wanted, name, arguments)


def segments(raw_path: str) -> list[str]:
    """The segments of a raw path. Raises BadParameter where there are too many for options."""
    parts = raw_path.split("/")[1:]
    if len(parts) > 4 * _DEEPEST:
        raise BadParameter("path", raw_path, f"of at most {4 * _DEEPEST} segments")
    return parts


def direct(parameter: str) -> Option:
    """An option that is one of our parameters by another name; nothing and 0 mean that it is not given."""

    def read(wanted: Wanted, name: str, arguments: list[str]) -> None:
        if len(arguments) != 1:
            raise BadParameter(name, ":".join(arguments), "one value")
        wanted.set(parameter, name, "" if arguments[0] == "0" else arguments[0])

    return read


def ignored(*allowed: str) -> Option:
    """An option that changes nothing here, with these values (none are all)."""

    def read(_wanted: Wanted, name: str, arguments: list[str]) -> None:
        if allowed and arguments != [""] and any(text not in allowed for text in arguments):
            raise BadParameter(name, ":".join(arguments), " or ".join(allowed))

    return read
