"""Whether the time of a PUT tells that its bytes were known: `python -m bench.known [--puts N] [--size BYTES]`.

The rule of this file: known and new bytes take turns on one connection, and ranks are compared (Mann and Whitney), so
neither the machine's drift nor a few slow requests decide. That both take the same steps is a test's to say
(`tests/origin/storage/test_known.py`); this is what a clock sees of them.
"""

from __future__ import annotations

import http.client
import math
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.origins import Origin, origin

KNOWN = 20
"""Distinct bodies that are there before."""
WARM = 40
TELLS = 3.3
"""Standard deviations at which ranks would differ once in a thousand runs although there is nothing to tell."""


def deviation(one: Sequence[float], other: Sequence[float]) -> float:
    """By how many standard deviations the ranks of `one` among all are higher than chance would have them."""
    ranked = sorted([(value, True) for value in one] + [(value, False) for value in other])
    ranks = sum(rank for rank, (_, mine) in enumerate(ranked, start=1) if mine)
    n, m = len(one), len(other)
    above = ranks - n * (n + 1) / 2
    return (above - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


def measure(one: Origin, puts: int, size: int) -> tuple[list[float], list[float]]:
    """Seconds of PUTs of known and of new bytes, one after the other."""
    known = [os.urandom(size) for _ in range(KNOWN)]
    names = [f"known/{number}" for number in range(KNOWN)] + [f"{number:08}" for number in range(WARM + puts)]
    targets = one.targets("put_object", names)
    connection = http.client.HTTPConnection(*one.address)
    seconds: list[float] = []
    for number, target in enumerate(targets):
        again = number >= KNOWN and number % 2
        body = known[number // 2 % KNOWN] if again else known[number] if number < KNOWN else os.urandom(size)
        began = time.perf_counter()
        connection.request("PUT", target, body=body)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - began)
        assert answer.status == 200, answer.status
    measured = seconds[KNOWN + WARM :]
    return measured[1::2], measured[0::2]


@click.command()
@click.option("--puts", default=1000, show_default=True)
@click.option("--size", default=100_000, show_default=True, help="Bytes of a body; those in the catalog have no twins.")
def main(puts: int, size: int) -> None:
    """Print medians and what ranks say of them; the exit status is 1 where known bytes can be told from new ones."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".known-") as folder, origin(Path(folder)) as one:
        known, new = measure(one, puts, size)
    away = deviation(known, new)
    table = Table("PUT", "median ms", "p99 ms", title=f"{puts} PUTs of {size:,} bytes, known and new in turn")
    for name, values in (("known", known), ("new", new)):
        ordered = sorted(values)
        table.add_row(name, f"{statistics.median(ordered) * 1e3:.2f}", f"{ordered[len(ordered) * 99 // 100] * 1e3:.2f}")
    Console().print(table, f"ranks differ by {away:.2f} standard deviations; {TELLS} would tell")
    if abs(away) > TELLS:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
