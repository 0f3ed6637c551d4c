"""Owners and their access keys. Secrets are sealed at rest and cached in clear in this process only."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from origin.catalog.contract import Tables
from origin.catalog.rows import KeyRow, OwnerRow
from origin.seal.keyring import NONCE_BYTES
from origin.service.describe import owner_of
from origin.service.model import Key, Owner, Permission, ServiceError
from origin.service.policy import Malformed, read_key_policy
from origin.service.stores import Stores

_SECRET = "access key secret"  # noqa: S105  (the name of a column, not a secret)
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_ACCESS_KEY = re.compile(r"[A-Za-z0-9._@-]{3,128}")
UNKNOWN = 10_000
"""The most access keys remembered as unknown: a guesser must not fill memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key just made: the only time its secret leaves the service in clear."""

    key: Key
    secret: str = field(repr=False)


class Keys:
    """`Service.keys`: what `facet key` and the authenticating part of every protocol ask."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._known: dict[str, tuple[Key, str] | None] = {}
        self._changes = 0

    async def secret(self, access_key: str) -> tuple[Key, str] | None:
        """The key and its secret, None where there is no such key. Cached: costs no I/O when it is known."""
        if access_key in self._known:
            return self._known[access_key]
        changes = self._changes
        row = await self._stores.read(lambda tables: tables.owners.key(access_key))
        answer = None if row is None else (_key_of(row), self._open(row))
        # What was read before a change is not remembered after it.
        if changes == self._changes and (answer is not None or len(self._known) < UNKNOWN):
            self._known[access_key] = answer
        return answer

    def _open(self, row: KeyRow) -> str:
        return self._stores.keys.open(_SECRET, row.access_key.encode(), row.secret).decode()

    def generate(self) -> tuple[str, str]:
        """A new access key (20 characters) and secret (40), known to nobody yet.

        Letters and digits only: a secret that begins with "-" looks like an option to command-line tools.
        """
        name = "FK" + base64.b32encode(self._stores.random(15)).decode()[:18]
        return name, base64.b64encode(self._stores.random(30), altchars=b"FK").decode()

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

        `policy` is an IAM-style document; it only narrows what the permissions give.
        Raises ServiceError: InvalidArgument (a name, permission or policy that is none), KeyExists.
        """
        _check(owner, access_key, secret_key, permissions, policy)
        generated = self.generate()
        name, secret = access_key or generated[0], secret_key or generated[1]
        owner_id = self._stores.random(32).hex()
        now = self._stores.clock()
        sealed = self._stores.keys.seal(_SECRET, name.encode(), secret.encode(), self._stores.random(NONCE_BYTES))

        def transact(tables: Tables) -> KeyRow:
            if tables.owners.key(name) is not None:
                raise ServiceError("KeyExists", f"There is an access key {name} already.", access_key=name)
            mine = tables.owners.named(owner)
            if mine is None:
                mine = OwnerRow(owner_id, owner, owner)
                tables.owners.add(mine, now)
            row = KeyRow(
                access_key=name,
                owner=mine,
                secret=sealed,
                permissions=tuple(sorted(permissions)),
                buckets=None if buckets is None else tuple(sorted(buckets)),
                allow_delete=tuple(allow_delete),
                policy=policy,
                created=now,
            )
            tables.owners.add_key(row)
            return row

        key = _key_of(await self._stores.write(transact))
        self._changes += 1
        self._known[name] = (key, secret)
        return NewKey(key=key, secret=secret)

    async def introduce(self, name: str, owner_id: str | None, display: str | None, email: str) -> None:
        """Make an owner of that name known, where there is none yet. Raises ServiceError InvalidArgument (the id)."""
        made = owner_id or self._stores.random(32).hex()
        now = self._stores.clock()

        def transact(tables: Tables) -> None:
            if tables.owners.named(name) is not None:
                return
            if tables.owners.with_id(made) is not None:
                raise ServiceError("InvalidArgument", f"There is another owner with the id {made}.")
            tables.owners.add(OwnerRow(made, name, display or name), now, email)

        await self._stores.write(transact)

    async def list(self) -> tuple[Key, ...]:
        """Every key, by owner name and access key."""
        return tuple(_key_of(row) for row in await self._stores.read(lambda tables: tables.owners.keys()))

    async def remove(self, access_key: str) -> bool:
        """Forget a key at once. False where there was none."""
        removed = await self._stores.write(lambda tables: tables.owners.remove_key(access_key))
        self._changes += 1
        self._known.pop(access_key, None)
        return removed

    async def owners(self) -> tuple[Owner, ...]:
        """Every owner, by name."""
        return tuple(owner_of(row) for row in await self._stores.read(lambda tables: tables.owners.all()))


def _check(
    owner: str, access_key: str | None, secret_key: str | None, permissions: Collection[str], policy: str | None
) -> None:
    known = {permission.value for permission in Permission}
    if _OWNER.fullmatch(owner) is None:
        raise ServiceError("InvalidArgument", f"{owner!r} is not an owner's name: letters, digits and . _ @ - only.")
    if access_key is not None and _ACCESS_KEY.fullmatch(access_key) is None:
        raise ServiceError("InvalidArgument", "An access key has 3 to 128 letters, digits and . _ @ - only.")
    if secret_key is not None and len(secret_key) < 8:
        raise ServiceError("InvalidArgument", "A secret key has at least 8 characters.")
    if not permissions or not set(permissions) <= known:
        raise ServiceError("InvalidArgument", f"Permissions are of {', '.join(sorted(known))}.")
    if policy is not None:
        try:
            read_key_policy(policy)
        except Malformed as error:
            raise ServiceError("InvalidArgument", f"The policy is none: {error}.") from error


def _key_of(row: KeyRow) -> Key:
    return Key(
        access_key=row.access_key,
        owner=owner_of(row.owner),
        permissions=frozenset(row.permissions),
        buckets=None if row.buckets is None else frozenset(row.buckets),
        allow_delete=row.allow_delete,
        policy=row.policy,
    )
