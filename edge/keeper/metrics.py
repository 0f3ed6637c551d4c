"""What the keeper counts, under the names that /metrics shows.

The rule of this file: every metric is here with its unit and sentence, and labels are bounded: site names come
from the settings, tiers and reasons from closed lists. Server processes report their counts over the link.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """The counters of one node, on a registry of their own (tests make as many as they like)."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"facet_edge_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"facet_edge_{name}", text, labels, registry=registry)

        self.hits = counter("hits", "Requests answered from a tier: memory or disk.", "site", "tier")
        self.misses = counter("misses", "Requests that needed the keeper.", "site", "reason")
        self.fills = counter("fills", "Requests to an upstream, by outcome.", "site", "outcome")
        self.fill_bytes = counter("fill_bytes", "Body bytes received from upstreams.", "site")
        self.renders = counter("renders", "Renderings, by outcome.", "site", "outcome")
        self.provisional = counter("provisional", "Renderings that were made fast and may be made better.")
        self.rerenders = counter("rerenders", "Provisional renderings that were made again, by outcome.", "outcome")
        self.rerender_saved_bytes = counter(
            "rerender_saved_bytes", "Bytes by which renderings that were made again are smaller than the first ones."
        )
        self.spared_bytes = counter(
            "spared_bytes",
            "Bytes that hits needed less than with the first renderings, where better ones came.",
            "site",
        )
        self.saved_bytes = counter("saved_bytes", "Bytes that sources were larger than what was sent.", "site")
        self.stale = counter("stale", "Answers given although they were stale.", "site")
        self.purges = counter("purges", "Purges, by what was purged and who asked.", "scope", "by")
        self.evictions = counter("evictions", "Bodies removed from the disk tier to make room.")
        self.evicted_bytes = counter("evicted_bytes", "Bytes of those bodies.")
        self.refusals = counter("store_refusals", "Bodies passed through for lack of room on the disk.")
        self.damaged = counter("damaged", "Stored bodies that failed their checksum and were removed.")
        self.disk_bytes = gauge("disk_bytes", "Bytes of the disk tier in use, temporaries included.")
        self.disk_limit_bytes = gauge("disk_limit_bytes", "What the disk tier may use.")
        self.feed_events = counter("feed_events", "Events read from the origin's feed.")
        self.feed_gaps = counter("feed_gaps", "Times the feed's cursor was lost and everything was revalidated.")
        self.feed_lag_seconds = gauge("feed_lag_seconds", "Age of the last event when it was applied.")
        self.feed_connected = gauge("feed_connected", "1 while the origin's feed answers.")
        self.breaker_open = gauge("breaker_open", "1 while the breaker of an upstream host is open.", "host")
