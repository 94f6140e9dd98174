"""A few model inputs that together *are* the outcome, though none of them is alone.

A class that two bounds decide, or a total that its parts add up to, leaves a model nothing to learn: either the parts
were written with the outcome, or a rule of one line does what the model is trained for.  Two ways are looked for:

- **a rule**: the candidate makes practically no mistake, and a model of at most three of its inputs neither;
- **a sum**: the outcome is a linear function of numbers, without a remainder.

Source: Kaufman, Rosset, Perlich & Stitelman (2012), Leakage in Data Mining, ACM TKDD 6(4): a result that is too good
to be true is the first sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from bluegold.delivery.strength import learned
from bluegold.features.specs import ProgramSpec
from bluegold.registry.rule import DecisionRule

__all__ = ["CERTAIN", "Sufficient", "rule_of_few", "sum_of_some"]

#: Area under the curve (or its mean over the classes) from which on a few inputs leave no question, and the share of
#: variance a sum explains.
CERTAIN, EXACT = 0.9995, 0.99999
_FEW, _PARTS, _LEAST, _MOST = 3, 12, 300, 20_000

Matrix = npt.NDArray[np.float64]


class Sufficient(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs that together tell the outcome, and what is seen."""

    features: tuple[str, ...]
    sentence: str


def rule_of_few(
    matrix: Matrix,
    program: ProgramSpec,
    labels: npt.NDArray[np.generic],
    rule: DecisionRule,
    ranked: Sequence[str],
) -> Sufficient | None:
    """The fewest of the most important inputs from which a class is told without an error, if three are enough.

    Args:
        matrix: (n, d) model inputs of the hold-out.
        program: of the columns.
        labels: (n,) outcomes as the task encodes them.
        rule: of the version.
        ranked: inputs, the most important first.
    """
    if rule.task == "regression" or len(labels) < _LEAST:
        return None
    for count in range(2, _FEW + 1):
        names = tuple(ranked[:count])
        if len(names) < count:
            return None
        places = [program.names.index(name) for name in names]
        kinds = tuple(program.kinds[place] for place in places)
        found = learned(matrix[:, places], kinds, labels, rule)
        if found >= CERTAIN:
            area = "a macro AUC" if rule.task == "multiclass" else "an AUC"
            return Sufficient(
                features=names,
                sentence=f"{_listed(names)} together tell the outcome with {area} of {found:.4f}: it may have been "
                "decided by them, or they by it",
            )
    return None


def sum_of_some(matrix: Matrix, program: ProgramSpec, labels: npt.NDArray[np.generic]) -> Sufficient | None:
    """The numbers a predicted number is the weighted sum of, judged on rows that did not give the weights.

    Args:
        matrix: (n, d) model inputs of the hold-out; rows with a missing number are left out.
        program: of the columns.
        labels: (n,) the outcomes.

    Example:
        >>> from types import SimpleNamespace
        >>> random = np.random.default_rng(0)
        >>> parts = random.poisson(20.0, (1_000, 3)).astype(float)
        >>> program = SimpleNamespace(names=("guests", "members", "wind"), kinds=("number",) * 3)
        >>> sum_of_some(parts, program, parts[:, 0] + parts[:, 1]).features
        ('guests', 'members')
        >>> sum_of_some(parts, program, parts[:, 0] + parts[:, 1] + random.normal(0, 1, 1_000)) is None
        True
    """
    numbers = [place for place, kind in enumerate(program.kinds) if kind == "number"]
    values, outcome = matrix[:: -(-len(matrix) // _MOST)], labels.astype(np.float64)[:: -(-len(matrix) // _MOST)]
    whole = np.isfinite(values[:, numbers]).all(axis=1) & np.isfinite(outcome)
    values, outcome = values[whole][:, numbers], outcome[whole]
    moving = values.std(axis=0) > 0.0 if len(values) else np.zeros(0, dtype=bool)
    if len(values) < _LEAST or not moving.any() or not outcome.std():
        return None
    values, names = (
        values[:, moving],
        [program.names[place] for place, kept in zip(numbers, moving, strict=True) if kept],
    )
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    weights, explained = _fitted(scaled, outcome)
    if explained < EXACT:
        return None
    order = np.argsort(-np.abs(weights))
    for count in range(1, min(_PARTS, len(names)) + 1):
        chosen = np.sort(order[:count])
        if _fitted(scaled[:, chosen], outcome)[1] >= EXACT:
            found = tuple(names[place] for place in chosen)
            return Sufficient(features=found, sentence=f"the outcome is a weighted sum of {_listed(found)}")
    return None


def _fitted(scaled: Matrix, outcome: Matrix) -> tuple[Matrix, float]:
    """Weights from every other row, and the share of variance they explain in the rest."""
    with_one = np.column_stack([scaled, np.ones(len(scaled))])
    weights = np.asarray(np.linalg.lstsq(with_one[::2], outcome[::2], rcond=None)[0], dtype=np.float64)
    rest = outcome[1::2] - with_one[1::2] @ weights
    spread = float(np.var(outcome[1::2]))
    return weights[:-1], 1.0 - float(np.mean(rest**2)) / spread if spread else 0.0


def _listed(names: Sequence[str]) -> str:
    *first, last = [f"'{name}'" for name in names]
    return f"{', '.join(first)} and {last}" if first else last
