"""What the pipeline makes of fixed pictures, in numbers coarse enough to be the same on every processor.

The rule of this file: whoever changes what renderers make raises edge.policy.plan.PIPELINE, so that renderings of
before are no longer found, and records again: `python -m tests.edge.render.fingerprints`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyvips

from demo import pictures
from edge.policy.plan import PIPELINE
from edge.render import steps
from tests.edge.render import oracle
from tests.edge.render.oracle import LIMITS, plan

RECORD = Path(__file__).with_suffix(".json")
SIDE = 8
"""Means of so many fields across and down are kept."""
PIXELS, LENGTH = 1.0, 0.02
"""How far a mean may be off, and a length, as a share: less than any change of the pipeline that can be seen."""


def version() -> str:
    """Of the library that makes the pixels, and of the pipeline."""
    return f"libvips {'.'.join(str(pyvips.version(part)) for part in range(3))}, pipeline {PIPELINE}"


def sources() -> dict[str, bytes]:
    scene = pictures.landscape(480, 640).copy_memory()
    noise = oracle.to_vips(np.random.default_rng(5).integers(0, 256, (150, 200, 4), np.uint8))
    screen = np.full((300, 400, 3), 250, np.uint8)
    screen[20:280:9, 20:380] = (200, 30, 40)
    screen[20:280, 20:380:13] = (30, 40, 200)
    return {
        "photograph": bytes(pictures.photo(480, 640)),
        "large photograph": bytes(pictures.landscape(960, 1280).jpegsave_buffer(Q=90)),
        "png": bytes(scene.pngsave_buffer()),
        "transparent noise": bytes(noise.pngsave_buffer()),
        "screen": bytes(oracle.to_vips(screen).pngsave_buffer()),
        "grey": bytes(scene.colourspace("b-w").jpegsave_buffer(Q=90)),
        "animation": bytes(pictures.animation(96)),
        "drawing": bytes(pictures.drawing()),
        "cmyk": bytes(scene.icc_export(output_profile="cmyk").jpegsave_buffer(Q=90)),
    }


def measured() -> dict[str, list[float]]:
    """For every picture and format the length of its rendering, followed by the means of its fields."""
    found = {}
    for name, source in sources().items():
        for form, changes in (
            ("png", {}),
            ("jpeg", {}),
            ("webp", {"quality": 78}),
            ("avif", {"quality": 62}),
            ("gif", {}),
            ("jpeg", {"fast": True}),
            ("png", {"blur": 2.0, "resize_width": 100, "gravity": (0.5, 1.0)}),
            ("webp", {"animated": True, "target": 70.0}),
        ):
            body = steps.render(source, plan(80, 96, form, **changes), LIMITS)
            pixels = oracle.pixels_of(body).astype(np.float64)
            fields = [part.mean() for row in np.array_split(pixels, SIDE) for part in np.array_split(row, SIDE, axis=1)]
            found[f"{name}, {form} {changes or ''}".strip()] = [len(body), *(round(float(mean), 1) for mean in fields)]
    return found


def main() -> None:
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in measured().items())
    RECORD.write_text(f'{{"version": {json.dumps(version())},\n"renderings": {{\n{rows}\n}}}}\n')


if __name__ == "__main__":
    main()
