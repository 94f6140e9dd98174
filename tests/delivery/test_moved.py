"""A feature that moved is judged by what the move did to the model."""

from __future__ import annotations

import numpy as np

from bluegold.delivery.gates.gate_2_feature import _moved
from bluegold.delivery.moved import gap_where_moved
from bluegold.features.profile import FeatureProfile

BEFORE = FeatureProfile(name="temp", kind="number", edges=(10.0, 20.0), shares=(0.45, 0.45, 0.1, 0.0), missing=0.0)


def season(rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Most rows in the hot bin, where the model says 0.3 and the truth is ``rate``."""
    random = np.random.default_rng(2)
    column = random.choice([5.0, 15.0, 25.0], 3_000, p=[0.1, 0.2, 0.7])
    labels = random.random(3_000) < np.where(column > 20, rate, 0.3)
    return column, labels - np.full(3_000, 0.3)


def test_a_season_that_the_model_knows_is_no_reason_to_refuse() -> None:
    gap = gap_where_moved(BEFORE, *season(0.3))
    assert gap.harmless
    assert _moved("temp", 1.5, 0.9, gap, 3_000).verdict == "pass"
    assert _moved("temp", 1.9, 0.9, None, 3_000).verdict == "fail", "without an answer the limit stands"


def test_a_move_that_misleads_the_model_is_refused_even_inside_a_wide_limit() -> None:
    gap = gap_where_moved(BEFORE, *season(0.5))
    assert gap.harmful
    found = _moved("temp", 1.5, 9.0, gap, 3_000)
    assert (found.verdict, "from the scores" in found.note) == ("fail", True)


def test_another_quantity_is_refused_whatever_the_model_says() -> None:
    found = _moved("temp", 3.0, 0.4, gap_where_moved(BEFORE, *season(0.3)), 3_000)
    assert (found.verdict, "wrong unit" in found.note) == ("fail", True)
