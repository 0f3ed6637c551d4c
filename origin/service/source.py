"""The plaintext of one manifest, piece by piece.

The rule of this file: no byte is returned whose frame did not authenticate, and none that the row's length does not
cover. Rows are looked up as the read goes on, a window at a time, so a read of any length takes bounded memory; the
collector keeps rows and files because the read is announced.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import structlog

from origin.blobs.contract import BlobMissing, BlobReader
from origin.catalog.rows import BlobRow, ManifestRow, SegmentRow
from origin.seal.frames import FRAME, HEADER, Damaged, Opener, covering, stored_range
from origin.seal.keyring import KEY_BYTES, Wrapped, WrongKey
from origin.seal.vault import OVERHEAD, Vault
from origin.service.rooms import Rooms
from origin.service.stores import Stores

PIECE = 1024 * 1024
"""Bytes opened in one hop to a thread, which costs 0.1 ms; opening them takes 0.15 ms (2 cores, 2026-11)."""
WARM = 512 * 1024
"""Bytes of the page cache that are opened in the event loop at once: 0.1 ms, as long as a hop (2 cores, 2026-11)."""
WINDOW = 64 * 1024 * 1024
"""Bytes of a manifest whose segments are looked up at once."""
INLINE = "inline body"
"""The context that inline bodies are sealed in. They are sealed also where blobs are plain."""

_log = structlog.get_logger()


def inline_body(stores: Stores, leaf: ManifestRow, sealed: bytes, vault: Vault | None) -> bytes:
    """The body that a manifest keeps in the catalog; one that is found damaged is flagged. Raises Damaged."""
    reason = "an inline body has not the length of its row"
    try:
        plain = stores.keys.open(INLINE, leaf.seal_id, sealed)
        if len(plain) == leaf.size + OVERHEAD and vault is not None:
            plain = vault.open(leaf.seal_id, plain)
        if len(plain) == leaf.size:
            return plain
    except WrongKey as error:
        reason = str(error)
    _log.error("inline body damaged", manifest=leaf.number, reason=reason)
    stores.catalog.write(lambda tables: tables.bodies.flag(leaf.number))
    raise Damaged(reason)


class Source:
    """Reads one manifest, whose second seal `vault` opens. Its methods block; one thread uses it at a time."""

    def __init__(self, stores: Stores, manifest: ManifestRow, vault: Vault | None = None) -> None:
        self._stores = stores
        self._vault = vault
        self._root = manifest
        self._starts = list(accumulate((size for _, size in manifest.parts), initial=0))
        self._leaf = manifest
        self._base = 0
        self._inline: bytes | None = None
        self._entered = False
        self._window: list[SegmentRow] = []
        self._blob: _OpenBlob | None = None
        self._rooms = Rooms(WARM)

    @property
    def joined(self) -> bool:
        """Whether the manifest is made of parts."""
        return bool(self._root.parts)

    def piece(self, position: int, end: int) -> bytes | bytearray:
        """Between 1 and PIECE bytes from `position`, none from `end` on. Raises Damaged, BlobError, CatalogError."""
        self._enter(position)
        inside, until = position - self._base, min(end - self._base, self._leaf.size)
        if self._inline is not None:
            return self._inline[inside:until]
        segment = self._segment(inside, until)
        if self._blob is None or self._blob.row.id != segment.blob.id:
            self.close()
            self._blob = _OpenBlob(self._stores, segment.blob, self._vault)
        shift = segment.blob_offset - segment.offset
        return self._blob.read(inside + shift, min(until, segment.offset + segment.length) + shift)

    def warm(self, position: int, end: int) -> memoryview | None:
        """As `piece`, of at most WARM bytes, where they can be had without waiting for anything; else None."""
        blob, inside = self._blob, position - self._base
        if blob is None or not self._window or not 0 <= inside < self._leaf.size:
            return None
        segment = self._window[0]
        if blob.row.id != segment.blob.id or not segment.offset <= inside < segment.offset + segment.length:
            return None
        shift = segment.blob_offset - segment.offset
        return blob.warm(inside + shift, min(end - self._base, segment.offset + segment.length) + shift, self._rooms)

    def close(self) -> None:
        """Let go of the open blob. May be called twice."""
        if self._blob is not None:
            self._blob.close()
            self._blob = None

    def _enter(self, position: int) -> None:
        """Make `_leaf` the manifest that holds `position`: a part's, or the root itself."""
        if self._entered and self._base <= position < self._base + self._leaf.size:
            return
        if self._root.parts:
            index = bisect_right(self._starts, position) - 1
            number, size = self._root.parts[index]
            leaf = self._stores.catalog.read(lambda tables: tables.manifests.get(number))
            if leaf is None or leaf.size != size:
                raise Damaged("a part has not the length of its row")
            self._leaf, self._base = leaf, self._starts[index]
        self._window = []
        self._inline = None
        if self._leaf.inline is not None:
            self._inline = inline_body(self._stores, self._leaf, self._leaf.inline, self._vault)
        self._entered = True

    def _segment(self, inside: int, until: int) -> SegmentRow:
        """The segment that holds byte `inside` of the leaf."""
        while self._window and self._window[0].offset + self._window[0].length <= inside:
            self._window.pop(0)
        if not self._window:
            stop = min(until, inside + WINDOW)
            self._window = self._stores.catalog.read(
                lambda tables: tables.manifests.segments(self._leaf.number, inside, stop)
            )
        if not self._window or self._window[0].offset > inside:
            raise Damaged("a segment is missing from the manifest")
        return self._window[0]


class _OpenBlob:
    """One blob, opened. A blob that is found damaged or missing is flagged, so that nothing joins it."""

    def __init__(self, stores: Stores, row: BlobRow, vault: Vault | None) -> None:
        self._stores = stores
        self.row = row
        self._reader: BlobReader | None = None
        try:
            self._reader = stores.blobs.open(row.id)
            data_key = None
            if row.wrapped is not None and row.key_id is not None:
                data_key = stores.ring.unwrap(Wrapped(row.key_id, row.wrapped), row.id)
                if len(data_key) > KEY_BYTES and vault is not None:
                    data_key = vault.open(row.id, data_key)
            self._opener = Opener(row.id, data_key, row.size, self._reader.read(0, HEADER))
        except (Damaged, BlobMissing) as error:
            self.close()
            raise self._flagged(error) from error

    def read(self, start: int, end: int) -> bytearray:
        """Plaintext from `start`, up to PIECE bytes, ending with a frame or at `end`."""
        assert self._reader is not None
        end = min(end, start - start % FRAME + PIECE)
        first, after = covering(start, end)
        try:
            plain = self._opener.open(first, self._reader.read(*stored_range(first, after, self.row.size)))
        except Damaged as error:
            raise self._flagged(error) from error
        skip = start - first * FRAME
        return plain if len(plain) == end - start else plain[skip : skip + end - start]

    def warm(self, start: int, end: int, rooms: Rooms) -> memoryview | None:
        """As `read`, of at most WARM bytes, where the store gives them without waiting."""
        assert self._reader is not None
        end = min(end, start - start % FRAME + WARM)
        first, after = covering(start, end)
        stored = self._reader.warm(*stored_range(first, after, self.row.size))
        if stored is None:
            return None
        room = rooms.take()
        try:
            self._opener.open_into(first, stored, room)
        except Damaged as error:
            raise self._flagged(error) from error
        skip = start - first * FRAME
        return room[skip : skip + end - start]

    def _flagged(self, error: Exception) -> Damaged:
        _log.error("blob damaged", blob=self.row.id.hex(), reason=str(error))
        row = self.row
        self._stores.catalog.write(lambda tables: tables.blobs.flag(row.number, row.id))
        return Damaged(str(error))

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
