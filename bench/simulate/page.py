"""docs/simulation.md: the simulator's results, and what they mean for instances of three sizes.

The rule of this file: figures on the page are computed here, in this run; only the sentences are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.simulate.growth import MEAN, Instance, grow
from bench.simulate.herd import origin_requests
from bench.simulate.model import POLICIES, Outcome, simulate
from bench.svg import lines
from bench.trace import Asked, Media, library, requests

CACHE_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
NODES = (1, 2, 4, 8, 16)
USERS = (1_000, 100_000, 10_000_000)
PAGES_A_DAY, REQUESTS_A_PAGE, BROWSER_SHARE, PEAK = 20, 22, 0.7, 3
"""An active user's pages (assumed), media on a page and browsers' share (bench/trace.py), peak by mean (assumed)."""
YEAR = 365
TB = 1e12


@dataclass(frozen=True)
class Scale:
    """How large the simulated library and trace are."""

    keys: int
    requests: int


class Results:
    """All simulations of a page; `step` is told what runs."""

    def __init__(self, scale: Scale, step: Callable[[str], None]) -> None:
        self.media: list[Media] = library(scale.keys)
        self.trace: list[Asked] = list(requests(self.media, scale.requests))
        self.bytes = sum(media.size for media in self.media)
        self._skip = scale.requests // 4
        self.by_size: dict[str, list[tuple[float, Outcome]]] = {}
        for policy in POLICIES:
            for share in CACHE_SHARES:
                step(f"{policy}, a cache of {share:.0%}")
                self.by_size.setdefault(policy, []).append((share, self._run(policy, share)))
        self.by_nodes: dict[str, list[tuple[int, Outcome]]] = {"hash": [], "any": []}
        for nodes in NODES:
            step(f"{nodes} nodes")
            self.by_nodes["hash"].append((nodes, self._run("S3-FIFO", 0.1, nodes)))
            self.by_nodes["any"].append((nodes, self._run("S3-FIFO", 0.1, nodes, spread=True)))

    def _run(self, policy: str, share: float, nodes: int = 1, *, spread: bool = False) -> Outcome:
        limit = int(self.bytes * share / nodes)
        return simulate(self.trace, policy, limit, nodes, "any" if spread else "hash", self._skip)

    def plots(self) -> dict[str, str]:
        """File name → SVG."""
        sizes = {
            policy: [(100 * share, 100 * found.hit_ratio) for share, found in points]
            for policy, points in self.by_size.items()
        }
        loads = {
            policy: [(100 * share, 100 * found.origin_share) for share, found in points]
            for policy, points in self.by_size.items()
        }
        names = {"hash": "a key has one home node", "any": "requests go to any node"}
        nodes = {
            names[routing]: [(float(count), 100 * found.hit_ratio) for count, found in points]
            for routing, points in self.by_nodes.items()
        }
        across = "cache, % of the library's bytes"
        return {
            "simulation-hits.svg": lines("Hits by cache size", across, "% of requests", sizes, top=100),
            "simulation-origin.svg": lines("Origin load by cache size", across, "bytes from it, % of asked", loads),
            "simulation-nodes.svg": lines("Hits by nodes, 10 % cache in all", "nodes", "% of requests", nodes, top=100),
        }


def markdown(results: Results, checks: Sequence[str]) -> str:
    """The page."""
    policies = [
        f"| {share:.0%} | " + " | ".join(_pair(points[at][1]) for points in results.by_size.values()) + " |"
        for at, share in enumerate(CACHE_SHARES)
    ]
    nodes = [
        f"| {count} | {_pair(hashed)} | {_pair(results.by_nodes['any'][at][1])} |"
        for at, (count, hashed) in enumerate(results.by_nodes["hash"])
    ]
    herds = [
        f"| {count} | {origin_requests(1000, count, 'none')} | {origin_requests(1000, count, 'node')} "
        f"| {origin_requests(1000, count, 'home')} |"
        for count in NODES
    ]
    readings = [_reading(users, results) for users in USERS]
    return _PAGE.format(
        keys=f"{len(results.media):,}",
        requests=f"{len(results.trace):,}",
        gigabytes=f"{results.bytes / 1e9:,.0f}",
        checks="\n".join(checks),
        names=" | ".join(results.by_size),
        rule="--:|" * len(results.by_size),
        policies="\n".join(policies),
        nodes="\n".join(nodes),
        herds="\n".join(herds),
        growth="\n".join(_growth(users) for users in USERS),
        readings="\n\n".join(readings),
    )


def _pair(found: Outcome) -> str:
    return f"{found.hit_ratio:.1%} ({found.origin_share:.0%})"


def _growth(users: int) -> str:
    last = list(grow(Instance(users), YEAR))[-1]
    alone = list(grow(Instance(users), YEAR, duplicate=0.0))[-1]
    saved = f"{last.stored / TB:,.2f} | {alone.stored / TB:,.2f}"
    return f"| {users:,} | {last.logical / TB:,.2f} | {saved} |"


def _reading(users: int, results: Results) -> str:
    """What an instance of this size needs."""
    instance = Instance(users)
    a_day = users * instance.active * PAGES_A_DAY * REQUESTS_A_PAGE / BROWSER_SHARE
    rate = a_day / 86_400 * PEAK
    stored = list(grow(instance, YEAR))[-1]
    lines_ = []
    for share, found in results.by_size["S3-FIFO"]:
        if share in (0.05, 0.1):
            misses = rate * found.origin_requests / found.requests
            traffic = a_day * found.bytes_asked / found.requests / 1e12
            lines_.append(
                f"- with a disk tier of {share:.0%} ({share * stored.logical / 1e9:,.0f} GB over all nodes): "
                f"{found.hit_ratio:.0%} hits, {misses:,.1f} requests/s at the origin at the peak, "
                f"{traffic * found.origin_share:,.2f} TB a day from it"
            )
    files = stored.logical / MEAN
    return (
        f"### {users:,} users\n\n{a_day / 86_400:,.1f} requests/s on average, {rate:,.0f} at the peak; after a year "
        f"{files / 1e6:,.1f} million files, {stored.logical / TB:,.2f} TB, of which {stored.stored / TB:,.2f} TB are "
        "on the disk.\n\n" + "\n".join(lines_)
    )


_PAGE = """# Simulation

What one machine cannot show: hit ratios and origin load by cache size, eviction policy and number of nodes, a herd
over several nodes, and how a store grows. `python -m bench.simulate` computes everything here and writes this page;
`--check` runs the model's trace through a real `facet up`, too.

The trace is made (`bench/trace.py`), not recorded; no hit ratio of a fediverse media cache has been published that it
could be held against. {keys} files of {gigabytes} GB, {requests} requests, of which the first quarter fills the caches.
Nine in ten go to the newest 5 % of the files by Zipf's law; browsers get renderings of 55 % of the source's size, which
miss on their own, other servers get the source, players parts of a video, which is
kept in slices of 8 MiB. Nothing expires or is purged.

## The model and the real edge

The same trace through a `facet up` of one server process whose disk tier alone decides, and through the model. The
model's eviction is the edge's own code; what is compared is everything around it: the ledger, records, flights.
`tests/bench/test_simulate.py` repeats it with a smaller trace.

| trace | disk tier | real edge | model, S3-FIFO | model, LRU | model, FIFO |
|---|--:|--:|--:|--:|--:|
{checks}

## Cache size and policy

Hits, and in brackets the bytes that came from the origin as a share of those asked for: more than
all of them where many small renderings each need their larger source again. The cache is a share of the library's
bytes.

![Hits by cache size](plots/simulation-hits.svg)

![Origin load by cache size](plots/simulation-origin.svg)

| cache | {names} |
|--:|{rule}
{policies}

## Nodes

A tenth of the library in all, divided by the nodes. *Home*: nginx sends a key to one node (`hash $host$uri consistent`,
[operations](operations.md)); *any*: requests go to the nodes in turn, and every node keeps what the others have.

![Hits by nodes](plots/simulation-nodes.svg)

| nodes | home | any |
|--:|--:|--:|
{nodes}

## A herd

1,000 clients ask within two seconds for a file that no node has, a fill takes half a second: requests at the origin.

| nodes | without flights | flights, any node | flights, home node |
|--:|--:|--:|--:|
{herds}

## Storage

After a year, in TB. Files of other servers are kept 14 days. The bytes saved are those of stores that several servers
share (55 %, Jortage); a server alone has fewer duplicates, so its own figure lies between the last two columns.
Sealing adds 28 bytes for every 64 KiB. The other assumptions are the fields of `bench/simulate/growth.py`.

| users | as the applications count | on the disk, 55 % joined | on the disk, nothing joined |
|--:|--:|--:|--:|
{growth}

## What it means

An active user (a fifth of all) is taken to load 20 pages a day with 22 media each; the peak is three times the mean.
The hit ratios are those of the simulated library: by shares of its bytes they carry over to other sizes as far as
readers keep to the newest 5 % there, too. What a core serves is on the page of [benchmarks](benchmarks.md).

{readings}

Readings: the policy matters most where the cache is smallest, and none of the three saves a cache that is too small.
Several nodes need a home for every key: without it, adding nodes to the same disk makes every node's cache smaller, and
each of them asks the origin once more. With flights and a home a herd costs the origin one request, however many nodes.
"""
