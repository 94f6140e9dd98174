"""Drift of features against quantiles that were taken once, in training: PSI, KS and Wasserstein in one pass.

The reference is a sketch: up to 269 quantiles of every number (shares of every category).  A column of later values
costs one search in it, so that a million rows are compared in about the time it takes to read them.  PSI is the
population stability index (Siddiqi 2006) over deciles, KS the largest distance of the distribution functions at the
quantiles, Wasserstein the area between them, in units of the reference's standard deviation.
"""

from __future__ import annotations

import functools

import msgspec
import numpy as np
from numpy.typing import NDArray

from bluegold.core.errors import DataError
from bluegold.features.specs import ProgramSpec
from bluegold.features.threads import side_by_side

__all__ = ["Drift", "FeatureSketch", "Sketch", "measure", "sketch"]

POINTS = 257
DECILES = 10
LEAST_SHARE = 1e-4
Matrix = NDArray[np.float64]


class FeatureSketch(msgspec.Struct, frozen=True, kw_only=True):
    """One feature as training saw it.

    Attributes:
        points: ascending quantiles (numbers) or codes (categories), each once.
        below: share of the known values at or below each point; for categories the share of each code.
        missing: share of missing or unknown values.
        deviation: standard deviation of the known numbers.
    """

    name: str
    kind: str
    points: tuple[float, ...]
    below: tuple[float, ...]
    missing: float
    deviation: float = 1.0


class Sketch(msgspec.Struct, frozen=True, kw_only=True):
    """All features as training saw them; JSON by msgspec."""

    rows: int
    features: tuple[FeatureSketch, ...]


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far one feature is from its reference; ``ks`` of a category is the largest difference of a share."""

    name: str
    psi: float
    ks: float
    wasserstein: float
    missing: float


def sketch(matrix: Matrix, program: ProgramSpec) -> Sketch:
    """Take the reference of a model's input.

    Args:
        matrix: training rows (rows, features).
        program: the program that made it.

    Raises:
        DataError: there are no rows.
    """
    if not len(matrix):
        raise DataError("there are no rows to take quantiles of", way_out="check the split and the quarantine")
    columns = zip(program.names, program.kinds, matrix.T, strict=True)
    return Sketch(rows=len(matrix), features=tuple(_feature(*column) for column in columns))


def measure(reference: Sketch, matrix: Matrix) -> tuple[Drift, ...]:
    """Compare later rows with the reference.

    Args:
        reference: what :func:`sketch` took.
        matrix: later model input, same columns.

    Example:
        >>> from bluegold.features.drift import FeatureSketch, Sketch
        >>> flat = FeatureSketch(name="x", kind="number", points=(0.0, 1.0), below=(0.5, 1.0), missing=0.0)
        >>> [found] = measure(Sketch(rows=2, features=(flat,)), np.array([[1.0], [1.0]]))
        >>> found.ks
        0.5
    """
    if matrix.ndim != 2 or matrix.shape[1] != len(reference.features) or not len(matrix):
        raise DataError(
            f"a matrix of shape {matrix.shape} cannot be compared", way_out="give rows of the same features"
        )
    work = [functools.partial(_drift, feature, matrix[:, place]) for place, feature in enumerate(reference.features)]
    return tuple(side_by_side(work, len(matrix)))


def _feature(name: str, kind: str, column: Matrix) -> FeatureSketch:
    absent = column < 0 if kind == "category" else ~np.isfinite(column)
    known = column[~absent]
    missing = float(absent.mean())
    if kind == "category":
        points, counts = np.unique(known, return_counts=True)
        below = counts / max(known.size, 1)
    else:
        ordered = np.sort(known)
        tails = 2.0 ** -np.arange(9.0, 15.0)  # the ends reach far, and weigh on the area
        levels = np.unique(np.concatenate((np.linspace(0, 1, POINTS), tails, 1.0 - tails)))
        ranks = np.unique((levels * max(ordered.size - 1, 0)).round().astype(int))
        points = np.unique(ordered[ranks]) if ordered.size else ordered
        below = np.searchsorted(ordered, points, side="right") / max(known.size, 1)
    return FeatureSketch(
        name=name,
        kind=kind,
        points=tuple(points.tolist()),
        below=tuple(below.tolist()),
        missing=missing,
        deviation=float(known.std()) or 1.0 if known.size else 1.0,
    )


def _drift(feature: FeatureSketch, column: Matrix) -> Drift:
    values = np.ascontiguousarray(column)
    points, below = np.asarray(feature.points), np.asarray(feature.below)
    absent = values < 0 if feature.kind == "category" else ~np.isfinite(values)
    missing = float(absent.mean())
    known = values[~absent] if missing else values
    gone = (feature.missing, missing)
    if not known.size or not points.size:
        return Drift(name=feature.name, psi=_psi(gone, gone[::-1]), ks=1.0, wasserstein=0.0, missing=missing)
    if feature.kind == "category":
        place = np.minimum(np.searchsorted(points, known), points.size - 1)
        hit = points[place] == known
        shares = np.bincount(place[hit], minlength=points.size) / known.size
        old, new = np.append(below, 0.0), np.append(shares, 1.0 - hit.mean())
        psi = _psi(np.append(old * (1 - feature.missing), gone[0]), np.append(new * (1 - missing), gone[1]))
        return Drift(name=feature.name, psi=psi, ks=float(np.abs(old - new).max()), wasserstein=0.0, missing=missing)
    counts = np.bincount(np.searchsorted(points, known, side="left"), minlength=points.size + 1)
    found = np.cumsum(counts[:-1]) / known.size
    apart = np.abs(found - below)
    area = float(np.sum((apart[:-1] + apart[1:]) / 2.0 * np.diff(points)))
    area += float(np.maximum(known - points[-1], 0.0).mean() + np.maximum(points[0] - known, 0.0).mean())
    edges = np.unique(np.searchsorted(below, np.linspace(0, 1, DECILES + 1)[1:-1]))
    edges = edges[edges < points.size]
    psi = _psi(_bins(below[edges], gone[0]), _bins(found[edges], gone[1]))
    return Drift(
        name=feature.name, psi=psi, ks=float(apart.max()), wasserstein=area / feature.deviation, missing=missing
    )


def _bins(below: Matrix, missing: float) -> Matrix:
    """Shares of the bins that some points cut, and of what is missing."""
    return np.append(np.diff(np.concatenate(([0.0], below, [1.0]))) * (1.0 - missing), missing)


def _psi(expected: Matrix | tuple[float, ...], actual: Matrix | tuple[float, ...]) -> float:
    wanted, found = np.maximum(expected, LEAST_SHARE), np.maximum(actual, LEAST_SHARE)
    return float(np.sum((found - wanted) * np.log(found / wanted)))
