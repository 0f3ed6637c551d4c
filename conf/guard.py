"""Settings of what one client, and one picture, may cost."""

from __future__ import annotations

from pydantic import Field

from conf.section import Section


class Guard(Section):
    """What one client may cost the edge, and how many variants one source may have. A client is an IPv4 address or an
    IPv6 /64, taken from X-Forwarded-For where a trusted proxy says it. What a trusted proxy asks for in its own name
    is not limited."""

    requests: int = Field(
        256, ge=1, description="How many requests of one client a server process answers at once; more get 429."
    )
    connections: int = Field(
        512,
        ge=1,
        description="How many connections one address may have to a server process; more are closed. Trusted proxies "
        "may have any number.",
    )
    misses: float = Field(
        100, gt=0, description="How many requests a second of one client may need the keeper, in the long run."
    )
    miss_burst: int = Field(2000, ge=1, description="How many of them may come at once; more get 429 and Retry-After.")
    variants: int = Field(
        128,
        ge=1,
        description="How many renderings of one source are made as asked for; from then on sizes snap to a ladder, and "
        "from twice as many on the nearest stored one is given.",
    )
    retries: float = Field(
        0.1, ge=0, le=1, description="How many requests to an upstream may be retries, as a share of all."
    )
