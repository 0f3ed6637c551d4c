"""The page made from the operation table: docs/s3.md. `make docs` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from origin.api.s3.probes import PROBES
from origin.service.actions import action
from origin.service.operations import TABLE, Level, Operation

_ROOT = Path(__file__).resolve().parent.parent
_HEAD = """# S3 operations

What Facet does for each operation of the Amazon S3 API. *yes* is implemented as AWS documents it; *not configured* is
answered as AWS answers for a bucket where it was never set; *no* is refused with `NotImplemented` (501) and changes
nothing. A sub-resource that is in no row is refused too. "Permission" is what the access key needs (`facet key add
--allow`), "action" the name in bucket policies and key policies.

Signatures: version 4 (headers, presigned URLs, POST forms, signed and unsigned chunks, trailers) and version 2
(headers, presigned URLs, POST forms; `origin.sigv2 = false` turns it off). Keys with `//`, `+`, `%`, dots and any
UTF-8 are kept as they are.

Encryption: everything is sealed with the master key (docs/security.md), which SSE-S3 names. SSE-KMS adds a seal under
one of the keys that `encryption.kms_keys` names; any other id is `KMS.NotFoundException`. SSE-C adds one under the
client's own key, which every request for the bytes must bring, over HTTPS. Reading with a wrong key is `AccessDenied`,
without one, or with one that the object does not have, `InvalidRequest`.

Storage classes are names: kept, returned, changed by lifecycle transitions; everything stays readable at once, so
archived objects say that they are restored (`x-amz-restore`), and RestoreObject has nothing to do.

CreateBucket for a bucket that the caller owns already is 200 and changes nothing, as in us-east-1; with another ACL it
is `BucketAlreadyExists`, in other regions `BucketAlreadyOwnedByYou`.

## Test profile

What conformance suites need is set in a file and nowhere else:

    [origin]
    lifecycle_day = 10                   # a day of lifecycle rules lasts ten seconds; object lock ignores it

    [encryption]
    sse_c_over_http = true               # customers' keys over plain HTTP
    kms_keys = ["testkey-1", "testkey-2"]

    [[accounts]]                         # an owner with a fixed id and key; one table for each
    name = "main"
    id = "1111111111111111111111111111111111111111111111111111111111111111"
    display = "Main"
    email = "main@example.com"
    access_key = "MAINACCESSKEY"
    secret_key = "main-secret-key"

With such days objects also move to colder classes before 30 days and below 128 KiB, which AWS forbids.
`website.domains` names the website endpoints (docs/websites.md), `destinations` the webhooks that ARNs of event
notifications lead to (docs/notifications.md).

`facet up --config FILE` makes these owners and keys at each start. Lists of accounts and keys may also come as
`FACET_ACCOUNTS` (JSON) and `FACET_ENCRYPTION_KMS_KEYS`.

This page is made from `origin/service/operations.py` by `make docs`.
"""
_TITLES = {Level.SERVICE: "Service", Level.BUCKET: "Buckets", Level.OBJECT: "Objects"}


def s3_page() -> str:
    """docs/s3.md."""
    parts = [_HEAD]
    for level in Level:
        parts.append(f"\n## {_TITLES[level]}\n\n| Operation | Request | Supported | Permission | Action |\n")
        parts.append("| --- | --- | --- | --- | --- |\n")
        parts += [_row(operation) for operation in _of(level)]
    return "".join(parts)


def _of(level: Level) -> Iterator[Operation]:
    return (operation for operation in TABLE if operation.level is level)


def _row(operation: Operation) -> str:
    request = f"`{operation.method}{' ?' + operation.subresource if operation.subresource else ''}`"
    said = f"{request} {operation.selector}".rstrip()
    state = "yes" if operation.supported else "not configured" if operation.name in PROBES else "no"
    name = f"`{action(operation, version=False)}`"
    return f"| {operation.name} | {said} | {state} | `{operation.permission}` | {name} |\n"


def main() -> None:
    """Write the page into the checkout."""
    (_ROOT / "docs" / "s3.md").write_text(s3_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
