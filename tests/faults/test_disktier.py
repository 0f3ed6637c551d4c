"""The edge's disk tier after kills and flipped bits, in short; `make soak` has the long form."""

from __future__ import annotations

from pathlib import Path

from tests.faults import disktier


def test_a_killed_keeper_leaves_whole_bodies_or_none_within_the_bound(tmp_path: Path) -> None:
    assert [problem for seed in range(40) for problem in disktier.kill(tmp_path, seed)] == []
    assert disktier.examine(tmp_path, "last")[0], "nothing was ever stored"


def test_a_flipped_bit_is_a_miss_and_never_a_wrong_byte(tmp_path: Path) -> None:
    disktier.refill(tmp_path)
    assert [problem for seed in range(40) for problem in disktier.flip(tmp_path, seed)] == []
