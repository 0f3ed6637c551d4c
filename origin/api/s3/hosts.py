"""Which bucket a Host header names.

The rule of this file: the origin's own names, its base domains and IP addresses are never buckets. A host that is
not known is not a bucket either: it is path style, so that no Host header can capture the server.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from conf.schema import Settings
from conf.sockets import split_address

KNOWN = 1024
"""The most Host headers whose answer is remembered."""


def host_name(header: str) -> str:
    """The lower-case name of a Host header: without port, brackets and the dot at its end."""
    header = header.strip().lower()
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].rstrip(".")


def is_address(name: str) -> bool:
    """Whether a host name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Hosts:
    """The names the origin is reached by."""

    def __init__(self, settings: Settings) -> None:
        listen = host_name(split_address(settings.origin.listen)[0])
        own = {"localhost", listen, *settings.origin.hosts, *settings.origin.domains, *settings.website.domains}
        if settings.nginx.s3_host:
            own.add(settings.nginx.s3_host)
        self._own = frozenset(own)
        self._domains = tuple(sorted(settings.origin.domains, key=len, reverse=True))
        self._bucket_hosts = frozenset(settings.origin.bucket_hosts) - self._own
        self._websites = tuple(sorted(settings.website.domains, key=len, reverse=True))
        self._website_hosts = frozenset(settings.website.hosts) - self._own
        self._known_buckets = lru_cache(maxsize=KNOWN)(self._bucket)
        self._known_websites = lru_cache(maxsize=KNOWN)(self._website)

    def bucket(self, header: str) -> str | None:
        """The bucket that a Host header names (virtual-host style), None for path style."""
        return self._known_buckets(header)

    def _bucket(self, header: str) -> str | None:
        name = host_name(header)
        if name in self._own or is_address(name):
            return None
        if name in self._bucket_hosts:
            return name
        for domain in self._domains:
            if name.endswith(f".{domain}"):
                return name.removesuffix(f".{domain}")
        return None

    def website(self, header: str) -> str | None:
        """The bucket whose website a Host header names, "" for a website domain itself, None for the S3 API."""
        return self._known_websites(header)

    def _website(self, header: str) -> str | None:
        name = host_name(header)
        if name in self._website_hosts:
            return name
        for domain in self._websites:
            if name == domain or name.endswith(f".{domain}"):
                return name.removesuffix(domain).removesuffix(".")
        return None

    def reserves(self, bucket: str) -> bool:
        """Whether no bucket may have this name, because it names the server itself."""
        name = bucket.lower().rstrip(".")
        return name in self._own or is_address(name)
