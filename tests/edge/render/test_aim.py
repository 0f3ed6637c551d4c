"""quality=auto: pictures that are hard and easy to encode come out looking alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from demo import pictures
from edge.policy.quality import encoder_quality
from edge.render import likeness, steps
from edge.render.aim import ROUNDS, aimed
from tests.edge.render import oracle
from tests.edge.render.oracle import LIMITS, plan


def grainy() -> Any:
    noise = np.random.default_rng(3).normal(0, 24, (160, 200, 1))
    base = np.linspace(40, 210, 200)[None, :, None] * np.ones((160, 1, 3))
    return oracle.to_vips(np.clip(base + noise, 0, 255).astype(np.uint8))


def smooth() -> Any:
    return pictures.landscape(300, 400).gaussblur(2).cast("uchar").copy_memory()


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif"])
@pytest.mark.parametrize("make", [grainy, smooth])
def test_a_target_is_met_more_closely_than_without_one(form: str, make: Any) -> None:
    image = make()
    source = bytes(image.pngsave_buffer())
    target = 73.0

    def miss(**aim: float) -> float:
        body = steps.render(
            source, plan(image.width, image.height, form, quality=encoder_quality(form, 80), **aim), LIMITS
        )
        return abs(likeness.score(image, oracle.to_vips(oracle.pixels_of(body))) - target)

    assert miss(target=target) <= max(2.0, miss() / 3)


def test_the_same_picture_scores_100_and_worse_ones_less_and_less() -> None:
    image = smooth()
    scores = [likeness.score(image, image.new_from_buffer(image.jpegsave_buffer(Q=q), "")) for q in (95, 80, 50, 20)]
    assert likeness.score(image, image) > 98
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 80 > scores[3]


def test_no_more_encodings_than_allowed_and_none_twice() -> None:
    image = smooth()
    asked: list[int] = []

    def write(quality: int) -> bytes:
        asked.append(quality)
        return bytes(image.jpegsave_buffer(Q=quality))

    aimed(image, 80, 200.0, write)
    assert len(asked) == len(set(asked)) <= ROUNDS[0][1]
    asked.clear()
    aimed(pictures.solid(8, 8, (1, 2, 3)), 80, 70.0, write)
    assert asked == [80]
