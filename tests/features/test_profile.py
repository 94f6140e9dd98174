"""Profiles and drift: nothing where nothing changed, much where something did, with room for seasons."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from bluegold.core.errors import DataError
from bluegold.features.profile import Profile, drift, profile


@pytest.fixture(scope="module")
def matrix(fitted: Any) -> np.ndarray:
    program, clean, tables = fitted
    made: np.ndarray = program.matrix(program.features(clean, tables))
    return made


def test_the_profile_survives_json_and_sums_to_one(fitted: Any, matrix: np.ndarray) -> None:
    found = profile(matrix, fitted[0])
    assert msgspec.json.decode(msgspec.json.encode(found), type=Profile) == found
    assert [feature.name for feature in found.features] == list(fitted[0].names)
    assert all(abs(sum(feature.shares) - 1) < 1e-9 for feature in found.features)
    assert found.features[2].missing == np.isnan(matrix[:, 2]).mean()


def test_no_change_is_no_drift_and_a_shift_is(fitted: Any, matrix: np.ndarray) -> None:
    program = fitted[0]
    found = profile(matrix, program)
    assert max(drift(found, matrix).values()) == 0.0
    changed = matrix.copy()
    amount, kind = program.names.index("amount"), program.names.index("kind")
    changed[:, amount] += 40
    changed[:, kind] = -1.0
    indices = drift(found, changed)
    assert indices["amount"] > found.limits["amount"]
    assert indices["kind"] > found.limits["kind"]
    assert sum(value > 0 for value in indices.values()) == 2


def test_a_season_widens_the_limit(fitted: Any, matrix: np.ndarray) -> None:
    program = fitted[0]
    rows = 4_000
    wide = np.tile(matrix, (7, 1))[:rows]
    amount, hour = program.names.index("amount"), program.names.index("hour")
    wide[:, amount] = np.sin(np.linspace(0, 2 * np.pi, rows)) * 30  # a season
    wide[:, hour] = np.random.default_rng(1).normal(size=rows)  # none
    limits = profile(wide, program).limits
    assert limits["amount"] > 1.0
    assert limits["hour"] == 0.2


def test_no_rows_cannot_be_profiled(fitted: Any, matrix: np.ndarray) -> None:
    with pytest.raises(DataError, match="no rows to profile"):
        profile(matrix[:0], fitted[0])
