"""Repeats across frames are those that a set of all rows before would find."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from bluegold.features import continuity
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


def test_many_frames_are_remembered_for_a_generation_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuity, "GENERATION", 2_000)
    draw = np.random.default_rng(6)
    watch = Continuity(("a",))
    seen: list[int] = []
    for _ in range(150):
        values = draw.integers(0, 30_000, 60).tolist()
        found = {mark.name: mark.to_list() for mark in watch.judge(pl.DataFrame({"a": values}))}
        marks = found.get(REPEATED, [False] * 60)
        for value, marked in zip(values, marks, strict=True):
            assert marked <= (value in seen)
            assert marked >= (value in seen[-2_000:])
            seen.append(value)
