"""Suspicion of leakage: a model input that looks as if it had been written after the outcome.

What is known only afterwards cannot be told from what is merely a strong predictor by strength: a delay at
departure says nearly everything about the delay on arrival, and is known in time.  Two signatures are told apart:

- **filled by the outcome**: for one outcome the input practically always holds one and the same value (or none), and
  for the other outcome it mostly does not.  That is what a column looks like that somebody fills in once the
  decision has been taken.  Only exact values count, so a strong measurement on a scale never looks like that.
- **the outcome itself**: the input alone, in either direction, separates the outcomes almost without an error.

A contract field can be declared ``known="at decision"``; then the suspicion is shown and not judged, and the
declaration is signed with the version.  A field declared ``known="after"`` must not feed the model at all.

Source: Kaufman, Rosset, Perlich & Stitelman (2012), Leakage in Data Mining, ACM TKDD 6(4): leakage is about when a
value becomes legitimately available, so it needs what the definition says beside what the data show.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from bluegold.features.specs import ProgramSpec

__all__ = ["Suspicion", "declared", "fields_behind", "suspicions"]

#: Share of one value for one outcome at which a column counts as filled by the outcome, and the most it may have
#: for the other.
FILLED, ELSEWHERE = 0.97, 0.60
#: Area under the curve of one input alone at which it counts as the outcome itself.
ITSELF = 0.995
_LEAST = 50

Matrix = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """One model input under suspicion, and what is seen."""

    feature: str
    strength: float
    sentence: str


def suspicions(matrix: Matrix, names: tuple[str, ...], labels: Labels) -> tuple[Suspicion, ...]:
    """The model inputs that look as if they had been written after the outcome, the worst first.

    Args:
        matrix: (n, d) model inputs; NaN is a value of its own (missing).
        names: of the columns.
        labels: (n,) outcomes.

    Example:
        >>> outcome = np.array([True] * 100 + [False] * 100)
        >>> written = np.where(outcome, np.arange(200) % 7 + 1.0, 0.0)
        >>> measured = outcome + np.random.default_rng(0).normal(0, 0.5, 200)
        >>> [one.feature for one in suspicions(np.column_stack([written, measured]), ("buyer", "load"), outcome)]
        ['buyer']
    """
    if min(int(labels.sum()), int((~labels).sum())) < _LEAST:
        return ()
    found = [
        suspicion
        for name, column in zip(names, matrix.T, strict=True)
        for suspicion in (_filled(name, column, labels) or _itself(name, column, labels),)
        if suspicion is not None
    ]
    return tuple(sorted(found, key=lambda one: -one.strength))


def _filled(name: str, column: Matrix, labels: Labels) -> Suspicion | None:
    for outcome in (False, True):
        mine, others = column[labels == outcome], column[labels != outcome]
        value, share = _commonest(mine)
        elsewhere = float((np.isnan(others) if np.isnan(value) else others == value).mean())
        if share >= FILLED and elsewhere <= ELSEWHERE:
            shown = "missing" if np.isnan(value) else f"{value:g}"
            return Suspicion(
                feature=name,
                strength=share - elsewhere,
                sentence=f"'{name}' is {shown} in {share:.1%} of the rows whose outcome is {outcome} and in "
                f"{elsewhere:.1%} of the others: it looks filled in after the outcome",
            )
    return None


def _commonest(column: Matrix) -> tuple[float, float]:
    missing = float(np.isnan(column).mean())
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    if not len(values) or missing >= counts.max() / len(column):
        return float("nan"), missing
    return float(values[counts.argmax()]), float(counts.max()) / len(column)


def _itself(name: str, column: Matrix, labels: Labels) -> Suspicion | None:
    """The area under the curve of one column, missing values lowest; ties half."""
    filled = np.where(np.isnan(column), -np.inf, column)
    ordered = np.sort(filled)
    ranks = (np.searchsorted(ordered, filled, "left") + np.searchsorted(ordered, filled, "right") + 1) / 2.0
    positives, negatives = int(labels.sum()), int((~labels).sum())
    area = (float(ranks[labels].sum()) - positives * (positives + 1) / 2.0) / (positives * negatives)
    area = max(area, 1.0 - area)
    if area < ITSELF:
        return None
    return Suspicion(
        feature=name,
        strength=area,
        sentence=f"'{name}' alone separates the outcomes with an AUC of {area:.4f}: it may be the outcome itself",
    )


def fields_behind(program: ProgramSpec, feature: str) -> tuple[str, ...]:
    """The contract fields a model input is computed from; histories and lookups are point in time and have none.

    Args:
        program: the definition.
        feature: a model input.
    """
    fields = set(program.contract.names)
    computed = next((item.expression for item in program.expressions if item.name == feature), None)
    inputs = set(computed.inputs) if computed is not None else {feature}
    return tuple(sorted(inputs & fields))


def declared(program: ProgramSpec, feature: str) -> str:
    """When a model input is known: ``after``, ``at decision``, ``point in time``, or nothing when nobody said.

    Args:
        program: the definition.
        feature: a model input.
    """
    fields = fields_behind(program, feature)
    if not fields:
        return "point in time"
    said = {program.contract.field(name).known for name in fields}
    if "after" in said:
        return "after"
    return "at decision" if said == {"at decision"} else ""
