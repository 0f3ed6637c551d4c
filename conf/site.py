"""The settings of a site: a public host, its kind, and where its bytes come from."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from conf.section import Section
from conf.values import Host, Prefix, Seconds, Upstream

Preset = Annotated[str, Field(pattern=r"^[a-z0-9-]+:[!-~]+$")]
SignKey = Annotated[str, Field(min_length=16)]


class SiteKind(StrEnum):
    """What a site does with what it serves (the behaviours are in edge/policy/sites.py)."""

    MEDIA = "media"
    ASSETS = "assets"
    WEBSITE = "website"
    PASS_THROUGH = "pass-through"  # noqa: S105 - no password


class Site(Section):
    """A public host (and path prefix), its kind, and where its bytes come from."""

    name: str = Field(min_length=1, pattern=r"^[a-z0-9][a-z0-9-]*$", description="A short name for logs and metrics.")
    host: Host = Field(description="The public host name, such as media.example.com.")
    prefix: Prefix = Field("", description="The public path prefix, such as /media; empty is the whole host.")
    kind: SiteKind = Field(
        SiteKind.MEDIA,
        description="`media` renders variants; `assets` relays files of a web server untouched; `website` shows a "
        "bucket with index and error documents; `pass-through` is a caching proxy by the letter of the RFCs, for tests "
        "and odd upstreams.",
    )
    bucket: str | None = Field(
        None, min_length=1, description="The bucket whose keys are the paths of this site: the origin's, or endpoint's."
    )
    endpoint: Upstream | None = Field(
        None, description="The URL of another S3 service that has the bucket, such as https://s3.example.com."
    )
    region: str = Field("us-east-1", min_length=1, description="The region that endpoint's requests are signed for.")
    addressing: Literal["path", "virtual"] = Field("path", description="Where endpoint has the bucket's name in URLs.")
    access_key: str | None = Field(
        None, description="The access key for endpoint; without one the bucket is read unsigned, as anybody may."
    )
    secret_key: str | None = Field(None, repr=False, description="The access key's secret.")
    index: str = Field(
        "index.html",
        pattern=r"^[A-Za-z0-9._~-]+$",
        description="The index document of a website: what `/` and `/folder/` show.",
    )
    error: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$",
        description="The key of a website's error document, shown with status 404.",
    )
    upstream: Upstream | None = Field(
        None, description="The HTTP server the bytes come from, such as http://127.0.0.1:3000."
    )
    upstream_host: Host | None = Field(
        None, description="The Host that the upstream is asked with; without it, the upstream URL's own."
    )
    upstream_proto: Literal["http", "https"] = Field(
        "https", description="The X-Forwarded-Proto that the upstream is told."
    )
    access: Literal["anonymous", "key"] = Field(
        "anonymous",
        description="`key` reads the bucket with the edge key's own rights: ACLs do not apply there.",
    )
    strip: Literal["auto", "always"] = Field(
        "auto", description="`always` strips metadata from stored bytes for clients that name no format, too."
    )
    copyright: bool = Field(False, description="Keep copyright metadata in renderings.")
    downstream_vary: bool = Field(False, description="Negotiate also for requests that come through another CDN.")
    hints: bool = Field(
        False,
        description="Listen to client hints: Save-Data, Sec-CH-DPR, Sec-CH-Width and Sec-CH-Viewport-Width (and the "
        "older names without Sec-CH-); then Vary names them.",
    )
    dialect: Literal["imgproxy", "thumbor", "pict-rs"] | None = Field(
        None, description="Read this site's URLs as those of another image server instead of our own grammar."
    )
    dialect_key: str | None = Field(
        None, repr=False, description="The key that a dialect's URLs are signed with (imgproxy: in hex)."
    )
    dialect_salt: str | None = Field(None, repr=False, description="imgproxy's salt, in hex.")
    dialect_signature: int = Field(
        32, ge=8, le=32, description="imgproxy's signature size: how many bytes of a signature count."
    )
    dialect_unsigned: bool = Field(
        False,
        description="Answer imgproxy's and thumbor's URLs without a signature, too: for anybody, any size.",
    )
    cors: str = Field("*", description="Access-Control-Allow-Origin; empty adds none.")
    revalidate: Seconds | None = Field(None, description="Overrides edge.revalidate for this site, in seconds.")
    referers: tuple[Host, ...] = Field(
        (),
        description="Hosts whose pages, beside the site's own, may show what this site has; without any, all may.",
    )
    presets: tuple[Preset, ...] = Field(
        (), description="Named variants, such as thumb:w=200&h=200&fit=cover, which `?preset=thumb` asks for."
    )
    variants: Literal["any", "named"] = Field(
        "any", description="`named` makes no variants but presets and those of signed URLs."
    )
    sign_keys: tuple[SignKey, ...] = Field(
        (),
        repr=False,
        description="Keys that sign variant URLs (`facet sign`), of at least 16 characters; the first one signs, all "
        "are accepted.",
    )
    purge_secret: str | None = Field(
        None, min_length=8, repr=False, description="The secret that allows purging; without one nobody can."
    )

    @model_validator(mode="after")
    def one_source(self) -> Self:
        """A site has a bucket or an upstream; which of them, its kind says."""
        if (self.bucket is None) == (self.upstream is None):
            raise ValueError("needs either bucket or upstream, and not both")
        if self.kind in (SiteKind.ASSETS, SiteKind.PASS_THROUGH) and self.upstream is None:
            raise ValueError(f"of kind {self.kind} needs upstream, such as http://127.0.0.1:3000")
        if self.kind is SiteKind.WEBSITE and self.bucket is None:
            raise ValueError("of kind website needs bucket")
        if self.endpoint is not None and self.bucket is None:
            raise ValueError("needs bucket where it has endpoint")
        if self.access_key is not None and self.endpoint is None:
            raise ValueError("needs endpoint where it has access_key: the origin is read with the edge key")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key must be given together")
        return self

    @model_validator(mode="after")
    def readable_dialect(self) -> Self:
        """What renders has hints and a dialect; a signed dialect has a key that can be read."""
        if (self.hints or self.dialect) and self.kind is not SiteKind.MEDIA:
            raise ValueError("hints and dialect are for sites of kind media")
        for name in ("dialect_key", "dialect_salt"):
            if self.dialect == "imgproxy" and not is_hex(getattr(self, name) or ""):
                raise ValueError(f"{name} must be in hex, such as 943b421c9eb07c83")
        if self.dialect in ("imgproxy", "thumbor") and not (self.dialect_key or self.dialect_unsigned):
            raise ValueError(f"dialect {self.dialect} needs dialect_key, or dialect_unsigned = true")
        return self


def is_hex(text: str) -> bool:
    """Whether a text is bytes in hex."""
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
