"""What runs: ports, and the clock against everybody who tells the time."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator

from conf.schema import Settings
from doctor.asking import ask, url_of
from doctor.finding import Finding, fail, ok, warn
from wire.dates import parse_http_date

DRIFT = 5  # seconds: two Dates, cut to whole seconds, and a slow answer


def ports(settings: Settings) -> Iterator[Finding]:
    """Each listener is Facet's or free, and the admin listener is nobody else's business."""
    for setting, address, path in (
        ("origin.listen", settings.origin.listen, "/-/health"),
        ("edge.listen", settings.edge.listen, "/"),
        ("edge.admin", settings.edge.admin, "/healthz"),
    ):
        url = url_of(address)
        if url is None:
            yield warn(
                "ports", f"{setting} takes any free port", f"set {setting} to a fixed one for nginx and the doctor"
            )
            continue
        answer = ask(url + path)
        if answer is None:
            yield from _free(setting, address)
        elif _is_ours(setting, answer.status, answer.headers):
            yield ok("ports", f"{setting} {address} answers")
        else:
            yield fail("ports", f"{setting} {address}: another program answers", f"stop it, or set {setting}")
    host = settings.edge.admin.rpartition(":")[0].strip("[]")
    try:
        inside = ipaddress.ip_address(host).is_private and not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        inside = host == "localhost"
    if not inside:
        yield fail("ports", f"edge.admin listens on {host}", "edge.admin must stay on this machine: 127.0.0.1:8081")


def _is_ours(setting: str, status: int, headers: object) -> bool:
    names = {str(name) for name in headers} if isinstance(headers, dict) else set()
    if setting == "edge.listen":
        return "cache-status" in names or status in (400, 404, 421)
    return status in (200, 503)


def _free(setting: str, address: str) -> Iterator[Finding]:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            yield fail("ports", f"{setting} {address} cannot be had: {reason}", f"stop what has it, or set {setting}")
        else:
            yield warn("ports", f"{setting} {address} is free: nothing runs there", "start it with `facet up`")


def clock(settings: Settings) -> Iterator[Finding]:
    """This machine's time against the Date of the origin and of every upstream."""
    asked = {"the origin": settings.edge.origin or url_of(settings.origin.listen)}
    for site in settings.sites:
        if other := site.upstream or site.endpoint:
            asked[f"the upstream of site {site.name}"] = other
    for who, url in asked.items():
        answer = ask(url, "HEAD") if url else None
        told = parse_http_date(answer.headers.get("date", "")) if answer else None
        if told is None:
            yield warn("clock", f"{who} told no time", "not compared; ask again when it runs")
            continue
        apart = abs(time.time() - told)
        saw = f"{apart:.0f} s apart from {who}"
        if apart > settings.origin.clock_skew:
            yield fail("clock", saw, "run an NTP client (systemd-timesyncd): signatures are refused")
        elif apart > DRIFT:
            yield warn("clock", saw, "run an NTP client (systemd-timesyncd)")
        else:
            yield ok("clock", saw)
