"""Extraction tests: does a window of one caller's queries come from where everybody's queries come from?

Who steals a model asks it about made-up records.  Tests look at a window of
queries beside a reference of natural ones: the maximum mean discrepancy (the distribution as a whole), the distance to
the nearest natural records (points where nobody lives, by their number and on average) and the distance among the
queries (chains of near-duplicates).  Each statistic is set against what windows of natural records give, and the
largest counts; its limit is a quantile of a placebo: the same union over further windows of natural records.  Queries
that are natural records look natural to all of them: budgets answer those.

Source: Gretton et al. (2012) for the discrepancy; Juuti et al. (2019), PRADA, for the distances among queries.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from bluegold.core.errors import DataError

__all__ = ["WINDOW", "Detector", "Judged"]

WINDOW = 100
"""Queries that are judged together."""

LARGEST, DRAWN, ANCHORS = 6_000, 1_500, 200
PLACEBO = 1_500
FALSE_ALARMS = 0.005
"""Share of natural windows beyond the limit; half of the promised one in a hundred, as the placebo is a sample."""

LEAST = 300
LEVELS = 12
EDGE = 3.5
FAR, NEAR, CLOSE = 0.95, 0.02, 0.05
NAMES = ("distribution", "far from natural records", "distance to natural records", "near-duplicates")
Matrix = NDArray[np.float64]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the tests say about one window: the union's value beside its limit, and the test that weighs most."""

    value: float
    limit: float
    test: str

    @property
    def suspicious(self) -> bool:
        """Whether natural records give such a window in at most one of a hundred cases."""
        return self.value > self.limit


class Detector:
    """The tests, fitted to a reference of natural records.

    Args:
        reference: model inputs (rows, features) of natural records, at least 300; missing numbers are NaN.
        kinds: ``number`` or ``category`` of each feature.
        seed: of the placebo's draws.

    Raises:
        DataError: there are too few natural records.

    Example:
        >>> draw = np.random.default_rng(1)
        >>> natural = draw.normal(size=(1500, 1)) * [1.0, 2.0] + draw.normal(size=(1500, 2)) * 0.1
        >>> detector = Detector(natural, ("number", "number"))
        >>> made_up = np.vstack([natural[:70], draw.uniform(-4, 4, size=(30, 2))])
        >>> detector.judge(made_up).suspicious
        True
    """

    def __init__(self, reference: Matrix, kinds: Sequence[str], seed: int = 7) -> None:
        if len(reference) < LEAST:
            raise DataError(
                f"{len(reference)} natural records are too few to know made-up ones by",
                way_out=f"give at least {LEAST}",
            )
        draw = np.random.default_rng(seed)
        chosen = reference[draw.permutation(len(reference))[:LARGEST]]
        natural, rest = np.split(chosen, [len(chosen) - min(DRAWN, len(chosen) // 2)])
        self._scale = _Scale(natural, kinds)
        self._natural = self._scale(natural)
        self._anchors = self._natural[:ANCHORS]
        apart = _squared(self._anchors, self._anchors)
        self._width = max(float(np.median(apart)), 1e-9)
        self._within = float(np.exp(-apart / self._width).mean())
        rows = self._scale(rest)
        like, far = self._like(rows), _nearest(rows, self._natural)
        picks = [draw.choice(len(rows), WINDOW) for _ in range(PLACEBO)]
        self._far = float(np.quantile(far, FAR))
        self._near = float(np.quantile(np.concatenate([_apart(rows[pick]) for pick in picks[:50]]), NEAR))
        found = np.array([self._statistics(rows[pick], like[pick], far[pick]) for pick in picks])
        first, second = np.array_split(found, 2)
        self._center, self._spread = first.mean(axis=0), np.maximum(first.std(axis=0), 1e-9)
        worst = ((second - self._center) / self._spread).max(axis=1)
        self._limit = float(np.quantile(worst, 1 - FALSE_ALARMS))

    def judge(self, window: Matrix) -> Judged:
        """Judge one window of queries (rows, features); best :data:`WINDOW` of them, for which the limit stands."""
        rows = self._scale(window)
        found = self._statistics(rows, self._like(rows), _nearest(rows, self._natural))
        scores = (found - self._center) / self._spread
        worst = int(scores.argmax())
        return Judged(value=float(scores[worst]), limit=self._limit, test=NAMES[worst])

    def _like(self, rows: Matrix) -> Matrix:
        """How much each row is like the anchors."""
        return np.asarray(np.exp(-_squared(rows, self._anchors) / self._width).mean(axis=1))

    def _statistics(self, rows: Matrix, like: Matrix, far: Matrix) -> Matrix:
        among = float(np.exp(-_squared(rows, rows) / self._width).mean())
        discrepancy = among + self._within - 2 * float(like.mean())
        apart = _apart(rows)
        chained = float((apart < self._near).mean()) if apart.size else 0.0
        return np.array([discrepancy, (far > self._far).mean(), np.log(far + CLOSE).mean(), chained])


class _Scale:
    """Puts every feature on one scale: numbers by their rank among natural ones, categories one by one."""

    def __init__(self, natural: Matrix, kinds: Sequence[str]) -> None:
        self._columns: list[tuple[int, Matrix, bool]] = []
        for place, kind in enumerate(kinds):
            column = natural[:, place]
            known = np.sort(column[~np.isnan(column)])
            if kind == "category":
                levels, counts = np.unique(known, return_counts=True)
                self._columns.append((place, levels[np.argsort(-counts)][:LEVELS], True))
            elif known.size and known[0] < known[-1]:
                self._columns.append((place, known, False))

    def __call__(self, rows: Matrix) -> Matrix:
        parts: list[Matrix] = [np.zeros((len(rows), 1))]
        for place, known, category in self._columns:
            column = rows[:, place]
            if category:
                parts.append((column[:, None] == known[None, :]) * np.sqrt(2.0))
                continue
            lower, upper = np.searchsorted(known, column, "left"), np.searchsorted(known, column, "right")
            share = np.clip((lower + upper) / 2 / len(known), 1e-4, 1 - 1e-4)
            score = np.clip(_logit(share), -EDGE, EDGE)
            parts += [np.where(np.isnan(column), 0.0, score)[:, None], np.isnan(column)[:, None] * 2.0]
        return np.hstack(parts)


def _logit(share: Matrix) -> Matrix:
    """About the normal score of a rank."""
    return np.asarray(np.log(share / (1 - share)) / 1.702)


def _squared(left: Matrix, right: Matrix) -> Matrix:
    """Squared distances of all pairs."""
    apart = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :] - 2 * left @ right.T
    return np.asarray(np.maximum(apart, 0.0))


def _nearest(rows: Matrix, natural: Matrix) -> Matrix:
    """Distance of each row to the nearest natural record."""
    return np.asarray(np.sqrt(_squared(rows, natural).min(axis=1)))


def _apart(rows: Matrix) -> Matrix:
    """Distance of each different row to the nearest other one; a repeated question is no chain."""
    apart = _squared(rows, rows)
    apart[apart < 1e-12] = np.inf
    nearest = apart.min(axis=1)
    return np.asarray(np.sqrt(nearest[np.isfinite(nearest)]))
