"""Settings of event notifications."""

from __future__ import annotations

from pydantic import Field

from conf.section import Section
from conf.values import Seconds


class Notifications(Section):
    """How event notifications of buckets are delivered to `destinations`."""

    timeout: Seconds = Field(10, gt=0, le=300, description="How long a destination may take to answer, in seconds.")
    backoff: Seconds = Field(
        300, gt=0, description="The longest pause before what failed is tried again, in seconds; the first is one."
    )
    give_up: Seconds = Field(
        86_400,
        gt=0,
        le=6 * 86_400,
        description="How long an event is tried before it is dropped with a line in the log, in seconds.",
    )
