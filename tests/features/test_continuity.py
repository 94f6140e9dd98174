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


@pytest.mark.parametrize(("late", "generation"), [(0, 10**6), (2, 10**6), (25, 10**6), (3, 1_500)])
def test_rows_in_the_order_of_their_moments_are_compared_as_all_others_are(
    monkeypatch: pytest.MonkeyPatch, late: int, generation: int
) -> None:
    monkeypatch.setattr(continuity, "GENERATION", generation)
    draw = np.random.default_rng(late)
    watch = Continuity(("at", "a"), "at")
    seen: list[tuple[int, int]] = []
    met = 0
    for frame in range(60):
        share = 40 if frame == 30 else late  # many at once, in between
        at = np.sort(draw.integers(frame * 50, frame * 50 + 51, 60))
        at[:share] = draw.integers(0, frame * 50 + 1, share)
        rows = pl.DataFrame({"at": at, "a": draw.integers(0, 3, 60)}).with_columns(pl.col("at").cast(pl.Datetime("us")))
        found = {mark.name: mark.to_list() for mark in watch.judge(rows)}
        pairs = list(zip(at.tolist(), rows["a"].to_list(), strict=True))
        for pair, marked in zip(pairs, found.get(REPEATED, [False] * 60), strict=True):
            assert marked <= (pair in seen)
            assert marked >= (pair in seen[-generation:])
            seen.append(pair)
            met += marked
    assert met > 500
