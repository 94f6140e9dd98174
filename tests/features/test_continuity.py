"""Repeats across frames are those that a set of all rows before would find."""

from __future__ import annotations

import numpy as np
import polars as pl

from bluegold.features.continuity import REPEATED, Continuity


def test_every_repeat_is_found_and_nothing_else() -> None:
    draw = np.random.default_rng(5)
    watch = Continuity(("a",))
    seen: set[int] = set()
    for _ in range(12):
        values = draw.integers(0, 400_000, 20_000)
        wanted = []
        for value in values.tolist():
            wanted.append(value in seen)
            seen.add(value)
        [marks] = watch.judge(pl.DataFrame({"a": values}))
        assert marks.name == REPEATED
        assert marks.to_list() == wanted
