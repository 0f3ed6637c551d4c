"""The origin's commands, one module for each noun."""

from __future__ import annotations

import click

from origin.commands.backup import backup, backups, restore
from origin.commands.blobs import blobs
from origin.commands.bucket import bucket
from origin.commands.key import key
from origin.commands.keyring import keyring
from origin.commands.migrate import migrate
from origin.commands.serve import origin
from origin.commands.upkeep import fsck, gc, scrub

COMMANDS: list[click.Command] = [
    origin,
    key,
    keyring,
    bucket,
    blobs,
    migrate,
    gc,
    fsck,
    scrub,
    backup,
    backups,
    restore,
]
