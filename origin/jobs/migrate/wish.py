"""What a migration is asked for."""

from __future__ import annotations

import msgspec

from origin.service.service import ROOT


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the source is, and how it is asked. Without keys it is asked as anybody may."""

    url: str
    bucket: str
    prefix: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    ca_file: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"{self.url} s3://{self.bucket}/{self.prefix}"


class Migration(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`facet migrate`. `rate` is in bytes a second, 0 without a limit."""

    source: Address
    bucket: str
    owner: str = ROOT
    """Who owns the bucket, where it has to be made."""
    owners: dict[str, str] = {}
    """Names of owners here, by their ids at the source."""
    at_once: int = 8
    rate: int = 0
    current_only: bool = False
    quick: bool = False
    """Leave lists and tags of what is here already unasked."""
    delete: bool = False
    verify: bool = False
    dry_run: bool = False
    settings: bool = False
    """Bring the bucket's settings as well."""
