"""The one error that stops a start, worded for the person who has to mend it."""

from __future__ import annotations


class StartError(Exception):
    """A start that cannot go on.

    The message is one line that names the setting or file, what is wrong with it and what to do.
    Commands print it after `facet: ` on stderr and exit with status 2.
    """
