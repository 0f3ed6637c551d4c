"""Owners and their access keys. Secrets are wrapped at rest and cached in clear in this process only."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from origin.service.model import Key, NewKey, Owner


class Keys:
    """`Service.keys`: what `facet key` and the authenticating part of every protocol ask."""

    async def secret(self, access_key: str) -> tuple[Key, str] | None:
        """The key and its secret, None where there is no such key. Cached: costs no I/O when it is known."""
        raise NotImplementedError

    async def add(
        self,
        *,
        owner: str,
        access_key: str | None = None,
        secret_key: str | None = None,
        permissions: Collection[str] = ("read", "write", "delete"),
        buckets: Collection[str] | None = None,
        allow_delete: Sequence[str] = (),
        policy: str | None = None,
    ) -> NewKey:
        """Make a key (and its owner, where that name is new). Missing halves are generated.

        Raises ServiceError: InvalidArgument (a name, permission or policy that is none), KeyExists.
        """
        raise NotImplementedError

    async def list(self) -> tuple[Key, ...]:
        """Every key, by owner name and access key."""
        raise NotImplementedError

    async def remove(self, access_key: str) -> bool:
        """Forget a key at once. False where there was none."""
        raise NotImplementedError

    async def owners(self) -> tuple[Owner, ...]:
        """Every owner, by name."""
        raise NotImplementedError
