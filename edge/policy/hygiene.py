"""Which headers pass, in each direction, and what a media answer always carries.

The rule of this file: lists of what is allowed, never of what is not. Headers are mappings of lower-case names to
combined values (`wire.fields.combine`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

from conf.schema import SiteKind
from edge.policy.codings import is_text
from edge.policy.directives import TARGETED
from edge.policy.hints import FIELDS
from edge.policy.negotiate import CDN_LOOP_TOKEN
from edge.policy.referers import VARIES
from edge.policy.sites import BEHAVIOURS, Site
from edge.policy.storing import UNCACHEABLE_HEADER, kept_back, of_connection
from wire.fields import HOP_BY_HOP, combine, media_type, split_parameters
from wire.fields import quote as quoted

# What is stored of an upstream's answer. Validators, type and length have fields of their own in the asset record.
# Vary is left out: nothing of a client's request reaches the upstream, so no answer depends on one.
_OF_EVERY_KIND: Final = frozenset(
    {
        "cache-control",
        TARGETED,
        "cache-groups",
        "content-disposition",
        "content-encoding",
        "content-language",
        "date",
        "expires",
    }
)
_OF_DOCUMENTS: Final = frozenset(
    {
        "content-digest",
        "content-location",
        "content-security-policy",
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "link",
        "location",
        "origin-agent-cluster",
        "permissions-policy",
        "referrer-policy",
        "repr-digest",
        "retry-after",
        "service-worker-allowed",
        "sourcemap",
        "strict-transport-security",
        "timing-allow-origin",
        "x-content-type-options",
        "x-frame-options",
        "x-robots-tag",
        "x-sourcemap",
    }
)
_CORS: Final = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-origin",
        "access-control-expose-headers",
    }
)
WEBSITE_REDIRECT: Final = "x-amz-website-redirect-location"
"""Where an object of a website sends its readers."""

STORED: Final[Mapping[SiteKind, frozenset[str]]] = MappingProxyType(
    {
        SiteKind.MEDIA: _OF_EVERY_KIND,
        SiteKind.ASSETS: _OF_EVERY_KIND | _OF_DOCUMENTS,
        SiteKind.WEBSITE: _OF_EVERY_KIND | {WEBSITE_REDIRECT},
    }
)


def stored_headers(site: Site, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an upstream answer that are stored and given to clients.

    The site's own CORS, where it has one, takes the place of the upstream's. What the origin marks as uncacheable is
    no-store to clients as well. A transparent site stores all but what belongs to the connection or to one client.
    """
    back = kept_back(headers)
    if site.behaviour.transparent:
        return {name: value for name, value in end_to_end(headers).items() if name not in back | {"age"}}
    allowed = STORED[site.kind] if site.cors or site.behaviour.media_headers else STORED[site.kind] | _CORS
    kept = {name: value for name, value in headers.items() if name in allowed - back}
    return {**kept, "cache-control": "no-store"} if UNCACHEABLE_HEADER in headers else kept


def end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that do not end at this connection (RFC 9110 §7.6.1)."""
    ending = HOP_BY_HOP | of_connection(headers) | {"proxy-authentication-info"}
    return {name: value for name, value in headers.items() if name not in ending}


def passed_lines(lines: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The lines of an interim answer that a client gets (RFC 9110 §15.2)."""
    lines = tuple(lines)
    passed = end_to_end(combine(lines)).keys() - {"content-length"}
    return tuple(line for line in lines if line[0].lower() in passed)


def once_headers(site: Site, lines: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The lines of an upstream's answer that only the client gets whose request it was."""
    if not site.behaviour.transparent:
        return ()
    lines = tuple(lines)
    headers = combine(lines)
    ours = kept_back(headers) & end_to_end(headers).keys()
    return tuple((str(name), value) for name, value in lines if name.lower() in ours)


NO_INTERIM: Final = "x-facet-interim"
"""A proxy in front that takes an interim answer for the final one says so here, with any value."""

# What of a client's request we say ourselves: to whom it goes, its framing, and that it has been here.
_SAID_ANEW: Final = frozenset({"host", "content-length", "expect", "cdn-loop", "via", "x-forwarded-proto", NO_INTERIM})
_VIA: Final = "1.1 facet"


def passed_request(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a client's request that a transparent site sends upstream (RFC 9110 §7.6), with our Via."""
    passed = {name: value for name, value in end_to_end(headers).items() if name not in _SAID_ANEW}
    for name, ours in (("via", _VIA), ("cdn-loop", CDN_LOOP_TOKEN)):
        passed[name] = f"{headers[name]}, {ours}" if name in headers else ours
    return passed


def upstream_request_headers() -> dict[str, str]:
    """The headers that a fill asks an upstream with, beside Host, validators and the edge's own credentials.

    None comes from a client: the answer is for all of them. Bytes are asked for as they are, without a coding.
    """
    return {"accept": "*/*", "accept-encoding": "identity"}


# Upstreams that say one of these say nothing: PeerTube, Misskey and Synapse upload without a type.
VAGUE: Final = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-octet-stream"})

# Nothing in here can run a script but SVG, which the CSP disarms.
TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "aac": "audio/aac",
        "apng": "image/apng",
        "avif": "image/avif",
        "bmp": "image/bmp",
        "flac": "audio/flac",
        "gif": "image/gif",
        "heic": "image/heic",
        "ico": "image/x-icon",
        "jpeg": "image/jpeg",
        "jpg": "image/jpeg",
        "jxl": "image/jxl",
        "m3u8": "application/vnd.apple.mpegurl",
        "m4a": "audio/mp4",
        "m4s": "video/iso.segment",
        "m4v": "video/mp4",
        "mkv": "video/x-matroska",
        "mov": "video/quicktime",
        "mp3": "audio/mpeg",
        "mp4": "video/mp4",
        "mpd": "application/dash+xml",
        "oga": "audio/ogg",
        "ogg": "audio/ogg",
        "ogv": "video/ogg",
        "opus": "audio/ogg",
        "pdf": "application/pdf",
        "png": "image/png",
        "srt": "text/plain; charset=utf-8",
        "svg": "image/svg+xml",
        "tif": "image/tiff",
        "tiff": "image/tiff",
        "torrent": "application/x-bittorrent",
        "ts": "video/mp2t",
        "vtt": "text/vtt; charset=utf-8",
        "wav": "audio/wav",
        "weba": "audio/webm",
        "webm": "video/webm",
        "webp": "image/webp",
    }
)

# The extension that a converted picture's name ends with, and those that already say its type.
_EXTENSIONS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "image/avif": ("avif",),
        "image/webp": ("webp",),
        "image/jpeg": ("jpg", "jpeg"),
        "image/png": ("png", "apng"),
        "image/gif": ("gif",),
        "text/plain": ("txt",),
        "application/json": ("json",),
    }
)


def effective_type(content_type: str | None, path: str) -> str:
    """The content type to work with and to serve: the upstream's, or one by extension where it says nothing.

    path: raw, with or without a query.
    """
    if media_type(content_type) not in VAGUE:
        return content_type or ""
    name = _last_segment(path)
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    return TYPES.get(extension, content_type or "application/octet-stream")


def _last_segment(path: str) -> str:
    return unquote(path.partition("?")[0].rpartition("/")[2])


_MAX_NAME: Final = 200  # characters; file systems take 255 bytes
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f"\\/:*?<>|\ufffd\ud800-\udfff]')
_ATTR_CHAR: Final = "!#$&+-.^_`|~"  # RFC 8187 §3.2.1, beside letters and digits


def disposition(path: str, content_type: str, stored: str | None, converted: bool) -> str | None:
    """The Content-Disposition of an answer (RFC 6266): the stored one as it is, or, where the format was changed, one
    whose filename matches the type.

    The name is the stored one's or else the path's; an attachment stays one.
    """
    if not converted:
        return stored
    kind, parameters = split_parameters(stored or "")
    name = _filename(dict(reversed(parameters))) or _last_segment(path)
    extensions = _EXTENSIONS.get(media_type(content_type), ())
    name = _UNSAFE.sub("_", name)[:_MAX_NAME]
    stem, dot, extension = name.rpartition(".")
    if extensions and not (dot and extension.lower() in extensions):
        name = f"{(stem if dot else name) or 'image'}.{extensions[0]}"
    kind = "attachment" if kind.lower() == "attachment" else "inline"
    if name.isascii():
        return f"{kind}; filename={quoted(name)}"
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"{kind}; filename={quoted(plain)}; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"


def _filename(parameters: Mapping[str, str]) -> str:
    """The filename of a stored disposition; `filename*` in UTF-8 goes first (RFC 6266 §4.3)."""
    charset, _, rest = parameters.get("filename*", "").partition("'")
    encoded = rest.partition("'")[2]
    if charset.lower() == "utf-8" and encoded:
        return unquote(encoded)
    return parameters.get("filename", "")


# A document that is opened directly gets no scripts, plugins, forms or foreign loads; pictures and films are shown
# by browsers in documents of their own, which load them from here and need a little style. PDF viewers do not work in
# a sandbox, and run nothing of ours.
_CSP: Final = (
    "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; font-src data:; "
    "form-action 'none'; base-uri 'none'"
)
_CSP_SANDBOX: Final = f"{_CSP}; sandbox"


def site_headers(site: Site | None, content_type: str | None) -> dict[str, str]:
    """The headers that every answer of a site carries, errors and 206 included: CORS, nosniff, CSP, Vary.

    None: the request led to no site; it is answered as a media site would.
    """
    behaviour = BEHAVIOURS[SiteKind.MEDIA] if site is None else site.behaviour
    cors = "*" if site is None else site.cors
    headers: dict[str, str] = {}
    if cors:
        headers |= {
            "Access-Control-Allow-Origin": cors,
            "Access-Control-Expose-Headers": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Timing-Allow-Origin": cors,
        }
    if behaviour.media_headers:
        headers["X-Content-Type-Options"] = "nosniff"
        pdf = media_type(content_type) == "application/pdf"
        headers["Content-Security-Policy"] = _CSP if pdf else _CSP_SANDBOX
    selecting: tuple[str, ...] = ("Accept",) if behaviour.renders else ()
    if behaviour.codes_texts and is_text(content_type):
        selecting = ("Accept-Encoding",)
    if site is not None and site.hints:
        selecting = (*selecting, *FIELDS)
    if site is not None and site.referers:
        selecting = (*selecting, *VARIES)
    if selecting:
        headers["Vary"] = ", ".join(selecting)
    return headers
