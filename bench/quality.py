"""How our renderings look beside others': score, bytes and CPU milliseconds on a folder of photographs.

    python -m bench.quality --photos DIR [--sizes 500,1280] [--formats jpeg,webp,avif] [--sharp FOLDER] [--scenes]

Every result is compared with the whole source reduced by Lanczos 3 in linear light, and in a second column with the
same in gamma space, which flatters those who resize there. Needs `pip install ssimulacra2`; --sharp names a folder
where `npm install sharp` was run. A source is used for the sizes that are smaller than its longer side.
"""

from __future__ import annotations

import argparse
import contextlib
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
    parser.add_argument("--scenes", action="store_true", help="also text and flat art made by code")
    asked = parser.parse_args()
    pyvips.cache_set_max(0)
    with contextlib.ExitStack() as stack:
        makers: dict[str, rivals.Maker] = {"facet": facet, "shrinking": rivals.shrinking, "vips": rivals.thumbnail}
        if asked.sharp:
            makers["sharp"] = stack.enter_context(rivals.sharp(asked.sharp))
        groups = {"photographs": sorted(path for path in asked.photos.iterdir() if path.suffix in (".jpg", ".png"))}
        if asked.scenes:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for name, make in SCENES.items():
                make().write_to_file(str(folder / name))
            groups["scenes"] = [folder / name for name in SCENES]
        for title, paths in groups.items():
            report(title, paths, [int(size) for size in asked.sizes.split(",")], asked.formats.split(","), makers)


def report(title: str, paths: list[Path], sizes: list[int], forms: list[str], makers: dict[str, rivals.Maker]) -> None:
    """Measure, and print one table a size and group of sources."""
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
        for group, count in sorted(counts.items()):
            print(f"\n{title}, {count} of {group}, longer side → {size} px\n")
            print("| format | maker | score | against gamma | KB | CPU ms |\n|---|---|---|---|---|---|")
            for (of, form, name), row in cells.items():
                if of == group:
                    print(
                        f"| {form} | {name} | "
                        + " | ".join(f"{statistics.mean(c):.1f}" for c in zip(*row, strict=True))
                        + " |"
                    )


if __name__ == "__main__":
    main()
