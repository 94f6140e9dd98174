"""Suspicion of leakage: a model input that looks as if it had been written after the outcome.

What is known only afterwards cannot be told from what is merely a strong predictor by strength: a delay at
departure says nearly everything about the delay on arrival, and is known in time.  Two signatures are told apart:

- **filled by the outcome** (yes or no): for one outcome the input practically always holds one and the same value (or
  none), and for the other outcome it mostly does not.  That is what a column looks like that somebody fills in once
  the decision has been taken.  Only exact values count, so a strong measurement on a scale never looks like that.
- **the outcome itself** (every task): the input alone, whatever the shape of the relation, tells the outcome almost
  without an error, and a model without it (and without its like) does not.  Where the others say as much without
  it, the question is merely an easy one.  Between near and nearly certain the suspicion is a question that holds the
  release; beyond, it refuses.

A contract field can be declared ``known="at decision"``; then the suspicion is shown and not judged, and the
declaration is signed with the version.  A field declared ``known="after"`` must not feed the model at all.

Source: Kaufman, Rosset, Perlich & Stitelman (2012), Leakage in Data Mining, ACM TKDD 6(4): leakage is about when a
value becomes legitimately available, so it needs what the definition says beside what the data show.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from bluegold.delivery.strength import CHANCE, alone, learned
from bluegold.features.specs import ProgramSpec
from bluegold.registry.rule import DecisionRule, Task

__all__ = ["LOST", "Suspicion", "declared", "fields_behind", "lost_without", "suspicions"]

#: Share of one value for one outcome at which a column counts as filled by the outcome, and the most it may have
#: for the other.
FILLED, ELSEWHERE = 0.97, 0.60
#: What one input alone reaches when it is asked about, and when it counts as the outcome itself: area under the
#: curve (its mean over the classes), or share of variance explained.
ASKED: dict[Task, float] = {"binary": 0.98, "multiclass": 0.98, "regression": 0.97}
ITSELF: dict[Task, float] = {"binary": 0.995, "multiclass": 0.995, "regression": 0.99}
#: Share of what the model knows beyond chance that must be lost without such inputs, else the question is easy.
LOST = 0.10
_MEASURE = {"binary": "an AUC", "multiclass": "a macro AUC", "regression": "an R2"}
_LEAST = 50
_ROWS = 20_000

Matrix = npt.NDArray[np.float64]
Labels = npt.NDArray[np.generic]


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """One model input under suspicion, and what is seen; ``certain`` when it refuses, else it asks.

    ``filled`` by the outcome, or strong enough to be the outcome itself.
    """

    feature: str
    strength: float
    sentence: str
    filled: bool = False
    certain: bool = True


def suspicions(
    matrix: Matrix, program: ProgramSpec, labels: Labels, rule: DecisionRule | None = None
) -> tuple[Suspicion, ...]:
    """The model inputs that look as if they had been written after the outcome, the worst first.

    Args:
        matrix: (n, d) model inputs; NaN is a value of its own (missing).
        program: of the columns.
        labels: (n,) outcomes as the task encodes them.
        rule: names the task; a yes or no when not given.

    Example:
        >>> from types import SimpleNamespace
        >>> def numbers(*names):
        ...     return SimpleNamespace(names=names, kinds=("number",) * len(names), vocabularies={})
        >>> outcome = np.array([True] * 100 + [False] * 100)
        >>> written = np.where(outcome, np.arange(200) % 7 + 1.0, 0.0)
        >>> measured = outcome + np.random.default_rng(0).normal(0, 0.5, 200)
        >>> [one.feature for one in suspicions(np.c_[written, measured], numbers("buyer", "load"), outcome)]
        ['buyer']
        >>> dollars = np.random.default_rng(1).lognormal(0, 1, 500)
        >>> price = DecisionRule(task="regression")
        >>> [one.feature for one in suspicions(np.log(dollars)[:, None], numbers("log"), dollars, price)]
        ['log']
    """
    rule = rule or DecisionRule()
    if len(labels) < 2 * _LEAST or (
        rule.task == "binary" and min(np.count_nonzero(labels), np.count_nonzero(labels == 0)) < _LEAST
    ):
        return ()
    found = [
        suspicion
        for name, kind, column in zip(program.names, program.kinds, matrix.T, strict=True)
        for suspicion in (
            (_filled(name, program.vocabularies.get(name, ()), column, labels) if rule.task == "binary" else None)
            or _itself(name, kind, column, labels, rule),
        )
        if suspicion is not None
    ]
    return tuple(sorted(found, key=lambda one: (not one.certain, -one.strength)))


def _filled(name: str, levels: tuple[str, ...], column: Matrix, labels: Labels) -> Suspicion | None:
    for outcome in (False, True):
        mine, others = column[labels == outcome], column[labels != outcome]
        value, share = _commonest(mine)
        elsewhere = float((np.isnan(others) if np.isnan(value) else others == value).mean())
        if share >= FILLED and elsewhere <= ELSEWHERE:
            return Suspicion(
                feature=name,
                strength=share - elsewhere,
                sentence=f"'{name}' is {_level(value, levels)} in {share:.1%} of the rows whose outcome is {outcome} "
                f"and in {elsewhere:.1%} of the others: it looks filled in after the outcome",
                filled=True,
            )
    return None


def _level(value: float, levels: tuple[str, ...]) -> str:
    """A value as its contract writes it: a category's code is the place of its level."""
    if np.isnan(value):
        return "missing"
    if not levels:
        return f"{value:g}"
    return f"'{levels[int(value)]}'" if 0 <= value < len(levels) else "missing or unknown"


def _commonest(column: Matrix) -> tuple[float, float]:
    missing = float(np.isnan(column).mean())
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    if not len(values) or missing >= counts.max() / len(column):
        return float("nan"), missing
    return float(values[counts.argmax()]), float(counts.max()) / len(column)


def _itself(name: str, kind: str, column: Matrix, labels: Labels, rule: DecisionRule) -> Suspicion | None:
    some = slice(None, None, -(-len(labels) // _ROWS))
    strength = alone(column[some], kind, labels[some], rule)
    if strength < ASKED[rule.task]:
        return None
    certain = strength >= ITSELF[rule.task]
    return Suspicion(
        feature=name,
        strength=strength,
        sentence=f"'{name}' alone tells the outcome with {_MEASURE[rule.task]} of {strength:.4f}: it may be the "
        "outcome itself",
        certain=certain,
    )


def lost_without(matrix: Matrix, program: ProgramSpec, labels: Labels, rule: DecisionRule, names: set[str]) -> float:
    """The share of what a model knows beyond chance that it loses when it learns without some inputs.

    Args:
        matrix: (n, d) model inputs.
        program: of the columns.
        labels: (n,) outcomes as the task encodes them.
        rule: of the version.
        names: the inputs to leave out.

    Returns:
        0 when the others say as much, 1 when they say nothing.
    """
    rest = [place for place, name in enumerate(program.names) if name not in names]
    chance = CHANCE[rule.task]
    whole = learned(matrix, program.kinds, labels, rule) - chance
    without = learned(matrix[:, rest], tuple(program.kinds[place] for place in rest), labels, rule) - chance
    return 1.0 - max(without, 0.0) / whole if whole > 0.0 else 0.0


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
