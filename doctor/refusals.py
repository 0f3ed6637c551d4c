"""Settings that would betray an application: each rule with its sentence.

The rule of this file: a refusal says what would happen and which setting to change; one line of the table, one reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from conf.schema import MIB, SiteKind
from doctor.apps import App
from doctor.place import Place

Rule = Callable[[App, Place], str | None]


def reads_with_a_key(app: App, place: Place) -> str | None:
    """access = "key" passes by ACLs."""
    buckets = {place.bucket, *app.buckets}
    for site in place.settings.sites:
        if site.access != "key" or site.bucket not in buckets or site.endpoint is not None:
            continue
        betrays = f'site {site.name} has access = "key" and'
        if app.acl:
            return (
                f"{app.title} hides files by setting their ACL to private; {betrays} would go on showing them: "
                f"remove access from it"
            )
        if app.reads == "endpoint":
            return (
                f"{app.title}'s files are private; {betrays} shows bucket {site.bucket} to everybody: remove the site"
            )
    return None


def is_shown_at_all(app: App, place: Place) -> str | None:
    """Public media need a site."""
    if app.reads == "site" and place.media is None:
        return f"no site shows bucket {place.bucket}: add one to sites (host and bucket), or set nginx.media_hosts"
    if app.reads == "default" and place.base is None:
        return f"{app.title} puts the bucket's name into its URLs: set nginx.media_hosts to the host its readers ask"
    return None


def has_the_right_kind(app: App, place: Place) -> str | None:
    """A media application's site is of kind media, and speaks plain URLs."""
    site = place.site
    if site is None or app.reads != "site":
        return None
    wanted = SiteKind.WEBSITE if app.title == "Static sites" else SiteKind.MEDIA
    if site.kind is not wanted:
        return f'site {site.name} is of kind {site.kind}: {app.title} needs kind = "{wanted}"'
    if site.dialect:
        return f"site {site.name} reads URLs as {site.dialect}'s, and {app.title}'s are plain ones: remove dialect"
    return None


def lets_pages_read(app: App, place: Place) -> str | None:
    """Web applications fetch media by script."""
    if app.cors and place.site is not None and not place.site.cors:
        return f'{app.title}\'s pages fetch media by script and site {place.site.name} has cors = "": set cors = "*"'
    return None


def shows_foreign_pages(app: App, place: Place) -> str | None:
    """Media of the fediverse are shown by other servers' pages."""
    if app.acl and place.site is not None and place.site.referers:
        return f"{app.title}'s media are shown on other servers' pages: remove referers from site {place.site.name}"
    return None


def takes_its_bodies(app: App, place: Place) -> str | None:
    """Limits leave room for the largest request."""
    for setting, limit in (
        ("nginx.max_body", place.settings.nginx.max_body),
        ("origin.max_put", place.settings.origin.max_put),
    ):
        if limit and limit < app.body:
            return f"{app.title} sends bodies of {app.body // MIB} MiB and {setting} is {limit // MIB} MiB: raise it"
    return None


def has_a_standard_port(app: App, place: Place) -> str | None:
    """Some clients sign a Host without its port."""
    return (
        f"{app.port}: set nginx.s3_host, with nginx.https = 443" if app.port and urlsplit(place.endpoint).port else None
    )


def speaks_tls(app: App, place: Place) -> str | None:
    """Some applications insist on HTTPS."""
    return f"{app.tls}: set nginx.s3_host" if app.tls and urlsplit(place.endpoint).scheme != "https" else None


def knows_its_signature(app: App, place: Place) -> str | None:
    """Signature Version 2 is needed by who signs with nothing else."""
    return f"{app.sigv2}: set origin.sigv2 = true" if app.sigv2 and not place.settings.origin.sigv2 else None


RULES: tuple[Rule, ...] = (
    reads_with_a_key,
    is_shown_at_all,
    has_the_right_kind,
    lets_pages_read,
    shows_foreign_pages,
    takes_its_bodies,
    has_a_standard_port,
    speaks_tls,
    knows_its_signature,
)


def refusals(app: App, place: Place) -> Iterator[str]:
    """Why these settings are not for this application."""
    for rule in RULES:
        if (sentence := rule(app, place)) is not None:
            yield sentence
