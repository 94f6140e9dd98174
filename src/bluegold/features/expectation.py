"""What later data may look like, feature by feature: range, commonest values, missing values, and relations.

A stability index sees that a distribution moved; it does not see a sentinel in a twentieth of the rows, a column
joined to the wrong rows, or a category under a new name.  Each of these leaves another trace, and each limit is a
placebo: training is cut into consecutive stretches, and what one stretch shows against all the others is natural.

Source: leaving one part out to learn what is natural is the jackknife (Quenouille 1956); relations are Cramér's V,
corrected for bias (Bergsma 2013, *A bias-correction for Cramér's V and Tschuprow's T*).
"""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["OUTSIDE", "Expectation", "Relation", "bound_up", "commonest", "expectations", "outside", "relation"]

STRETCHES = 8
FACTOR = 2.0
#: Smallest limits: rows out of range, rise of one exact value (of a number, of a category), rise of missing values.
OUTSIDE, SPIKE, SHIFT, MISSING = 0.01, 0.02, 0.05, 0.02
#: A relation worth watching, and the least it must keep in every stretch of training.
RELATED, KEPT = 0.15, 0.10
_VALUES, _PARTNERS, _BINS, _ROWS, _FEW, _PAIRED = 16, 3, 5, 40_000, 4_000, 64
_STEADY = 0.005

Matrix = NDArray[np.float64]


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """How closely a feature goes with another: Cramér's V in training, and the least in any stretch of it."""

    feature: str
    strength: float
    least: float


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """One feature as later data should show it; limits are shares of rows.

    Attributes:
        low: smallest known number of training; None for categories and where nothing is known.
        high: the largest.
        outside: limit for rows beyond ``low`` and ``high``.
        values: the commonest exact values with their shares.
        spike: limit for the rise of one exact value.
        missing: limit for the rise of missing or unknown values.
        steady: categories that every stretch of training has, with their shares.
        partners: the features it goes with.
    """

    name: str
    low: float | None = None
    high: float | None = None
    outside: float = 1.0
    values: tuple[tuple[float, float], ...] = ()
    spike: float = 1.0
    missing: float = MISSING
    steady: tuple[tuple[float, float], ...] = ()
    partners: tuple[Relation, ...] = ()

    def share(self, value: float) -> float:
        """Share of an exact value in training, at most that of the rarest value that is kept."""
        kept = dict(self.values)
        rarest = min(kept.values()) if len(kept) == _VALUES else 0.0
        return kept.get(value, rarest)


def expectations(matrix: Matrix, names: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[Expectation, ...]:
    """What later rows should look like, by the training rows.

    Args:
        matrix: (n, d) training rows, in order of time where there is one.
        names: of the columns.
        kinds: ``number`` or ``category`` of each; unknown categories are below 0.

    Example:
        >>> rows = np.random.default_rng(0).normal(50, 10, (4_000, 2)).round(1)
        >>> one, _ = expectations(rows, ("load", "other"), ("number", "number"))
        >>> one.low > 0, one.outside, one.partners
        (True, 0.01, ())
    """
    some = matrix[:: max(1, len(matrix) // _ROWS)]
    partners = _partners(some, names, kinds)
    found = []
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        column = matrix[:, place]
        known = column[_known(column, kind)]
        numbers = kind == "number" and known.size > 0
        limits = _limits(some[:, place], kind)
        found.append(
            Expectation(
                name=name,
                low=float(known.min()) if numbers else None,
                high=float(known.max()) if numbers else None,
                values=tuple(commonest(column, kind)[:_VALUES]),
                steady=_steady(some[:, place]) if kind == "category" else (),
                partners=partners.get(name, ()),
                **limits,
            )
        )
    return tuple(found)


def _known(column: Matrix, kind: str) -> NDArray[np.bool_]:
    return column >= 0 if kind == "category" else np.isfinite(column)


def commonest(column: Matrix, kind: str) -> list[tuple[float, float]]:
    """Exact known values with their shares of all rows, the commonest first.

    Example:
        >>> commonest(np.array([1.0, 1.0, 2.0, np.nan]), "number")
        [(1.0, 0.5), (2.0, 0.25)]
    """
    values, counts = np.unique(column[_known(column, kind)], return_counts=True)
    order = np.argsort(-counts, kind="stable")[: 4 * _VALUES]
    return [(float(values[one]), float(counts[one]) / len(column)) for one in order]


def outside(column: Matrix, low: float, high: float) -> NDArray[np.bool_]:
    """(n,) the rows whose known number lies beyond a range.

    Example:
        >>> outside(np.array([1.0, -999.0, np.nan]), 0.0, 2.0).tolist()
        [False, True, False]
    """
    return np.isfinite(column) & ((column < low) | (column > high))


def _limits(column: Matrix, kind: str) -> dict[str, float]:
    """Each limit: twice what one stretch shows against all others, and no less than its floor."""
    floors = {"outside": OUTSIDE, "spike": SHIFT if kind == "category" else SPIKE, "missing": MISSING}
    parts = np.array_split(column, STRETCHES)
    if len(column) < STRETCHES * _BINS:
        return floors
    for place, part in enumerate(parts):
        others = np.concatenate([*parts[:place], *parts[place + 1 :]])
        mine, theirs = _known(part, kind), others[_known(others, kind)]
        natural = {"missing": float(theirs.size / len(others) - mine.mean())}
        if kind == "category":
            natural["missing"] += float(np.isin(part[mine], theirs, invert=True).sum()) / len(part)
        elif theirs.size:
            natural["outside"] = float(outside(part, float(theirs.min()), float(theirs.max())).mean())
        natural["spike"] = max(
            (share - float((others == value).mean()) for value, share in commonest(part, kind)[:4]), default=0.0
        )
        floors = {name: max(floor, FACTOR * natural.get(name, 0.0)) for name, floor in floors.items()}
    return floors


def _steady(column: Matrix) -> tuple[tuple[float, float], ...]:
    parts = np.array_split(column, STRETCHES)
    return tuple(
        (value, share)
        for value, share in commonest(column, "category")
        if share >= _STEADY and all((part == value).any() for part in parts)
    )


def bound_up(column: Matrix, kind: str) -> NDArray[np.int64]:
    """A column in few bins of its own: fifths of a number, the commonest categories; missing is a bin too.

    Example:
        >>> bound_up(np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan]), "number").tolist()
        [0, 1, 2, 3, 4, 5]
    """
    if kind == "category":
        kept = np.sort([value for value, _ in commonest(column, kind)[: 2 * _BINS]])
        if not kept.size:
            return np.zeros(len(column), dtype=np.int64)
        place = np.minimum(np.searchsorted(kept, column), kept.size - 1)
        return np.where(kept[place] == column, place, kept.size).astype(np.int64)
    known = column[np.isfinite(column)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if known.size else np.empty(0)
    return np.where(np.isfinite(column), np.searchsorted(edges, column), edges.size + 1).astype(np.int64)


def relation(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Cramér's V of two binned columns, corrected for bias: 0 nothing, 1 one follows from the other.

    Example:
        >>> bins = np.arange(1_000) % 5
        >>> round(relation(bins, bins), 6), relation(bins, np.arange(1_000) // 5 % 5)
        (1.0, 0.0)
    """
    n, width = len(one), int(other.max()) + 1
    table = np.bincount(one * width + other, minlength=(int(one.max()) + 1) * width).reshape(-1, width).astype(float)
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    rows, columns = table.shape
    if min(rows, columns) < 2 or n < 2:
        return 0.0
    wanted = np.outer(table.sum(1), table.sum(0)) / n
    phi = float(((table - wanted) ** 2 / wanted).sum()) / n
    fair = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1))
    return float(min(1.0, np.sqrt(fair / max(least - 1.0, 1e-9))))


def _partners(matrix: Matrix, names: tuple[str, ...], kinds: tuple[str, ...]) -> dict[str, tuple[Relation, ...]]:
    """For every feature the few it goes with most closely, in every stretch of training."""
    if len(matrix) < STRETCHES * 100:
        return {}
    few = matrix[:: max(1, len(matrix) // _FEW)]
    bins = [bound_up(few[:, place], kind) for place, kind in enumerate(kinds)]
    strengths = {pair: relation(bins[pair[0]], bins[pair[1]]) for pair in _pairs(few)}
    close: dict[int, list[tuple[float, int]]] = {}
    for (one, other), strength in strengths.items():
        if strength >= RELATED:
            close.setdefault(one, []).append((strength, other))
            close.setdefault(other, []).append((strength, one))
    parts = [
        [bound_up(part[:, place], kind) if place in close else None for place, kind in enumerate(kinds)]
        for part in np.array_split(matrix, STRETCHES)
    ]
    found: dict[str, tuple[Relation, ...]] = {}
    for place, candidates in close.items():
        kept = []
        for strength, other in sorted(candidates, reverse=True)[:_PARTNERS]:
            least = min(_between(part[place], part[other]) for part in parts)
            if least >= KEPT:
                kept.append(Relation(feature=names[other], strength=strength, least=least))
        found[names[place]] = tuple(kept)
    return found


def _between(one: NDArray[np.int64] | None, other: NDArray[np.int64] | None) -> float:
    return relation(one, other) if one is not None and other is not None else 0.0


def _pairs(matrix: Matrix) -> list[tuple[int, int]]:
    """Which pairs to look at: all of few columns, else those whose values correlate at all."""
    width = matrix.shape[1]
    if width <= _PAIRED:
        return list(itertools.combinations(range(width), 2))
    filled = np.where(np.isfinite(matrix), matrix, 0.0)
    centred = filled - filled.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    related = np.abs((centred / np.where(scale > 0, scale, 1.0)).T @ (centred / np.where(scale > 0, scale, 1.0)))
    np.fill_diagonal(related, 0.0)
    nearest = np.argsort(-related, axis=1)[:, :_PARTNERS]
    return sorted({(min(one, int(two)), max(one, int(two))) for one in range(width) for two in nearest[one]})
