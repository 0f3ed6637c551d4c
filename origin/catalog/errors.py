"""What can be wrong with a catalog, whatever engine keeps it."""

from __future__ import annotations


class CatalogError(Exception):
    """The catalog cannot do what was asked; nothing of it is stored."""


class CatalogFull(CatalogError):
    """No space for the catalog. Later writes may succeed."""


class CatalogReadOnly(CatalogError):
    """The catalog takes no changes now, such as on a file system that was remounted after an error."""


class CatalogBusy(CatalogError):
    """The catalog is short of something that passes (file handles, memory): trying again soon helps."""


class CatalogBroken(CatalogError):
    """A commit failed, so nobody knows what the disk holds: nothing is written until a restart."""


class UnknownSchema(CatalogError):
    """The catalog was written by a newer version of the program."""
