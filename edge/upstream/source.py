"""Where a site's bytes come from: the one question that a fill asks, whatever answers it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from edge.policy.negotiate import CDN_LOOP_TOKEN
from edge.upstream.http import UpstreamAnswer

USER_AGENT = "Facet"


class Source(Protocol):
    """An upstream of one site."""

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Ask for a request target (raw path and query, sent as written) with these headers added, or in place of ours.

        Entering the context raises UpstreamFailed where no answer begins.
        """
        ...


def own_headers(host: str) -> dict[str, str]:
    """What every request of ours says."""
    return {"Host": host, "User-Agent": USER_AGENT, "CDN-Loop": CDN_LOOP_TOKEN}
