"""What the world sees: DNS of every configured host, and CORS as a page of an application meets it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from conf.schema import Settings, SiteKind
from doctor.asking import ask, url_of
from doctor.finding import Finding, fail, ok, warn
from doctor.front import public_hosts

PAGE = "https://facet-doctor.invalid"  # the origin of a page that no setting names
_CROSS = "access-control-allow-origin"


def dns(settings: Settings) -> Iterator[Finding]:
    """Every configured host has an address; below a base domain every bucket's name does."""
    hosts = public_hosts(settings)
    if settings.nginx.s3_host:
        hosts += [f"facet-doctor.{domain}" for domain in settings.origin.domains]
    for host in hosts:
        name = host.partition(":")[0]
        try:
            found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
        except OSError:
            made = (
                f"a record *.{name.partition('.')[2]}" if name.startswith("facet-doctor.") else f"A and AAAA of {name}"
            )
            yield fail("dns", f"{name} has no address", f"add {made} in the zone, or take the host out of the settings")
            continue
        yield ok("dns", f"{name}: {', '.join(found)}")


def cors(settings: Settings) -> Iterator[Finding]:
    """A page of another host may read what media and asset sites give, errors included."""
    edge = url_of(settings.edge.listen)
    for site in settings.sites:
        if site.kind not in (SiteKind.MEDIA, SiteKind.ASSETS):
            continue
        if not site.cors:
            yield warn(
                "cors",
                f"site {site.name} adds none",
                f'cors = "*" for site {site.name}: web apps fetch media by script',
            )
            continue
        answer = ask(f"{edge}{site.prefix}/facet-doctor", headers={"host": site.host, "origin": PAGE}) if edge else None
        if answer is None:
            yield warn("cors", f"site {site.name} could not be asked", "start the edge on a fixed edge.listen")
        elif answer.headers.get(_CROSS) == site.cors:
            yield ok("cors", f"site {site.name} tells pages {_CROSS}: {site.cors}")
        else:
            yield fail(
                "cors", f"site {site.name} answers {answer.status} without {_CROSS}", "is another program there?"
            )
    origin = settings.edge.origin or url_of(settings.origin.listen)
    if origin is None or ask(origin + "/-/health") is None:
        yield warn("cors", "the origin could not be asked", "start it on a fixed origin.listen")


def bucket_cors(settings: Settings, bucket: str, methods: tuple[str, ...]) -> Iterator[Finding]:
    """A browser may send these methods to the bucket at the S3 endpoint: for applications whose pages upload."""
    origin = settings.edge.origin or url_of(settings.origin.listen)
    for method in methods:
        asked = {
            "origin": PAGE,
            "access-control-request-method": method,
            "access-control-request-headers": "content-type",
        }
        answer = ask(f"{origin}/{bucket}/facet-doctor", "OPTIONS", asked) if origin else None
        if answer is None:
            yield warn("cors", f"bucket {bucket} could not be asked", "start the origin on a fixed origin.listen")
            return
        if answer.status == 200 and answer.headers.get(_CROSS):
            yield ok("cors", f"pages may send {method} to bucket {bucket}")
        else:
            yield warn(
                "cors", f"a page of any host may not {method} in bucket {bucket}", "PutBucketCors: see the app's page"
            )
