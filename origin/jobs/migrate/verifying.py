"""Reading back what was copied (`facet migrate --verify`)."""

from __future__ import annotations

import hashlib

from origin.catalog.rows import BucketRow
from origin.service.adopting import as_owner, has_mark
from origin.service.describe import digests_of
from origin.service.model import Caller, ServiceError
from origin.service.service import Service
from origin.service.version_ids import shown_id
from wire import checksums


async def read_back(service: Service, bucket: BucketRow, key: str, mark: str) -> str | None:
    """Why the stored bytes of a version are not those of its ETag or its checksum; None where they are."""
    rows = await service.adoption.history(bucket.name, key)
    row = next((row for row, _ in rows if has_mark(row, mark)), None)
    if row is None:
        return "it is not here any more"
    caller = Caller(key=as_owner(bucket), secure=True)
    version = shown_id(bucket, row.version_id)
    digests = digests_of(service.stores, row)
    running = {name: checksums.ALGORITHMS[name].start() for name in digests.checksums}
    try:
        _, sizes = await service.objects.attributes(caller, bucket.name, key, version)
        md5s = [hashlib.md5(usedforsecurity=False) for _ in sizes]
        part, left = 0, sizes[0]
        async with await service.objects.open(caller, bucket.name, key, version) as reading:
            async for chunk in reading.chunks():
                piece = memoryview(chunk)
                for checksum in running.values():
                    checksum.update(piece)  # type: ignore[arg-type]  # every algorithm takes any buffer
                while piece:
                    while not left:
                        part, left = part + 1, sizes[part + 1]
                    md5s[part].update(piece[:left])
                    piece, left = piece[left:], max(0, left - len(piece))
    except ServiceError as error:
        return f"reading it back: {error.message} ({error.code})"
    made = [md5.digest() for md5 in md5s]
    whole = hashlib.md5(b"".join(made), usedforsecurity=False).hexdigest()
    if digests.etag == (made[0].hex() if digests.parts is None else f"{whole}-{len(made)}"):
        return None
    said = digests.checksums if digests.checksum_type == "FULL_OBJECT" else {}
    if said and all(checksums.encode(running[name].digest()) == value for name, value in said.items()):
        return None
    return "what was read back is not what its ETag says"
