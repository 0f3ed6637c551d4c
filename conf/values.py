"""The kinds of values that settings have: how each is written, and what of it is allowed.

The rule of this file: a value that has passed its kind is in one canonical form, and can be used as it is.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB

_UNITS = {
    "": 1,
    "b": 1,
    "k": KIB,
    "kib": KIB,
    "m": MIB,
    "mib": MIB,
    "g": GIB,
    "gib": GIB,
    "t": TIB,
    "tib": TIB,
}
_SIZE = re.compile(r"(\d+)\s*([a-z]*)", re.IGNORECASE)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def parse_size(value: Any) -> Any:
    """Bytes from 4096, "64 MiB" or "1g" (powers of 1024).

    Raises ValueError for anything else that is a string.
    """
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError("must be a number of bytes, alone or with KiB, MiB, GiB or TiB, such as 64 MiB")
        return int(match[1]) * _UNITS[match[2].lower()]
    return value


def parse_address(value: str) -> str:
    """HOST:PORT with a literal IPv4, [IPv6] or host name; port 0 asks the system for a free one.

    Raises ValueError where it is neither.
    """
    host, colon, port = value.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:9000")
    if host.startswith("[") and host.endswith("]"):
        ipaddress.IPv6Address(host[1:-1])
    elif ":" in host:
        raise ValueError("an IPv6 address is written in brackets, such as [::1]:9000")
    return value


def parse_host(value: str) -> str:
    """A DNS name or IP address without port, lower case.

    Raises ValueError where it is neither.
    """
    name = value.strip().lower().rstrip(".")
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("must be a host name without scheme or port, such as media.example.com")
    return name


def parse_prefix(value: str) -> str:
    """A URL path prefix of unreserved characters: empty, or starting with "/" and not ending in one.

    Raises ValueError otherwise.
    """
    prefix = value.rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("must be empty or a path of letters, digits and ._~- such as /media")
    return prefix


def parse_upstream(value: str) -> str:
    """An http or https URL with a host and no query.

    Raises ValueError otherwise.
    """
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https URL without query, such as http://127.0.0.1:3000")
    _ = parts.port
    return value.rstrip("/")


def parse_network(value: str) -> str:
    """A CIDR network or single address. Raises ValueError otherwise."""
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("must be an address or a network, such as 10.0.0.0/8") from None


def parse_ip(value: str) -> str:
    """An IPv4 or IPv6 address without port or brackets. Raises ValueError otherwise."""
    return str(ipaddress.ip_address(value))


Size = Annotated[int, BeforeValidator(parse_size), Field(ge=0)]
Address = Annotated[str, AfterValidator(parse_address)]
Host = Annotated[str, AfterValidator(parse_host)]
Prefix = Annotated[str, AfterValidator(parse_prefix)]
Upstream = Annotated[str, AfterValidator(parse_upstream)]
Network = Annotated[str, AfterValidator(parse_network)]
Ip = Annotated[str, AfterValidator(parse_ip)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
Seconds = Annotated[float, Field(ge=0)]
