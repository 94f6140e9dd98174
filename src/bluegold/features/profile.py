"""The profile of a version's features, and how far later data has drifted from it.

Drift is the population stability index (PSI, Siddiqi 2006) over bins fixed once, on the training data, so
that a comparison is one count a feature.  Its limit is calibrated by a placebo: how large the index becomes
between the training data and random samples of itself, and between stretches of it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bluegold.core.errors import DataError
from bluegold.features.expectation import Expectation, expectations
from bluegold.features.specs import ProgramSpec

__all__ = [
    "USUAL_LIMIT",
    "FeatureProfile",
    "Profile",
    "Season",
    "bins_of",
    "drift",
    "nearest_season",
    "placebo_limit",
    "profile",
]

BINS = 10
LEAST_SHARE = 1e-4
#: An index above this is usually called a large change.
USUAL_LIMIT = 0.2


class FeatureProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One feature as training saw it.

    Attributes:
        edges: inner bin edges (numbers) or codes (categories).
        shares: share of the rows in each bin; the last bin holds missing (or unknown) values.
        missing: share of missing or unknown values.
        mean: mean of the known numbers, None for categories and where all are missing.
        deviation: their standard deviation.
    """

    name: str
    kind: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    missing: float
    mean: float | None = None
    deviation: float | None = None


class Season(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that moves in training itself: its shares in every stretch, and how far a stretch is from its like.

    ``limit`` is twice the largest distance of a stretch to the stretch nearest to it.
    """

    shares: tuple[tuple[float, ...], ...]
    limit: float


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """All features as training saw them, and the limits that fit them.

    ``limits``: of the drift from all of training.  ``seasons``: features whose limit is wider than usual.
    ``expected``: what else later data should show.
    """

    rows: int
    features: tuple[FeatureProfile, ...]
    limits: dict[str, float] = {}
    seasons: dict[str, Season] = {}
    expected: tuple[Expectation, ...] = ()

    def to_json(self) -> bytes:
        """The profile as a version keeps it."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> Profile:
        """The profile of a version.

        Raises:
            msgspec.ValidationError: the text is no profile.
        """
        return msgspec.json.decode(data, type=cls)


Matrix = NDArray[np.float64]


def profile(matrix: Matrix, program: ProgramSpec) -> Profile:
    """Describe the features of the training rows.

    Args:
        matrix: model input (rows, features); in order of time where there is one.
        program: the program that made it.

    Raises:
        DataError: there are no rows.
    """
    if len(matrix) == 0:
        raise DataError("there are no rows to profile", way_out="check the split and the quarantine")
    columns = zip(program.names, program.kinds, matrix.T, strict=True)
    found = Profile(rows=len(matrix), features=tuple(_feature(*column) for column in columns))
    limits = placebo_limit(found, matrix)
    seasonal = [place for place, one in enumerate(found.features) if limits[one.name] > USUAL_LIMIT]
    return msgspec.structs.replace(
        found,
        limits=limits,
        seasons={found.features[place].name: _season(found.features[place], matrix[:, place]) for place in seasonal},
        expected=expectations(matrix, program.names, program.kinds),
    )


def _season(feature: FeatureProfile, column: Matrix, stretches: int = 8, factor: float = 2.0) -> Season:
    parts = [part for part in np.array_split(column, stretches) if len(part) >= BINS]
    shares = [_shares(part, feature.kind, feature.edges).round(6) for part in parts]
    apart = [
        min((_index(other, one) for index, other in enumerate(shares) if index != place), default=0.0)
        for place, one in enumerate(shares)
    ]
    limit = max(USUAL_LIMIT, factor * max(apart, default=0.0))
    return Season(shares=tuple(tuple(one.tolist()) for one in shares), limit=limit)


def nearest_season(feature: FeatureProfile, season: Season, column: Matrix) -> float:
    """Population stability index between later values and the stretch of training that is most like them.

    Args:
        feature: the feature as training saw it.
        season: its stretches.
        column: (n,) later values.

    Example:
        >>> feature = FeatureProfile(name="t", kind="number", edges=(10.0,), shares=(0.5, 0.5, 0.0), missing=0.0)
        >>> season = Season(shares=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), limit=0.2)
        >>> nearest_season(feature, season, np.array([20.0, 30.0]))
        0.0
    """
    now = _shares(column, feature.kind, feature.edges)
    return min(_index(np.asarray(one), now) for one in season.shares)


def drift(reference: Profile, matrix: Matrix) -> dict[str, float]:
    """Population stability index of every feature: 0 is no change, above 0.2 is usually called large.

    Args:
        reference: the profile.
        matrix: later model input, same columns.
    """
    return {
        feature.name: _index(np.asarray(feature.shares), _shares(column, feature.kind, feature.edges))
        for feature, column in zip(reference.features, matrix.T, strict=True)
    }


def placebo_limit(reference: Profile, matrix: Matrix, *, stretches: int = 8, factor: float = 2.0) -> dict[str, float]:
    """A limit for every feature: ``factor`` times its largest index over stretches of the training data itself.

    A seasonal feature moves between stretches without anything being wrong, so its limit is wide; no limit is
    below the usual 0.2.

    Args:
        reference: the profile of ``matrix``.
        matrix: training rows in order of time.
        stretches: into how many consecutive parts the rows are cut.
        factor: room above the largest placebo.
    """
    parts = [part for part in np.array_split(matrix, stretches) if len(part) >= BINS]
    indices = [drift(reference, part) for part in parts]
    return {
        feature.name: max(USUAL_LIMIT, factor * max((found[feature.name] for found in indices), default=0.0))
        for feature in reference.features
    }


def _feature(name: str, kind: str, column: Matrix) -> FeatureProfile:
    absent = column < 0 if kind == "category" else np.isnan(column)
    known = column[~absent & np.isfinite(column)]
    if kind == "category":
        edges: Any = np.unique(known)
    else:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if known.size else np.empty(0)
    numbers = kind == "number" and known.size > 0
    return FeatureProfile(
        name=name,
        kind=kind,
        edges=tuple(edges.tolist()),
        shares=tuple(_shares(column, kind, edges).tolist()),
        missing=float(absent.mean()),
        mean=float(known.mean()) if numbers else None,
        deviation=float(known.std()) if numbers else None,
    )


def _shares(column: Matrix, kind: str, edges: Any) -> Matrix:
    """Share of the rows in each bin; missing and unknown values fall into the last."""
    last = len(edges) if kind == "category" else len(edges) + 1
    counts = np.bincount(bins_of(column, kind, edges), minlength=last + 1)
    return np.asarray(counts / max(len(column), 1), dtype=np.float64)


def bins_of(column: Matrix, kind: str, edges: Any) -> NDArray[np.int64]:
    """The bin of every row; missing and unknown values fall into the last.

    Args:
        column: (n,) one column of the model input.
        kind: ``number`` or ``category``.
        edges: inner bin edges, or codes.

    Example:
        >>> bins_of(np.array([0.0, 2.0, np.nan]), "number", (1.0,)).tolist()
        [0, 1, 2]
    """
    points = np.asarray(edges, dtype=np.float64)
    if kind == "category":
        place = np.searchsorted(points, column)
        known = (place < points.size) & (points[np.minimum(place, points.size - 1)] == column) if points.size else False
        return np.where(known, place, points.size).astype(np.int64)
    return np.where(np.isnan(column), points.size + 1, np.searchsorted(points, column, side="left")).astype(np.int64)


def _index(expected: Matrix, actual: Matrix) -> float:
    wanted, found = np.maximum(expected, LEAST_SHARE), np.maximum(actual, LEAST_SHARE)
    return float(np.sum((found - wanted) * np.log(found / wanted)))
