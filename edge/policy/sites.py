"""Which site a request belongs to, what its kind does, and what its source is called.

The rule of this file: paths are compared and passed on as they were sent. A spelling that some upstream might read
as another path (dot segments, broken escapes, NUL) names nothing at all, so none leads out of a bucket or a prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

from conf import schema
from conf.errors import StartError
from conf.schema import Settings, SiteKind
from edge.policy.variant import BadParameter, Variant, parse
from wire.targets import dot_segments, is_well_escaped, request_target

DEFAULT_SITE = "default"
"""The name of the site that serves /{bucket}/{key} on every host without a site of its own."""

# The first segment of the default site's paths. Wide enough for every bucket there is; the origin decides. It cannot
# start with "-", so the origin's own paths (/-/feed) are out of reach, nor hold an escape.
_BUCKET_AND_KEY = re.compile(r"/[A-Za-z0-9][A-Za-z0-9._-]{1,254}/.+", re.DOTALL)
_PORT = re.compile(r":[0-9]*$")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One row of the table of kinds."""

    renders: bool
    """The variant grammar and negotiation apply, and with them `Vary: Accept` on every answer."""
    media_headers: bool
    """nosniff and the CSP that disarms documents, on every answer, errors included."""
    query_in_key: bool
    """The query is a part of the source's name and is sent upstream."""
    relays_redirects: bool
    """3xx answers of the upstream reach the client; otherwise they count as a broken upstream."""
    hides_errors: bool
    """401, 403 and 404 of the upstream are all 404 to the client, with our own body."""
    transparent: bool
    """A proxy by the letter of the RFCs: methods, headers and bodies pass in both directions, validators and
    Cache-Control are the upstream's, Vary selects, a client's cache directives are obeyed and unsafe methods
    invalidate (RFC 9111 §4.1, §4.4, §5.2.1). Elsewhere nothing of a request reaches the upstream, so that an anonymous
    client can neither pass by the cache nor empty it."""
    codes_texts: bool
    """Texts are offered in content codings, each a representation of its own, and vary by Accept-Encoding."""
    relays_interim: bool
    """Interim answers of the upstream (102, 103) reach the client whose request it was (RFC 9110 §15.2)."""
    heuristics: bool
    """Lifetimes are the upstream's or a guess from Last-Modified (RFC 9111 §4.2.2), not the site's settings."""


BEHAVIOURS: Mapping[SiteKind, Behaviour] = MappingProxyType(
    {
        SiteKind.MEDIA: Behaviour(
            renders=True,
            media_headers=True,
            query_in_key=False,
            relays_redirects=False,
            hides_errors=True,
            transparent=False,
            codes_texts=False,
            relays_interim=False,
            heuristics=False,
        ),
        SiteKind.ASSETS: Behaviour(
            renders=False,
            media_headers=False,
            query_in_key=True,
            relays_redirects=True,
            hides_errors=False,
            transparent=False,
            codes_texts=True,
            relays_interim=False,
            heuristics=False,
        ),
        SiteKind.WEBSITE: Behaviour(
            renders=False,
            media_headers=False,
            query_in_key=False,
            relays_redirects=False,
            hides_errors=True,
            transparent=False,
            codes_texts=False,
            relays_interim=False,
            heuristics=False,
        ),
        SiteKind.PASS_THROUGH: Behaviour(
            renders=False,
            media_headers=False,
            query_in_key=True,
            relays_redirects=True,
            hides_errors=False,
            transparent=True,
            codes_texts=False,
            relays_interim=True,
            heuristics=True,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class ForeignBucket:
    """How a bucket of another S3 service is read."""

    region: str
    access_key: str | None
    """None: unsigned, as anybody may."""
    secret_key: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Documents:
    """What a website shows where a path is a folder, or nothing."""

    index: str
    """The last segment of an index document's path."""
    error: str | None
    """The path of the error document within the site."""


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A compiled site, equal to itself alone.

    `bucket` and `upstream` are both None only for the default site (/{bucket}/{key}).
    """

    name: str
    kind: SiteKind
    host: str
    """Lower case, no port; empty for the default site."""
    prefix: str
    """Empty, or "/…" without a slash at its end."""
    bucket: str | None
    upstream: str | None
    """The base of request targets at another server than the origin, be it a web server or an S3 service."""
    s3: ForeignBucket | None
    documents: Documents | None
    """A website's."""
    upstream_host: str | None
    upstream_proto: Literal["http", "https"]
    access: Literal["anonymous", "key"]
    strip_always: bool
    keep_copyright: bool
    downstream_vary: bool
    hints: bool
    dialect: Literal["imgproxy", "thumbor", "pict-rs"] | None
    dialect_key: str | None
    dialect_salt: str | None
    dialect_signature: int
    dialect_unsigned: bool
    cors: str
    revalidate: float
    """Seconds; the site's own or the edge's."""
    referers: tuple[str, ...]
    """Hosts whose pages may show what the site has; empty: all."""
    presets: Mapping[str, Variant]
    named_only: bool
    """Only presets and signed variants are made."""
    sign_keys: tuple[str, ...]
    purge_secret: str | None
    tag_headers: tuple[str, ...]
    """The fields, in lower case, of an upstream's answer that carry its tags."""
    behaviour: Behaviour

    @property
    def at_bucket(self) -> bool:
        """Whether sources are objects of our origin, whose feed tells of changes, and not of another server."""
        return self.upstream is None

    @property
    def reads_keys(self) -> bool:
        """Whether paths are keys of a bucket, wherever that is: the bucket itself is never asked for."""
        return self.upstream is None or self.s3 is not None

    def source_path(self, raw_path: str, raw_query: str = "") -> str | None:
        """The name of a source within this site: its raw path, with `?query` where the kind has that in the key.

        raw_path: as `Sites.match` gave it. None: there can be no such object (no key, a dot segment, a broken
        escape, a NUL): 404 without asking anybody.
        """
        path = request_target(raw_path)
        if not is_well_escaped(path) or dot_segments(path) or "%00" in path:
            return None
        if self.documents is not None and path.endswith("/"):
            path += self.documents.index
        if path == "/" and self.reads_keys:
            return None
        if self.bucket is None and self.at_bucket and not _BUCKET_AND_KEY.fullmatch(path):
            return None
        if self.behaviour.query_in_key and raw_query:
            return f"{path}?{request_target(raw_query)}"
        # A raw path holds no "?", so the first one in a name always begins the query.
        return path

    def source_target(self, source_path: str) -> str:
        """The request target to ask the upstream with, of a `source_path`: path-style at the origin."""
        if self.upstream is not None:
            return urlsplit(self.upstream).path + source_path
        return source_path if self.bucket is None else f"/{self.bucket}{source_path}"


class Sites:
    """All sites of an edge, compiled once from the settings."""

    def __init__(self, settings: Settings) -> None:
        compiled = [_compile(site, settings) for site in settings.sites]
        self.default = _compile(_DEFAULT, settings)
        self._named = {site.name: site for site in (*compiled, self.default)}
        self._by_host: dict[str, list[Site]] = {}
        for site in sorted(compiled, key=lambda site: len(site.prefix), reverse=True):
            self._by_host.setdefault(site.host, []).append(site)

    def __iter__(self) -> Iterator[Site]:
        return iter(self._named.values())

    def match(self, host: str, raw_path: str) -> tuple[Site, str] | None:
        """The site of a request and the raw path within it, always starting with "/".

        host: the Host field as sent. raw_path: the path of the request line, without query. The longest prefix that
        ends at a segment boundary wins. None: a host that has sites, but none for this path.
        """
        sites = self._by_host.get(host_name(host))
        if sites is None:
            return self.default, raw_path if raw_path.startswith("/") else f"/{raw_path}"
        for site in sites:
            rest = raw_path[len(site.prefix) :]
            if raw_path.startswith(site.prefix) and (not rest or rest.startswith("/")):
                return site, rest or "/"
        return None

    def named(self, name: str) -> Site | None:
        """The site of a name."""
        return self._named.get(name)


def host_name(host: str) -> str:
    """The name in a Host field: lower case, without port, trailing dot and the brackets of an IPv6 address."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return _PORT.sub("", name).removesuffix(".")


# The default site is an ordinary one in everything but its source. model_construct, because a site that somebody
# writes must have a source.
_DEFAULT = schema.Site.model_construct(name=DEFAULT_SITE, host="", kind=SiteKind.MEDIA)


def _bucket_url(endpoint: str, site: schema.Site) -> str:
    """Where the keys of a bucket of another S3 service begin."""
    if site.addressing == "path":
        return f"{endpoint}/{site.bucket}"
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{site.bucket}.{parts.netloc}{parts.path}"


def _presets(site: schema.Site, render: schema.Render) -> Mapping[str, Variant]:
    """The site's presets. Raises StartError for one that is no variant."""
    presets: dict[str, Variant] = {}
    for preset in site.presets:
        name, _, query = preset.partition(":")
        try:
            presets[name] = parse(query, render.max_side)
        except BadParameter as bad:
            raise StartError(f"sites: the preset {name} of {site.name} is wrong: {bad}") from None
    return presets


def _documents(site: schema.Site) -> Documents:
    return Documents(site.index, None if site.error is None else f"/{site.error}")


def _compile(site: schema.Site, settings: Settings) -> Site:
    edge, render = settings.edge, settings.render
    return Site(
        name=site.name,
        kind=site.kind,
        host=site.host,
        prefix=site.prefix,
        bucket=site.bucket if site.endpoint is None else None,
        upstream=site.upstream if site.endpoint is None else _bucket_url(site.endpoint, site),
        s3=None if site.endpoint is None else ForeignBucket(site.region, site.access_key, site.secret_key),
        documents=_documents(site) if site.kind is SiteKind.WEBSITE else None,
        upstream_host=site.upstream_host,
        upstream_proto=site.upstream_proto,
        access=site.access,
        strip_always=site.strip == "always",
        keep_copyright=site.copyright,
        downstream_vary=site.downstream_vary,
        hints=site.hints,
        dialect=site.dialect,
        dialect_key=site.dialect_key,
        dialect_salt=site.dialect_salt,
        dialect_signature=site.dialect_signature,
        dialect_unsigned=site.dialect_unsigned,
        cors="" if BEHAVIOURS[site.kind].transparent else site.cors,
        revalidate=edge.revalidate if site.revalidate is None else site.revalidate,
        referers=site.referers,
        presets=_presets(site, render),
        named_only=site.variants == "named",
        sign_keys=site.sign_keys,
        purge_secret=site.purge_secret if site.name != DEFAULT_SITE else edge.purge_secret,
        tag_headers=tuple(name.lower() for name in edge.tag_headers),
        behaviour=BEHAVIOURS[site.kind],
    )
