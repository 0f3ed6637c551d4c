"""The wishes of errands: what a command sends, decoded and checked on the other side."""

from __future__ import annotations

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0)]


class _Wish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    pass


class Nothing(_Wish):
    """An errand without choices."""


class Key(_Wish):
    """An access key to be made; what is None is generated, or means no restriction."""

    owner: str
    access_key: str | None = None
    secret_key: str | None = None
    allow: tuple[str, ...] = ("read", "write", "delete")
    buckets: tuple[str, ...] | None = None
    allow_delete: tuple[str, ...] = ()
    policy: str | None = None


class KeyName(_Wish):
    """An access key, by its name."""

    access_key: str


class Check(_Wish):
    """`facet fsck`."""

    repair: bool = False


class Scrub(_Wish):
    """`facet scrub`; `rate` in bytes a second, 0 without a limit."""

    rate: Count = 0
    restart: bool = False


class MasterKey(_Wish):
    """A master key, by its id."""

    id: Annotated[str, msgspec.Meta(min_length=1)] | None = None


class Bucket(_Wish):
    """A bucket, by its name."""

    bucket: str


class Quota(_Wish):
    """A bucket's limits; None is no limit."""

    bucket: str
    objects: Count | None = None
    bytes: Count | None = None


class Backup(_Wish):
    """`facet backup`; `folder` is absolute, as the server may have another present folder than the command."""

    folder: str
    name: str | None = None


class BackupName(_Wish):
    """A backup, by its name."""

    name: str
