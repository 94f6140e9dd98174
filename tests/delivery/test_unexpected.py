"""Honest seasons pass gate 2; a unit, a sentinel, a shuffled column and a renamed category do not."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from bluegold.core.nouns import Measure
from bluegold.delivery.moved import gap_where_moved
from bluegold.delivery.unexpected import unexpected
from bluegold.features.profile import Profile, drift, nearest_season, profile

ROWS = 8_000
NAMES = ("day", "temp", "humid", "wind", "fare", "site")


class Columns(msgspec.Struct):
    """Names and kinds of columns, as a feature program tells them."""

    names: tuple[str, ...] = NAMES
    kinds: tuple[str, ...] = ("number", "number", "number", "number", "number", "category")


def year(seed: int, first: float, last: float, rows: int = ROWS) -> np.ndarray:
    """Weather in Fahrenheit with a season, wind, a skewed fare and a site with a rare one, in order of time."""
    random = np.random.default_rng(seed)
    day = np.sort(random.uniform(first, last, rows))
    temp = 55 - 25 * np.cos(day / 365 * 2 * np.pi) + random.normal(0, 6, rows)
    humid = 90 - 0.5 * temp + random.normal(0, 6, rows)
    site = random.choice([0.0, 1.0, 2.0], rows, p=[0.6, 0.36, 0.04])
    wind = random.gamma(4, 2.5, rows)
    fare = random.lognormal(3, 0.4, rows) + 8 * site
    return np.column_stack([day, temp.round(1), humid.round(1), wind.round(1), fare.round(2), site])


@pytest.fixture(scope="module")
def training() -> Profile:
    """Nine months; what is later is the autumn."""
    matrix = year(1, 0, 270)
    return Profile.from_json(profile(matrix, Columns()).to_json())  # type: ignore[arg-type]


AUTUMN = year(2, 270, 330, 3_000)


def said(training: Profile, matrix: np.ndarray) -> dict[str, Measure]:
    right = np.zeros(len(matrix))
    return {one.name: one for one in unexpected(training, matrix, right) if one.verdict != "pass"}


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    matrix = AUTUMN.copy()
    matrix[:, NAMES.index(name)] = change(matrix[:, NAMES.index(name)])
    return matrix


def test_an_honest_autumn_passes(training: Profile) -> None:
    assert said(training, AUTUMN) == {}
    season = training.seasons["temp"]
    column = AUTUMN[:, 1]
    feature = training.features[1]
    assert nearest_season(feature, season, column) <= season.limit < training.limits["temp"]


def test_a_wrong_unit_is_another_quantity_even_where_the_season_is_wide(training: Profile) -> None:
    celsius = changed("temp", lambda old: (old - 32) / 1.8)
    [cold] = said(training, celsius).values()
    assert (cold.verdict, "wrong unit" in cold.note) == ("fail", True), "even for a model that does not mind"
    assert drift(training, celsius)["temp"] < 2 * training.limits["temp"], "the wide limit alone would not see it"
    seconds = changed("wind", lambda old: old * 60)
    assert drift(training, seconds)["wind"] > 1.0


@pytest.mark.parametrize(("name", "sentinel"), [("wind", -999.0), ("fare", 9999.0), ("temp", -99.0), ("humid", 0.0)])
def test_a_sentinel_in_a_twentieth_of_the_rows_is_refused(name: str, sentinel: float, training: Profile) -> None:
    every = itertools.count()
    matrix = changed(name, lambda old: np.array([sentinel if next(every) % 20 == 0 else one for one in old]))
    found = said(training, matrix)
    [rise] = [one for key, one in found.items() if key.startswith(f"rise of {name}")]
    assert (rise.verdict, "sentinel" in rise.note) == ("fail", True)
    assert drift(training, matrix)[name] < 0.2 or name in training.seasons, "no index sees it"


def test_a_shuffled_column_is_refused_where_it_went_with_another(training: Profile) -> None:
    matrix = changed("temp", np.random.default_rng(0).permutation)
    assert drift(training, matrix)["temp"] == drift(training, AUTUMN)["temp"], "no index sees it"
    assert {one.verdict for one in said(training, matrix).values()} == {"fail"}
    assert "what temp keeps of its relations" in said(training, matrix)


def test_a_renamed_category_is_refused_however_rare(training: Profile) -> None:
    found = said(training, changed("site", lambda old: np.where(old == 2.0, -1.0, old)))
    assert "categories of site that are gone" in found
    assert found["categories of site that are gone"].verdict == "fail"
    common = said(training, changed("site", lambda old: np.where(old == 1.0, -1.0, old)))
    assert common["rise of missing or unknown values"].verdict == "fail"


def test_a_range_that_grew_is_judged_by_its_consequence(training: Profile) -> None:
    hot = changed("wind", lambda old: old + 40 * (np.arange(len(old)) % 5 == 0))
    assert said(training, hot) == {}, "the model is right there"
    wrong = (hot[:, 3] > 40) * 0.5
    found = {one.name: one.verdict for one in unexpected(training, hot, wrong)}
    assert "fail" in {verdict for key, verdict in found.items() if key.startswith("wind beyond")}
    assert gap_where_moved(training.features[3], hot[:, 3], wrong).harmful


def test_a_profile_of_an_earlier_release_holds() -> None:
    old = msgspec.structs.replace(profile(year(1, 0, 270, 500), Columns()), expected=())  # type: ignore[arg-type]
    [one] = unexpected(old, AUTUMN, np.zeros(len(AUTUMN)))
    assert (one.verdict, one.value) == ("hold", None)
