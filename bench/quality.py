"""How our renderings look beside others': score, bytes and CPU milliseconds on a folder of photographs.

    python -m bench.quality --photos DIR [--sizes 500,1280] [--formats jpeg,webp,avif] [--scenes] [--json]
        [--sharp FOLDER] [--thumbor PYTHON]

Every result is compared with the whole source reduced by Lanczos 3 in linear light, and in a second column with the
same in gamma space, which flatters those who resize there. Needs `pip install ssimulacra2`; --sharp names a folder
where `npm install sharp` was run, --thumbor a Python that has thumbor. A source is used for the sizes that are smaller
than its longer side.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("VIPS_CONCURRENCY", "1")  # before libvips is loaded

import pyvips

from bench import rivals
from bench.metric import score
from bench.scenes import SCENES
from edge.policy.plan import RenderPlan
from edge.policy.quality import encoder_quality
from edge.render import steps
from edge.render.facts import Limits

LARGE = 2000
"""Sources with a longer side of so many pixels have a table of their own; smaller ones say little about resizing."""

LIMITS = Limits(max_pixels=200_000_000, max_frames=600, memory=4 << 30)


class Cell(NamedTuple):
    """What one maker gave for one source."""

    linear: float
    gamma: float
    kilobytes: float
    milliseconds: float


class Row(NamedTuple):
    """The means of one maker over one group of sources."""

    title: str
    group: str
    sources: int
    size: int
    format: str
    maker: str
    linear: float
    gamma: float
    kilobytes: float
    milliseconds: float
    our_share: float
    """Our bytes, divided by this maker's."""


def facet(path: Path, width: int, height: int, form: str) -> rivals.Made:
    """Our own rendering at quality 80."""
    plan = RenderPlan(
        resize_width=width,
        resize_height=height,
        width=width,
        height=height,
        format=form,
        quality=encoder_quality(form, 80),
    )
    source = path.read_bytes()
    return rivals.timed(lambda: steps.render(source, plan, LIMITS))


def references(path: Path, width: int, height: int) -> tuple[Any, Any]:
    """The source reduced from all its pixels, in linear light and in gamma space."""
    image = pyvips.Image.new_from_file(str(path))
    colour = image.flatten(background=255) if image.hasalpha() else image
    across, down = width / image.width, height / image.height
    linear = colour.colourspace("scrgb").resize(across, vscale=down, kernel="lanczos3").colourspace("srgb")
    gamma = colour.colourspace("srgb").resize(across, vscale=down, kernel="lanczos3")
    return linear.copy_memory(), gamma.copy_memory()


def measure(
    path: Path, size: int, forms: list[str], makers: dict[str, rivals.Maker]
) -> Iterator[tuple[str, str, Cell]]:
    """(format, maker, cell) for one source and one longer side."""
    header = pyvips.Image.new_from_file(str(path))
    scale = size / max(header.width, header.height)
    width, height = max(1, round(header.width * scale)), max(1, round(header.height * scale))
    linear, gamma = references(path, width, height)
    for form in forms:
        for name, make in makers.items():
            body, milliseconds = make(path, width, height, form)
            picture = pyvips.Image.new_from_buffer(body, "").copy_memory()
            yield (
                form,
                name,
                Cell(score(linear, picture), score(gamma, picture), len(body) / 1000, milliseconds),
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.quality")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--sizes", default="500")
    parser.add_argument("--formats", default="jpeg,webp,avif")
    parser.add_argument("--sharp", type=Path)
    parser.add_argument("--thumbor", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON list of rows instead of tables")
    parser.add_argument("--scenes", action="store_true", help="also text and flat art made by code")
    asked = parser.parse_args()
    pyvips.cache_set_max(0)
    with contextlib.ExitStack() as stack:
        makers: dict[str, rivals.Maker] = {"facet": facet, "shrinking": rivals.shrinking, "vips": rivals.thumbnail}
        if asked.sharp:
            makers["sharp"] = stack.enter_context(rivals.sharp(asked.sharp))
        if asked.thumbor:
            makers["thumbor"] = stack.enter_context(rivals.thumbor(asked.thumbor))
        groups = {"photographs": sorted(path for path in asked.photos.iterdir() if path.suffix in (".jpg", ".png"))}
        if asked.scenes:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for name, make in SCENES.items():
                make().write_to_file(str(folder / name))
            groups["scenes"] = [folder / name for name in SCENES]
        sizes, forms = [int(size) for size in asked.sizes.split(",")], asked.formats.split(",")
        rows = [row for title, paths in groups.items() for row in measured(title, paths, sizes, forms, makers)]
    if asked.json:
        print(json.dumps([row._asdict() for row in rows], indent=1))
    else:
        show(rows)


def measured(
    title: str, paths: list[Path], sizes: list[int], forms: list[str], makers: dict[str, rivals.Maker]
) -> Iterator[Row]:
    """The means of each maker over a group of sources, small and large ones apart."""
    for size in sizes:
        cells: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
        counts: dict[str, int] = defaultdict(int)
        for path in paths:
            header = pyvips.Image.new_from_file(str(path))
            longer = max(header.width, header.height)
            if longer <= size:
                continue
            group = f"{LARGE} px and more" if longer >= LARGE else f"less than {LARGE} px"
            counts[group] += 1
            for form, name, cell in measure(path, size, forms, makers):
                cells[group, form, name].append(cell)
        for (group, form, name), found in sorted(cells.items(), key=lambda item: item[0][0]):
            means = Cell(*(statistics.mean(column) for column in zip(*found, strict=True)))
            ours = statistics.mean(cell.kilobytes for cell in cells[group, form, "facet"])
            yield Row(title, group, counts[group], size, form, name, *means, ours / means.kilobytes)


def show(rows: list[Row]) -> None:
    """One table in Markdown for each group and size."""
    for (title, group, count, size), table in itertools.groupby(rows, key=lambda row: row[:4]):
        print(f"\n{title}, {count} of {group}, longer side → {size} px\n")
        print("| format | maker | score | against gamma | KB | CPU ms | our bytes / theirs |")
        print("|---|---|---|---|---|---|---|")
        for row in table:
            numbers = f"{row.linear:.1f} | {row.gamma:.1f} | {row.kilobytes:.1f} | {row.milliseconds:.1f}"
            print(f"| {row.format} | {row.maker} | {numbers} | {row.our_share:.2f} |")


if __name__ == "__main__":
    main()
