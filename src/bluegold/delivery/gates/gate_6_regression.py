"""Gate 6, regression: no degradation against Blue, overall and in any slice, with confidence intervals.

Both versions decide on the same rows: the candidate's hold-out.  Overall the candidate must be shown *not* to lose
more than the tolerated margin; in a slice it must not be shown *to* lose more (a small slice proves nothing, and
the level is divided among the slices).  Beside it stands the suspicion of leakage, also for a first version: a
candidate that knows the outcome beforehand would win every comparison here and lose in production.  For a predicted
number the loss is the absolute error in units of the target's standard deviation.
"""

from __future__ import annotations

import math
import time
from statistics import NormalDist

import numpy as np
import polars as pl

from bluegold.core.nouns import GateReport, Measure, Verdict
from bluegold.delivery.candidate import Candidate, Subject
from bluegold.delivery.comparison import Difference, accuracy_difference, auc_difference, mean_difference
from bluegold.delivery.features_of_blue import matrix_for
from bluegold.delivery.leakage_check import leakage
from bluegold.delivery.reporting import report, shown
from bluegold.development.tables import decide, matrix_of

__all__ = ["NAME", "check"]

NAME = "6 regression"

_LEVEL = 0.01
_MOST_GROUPS = 8
_MOST_SLICES = 24


def check(candidate: Candidate) -> GateReport:
    """Compare the candidate with Blue on the candidate's hold-out."""
    started = time.monotonic()
    if not candidate.has("holdout.parquet"):
        return report(NAME, candidate.ref, (), started)
    return report(NAME, candidate.ref, [*_against_blue(candidate), *leakage(candidate)], started)


def _against_blue(candidate: Candidate) -> list[Measure]:
    if candidate.blue is None:
        note = "cold start: no version is in production, so there is nothing to lose against"
        return [shown("Blue", None, note=note)]
    tasks = candidate.decision.rule.task, candidate.blue.decision.rule.task
    if tasks[0] != tasks[1]:
        return [Measure(name="accuracy against Blue", value=None, limit=None, note=f"Blue decides a {tasks[1]} target")]
    matrix, obstacle = matrix_for(candidate, candidate.blue)
    if matrix is None:
        why = f"{candidate.blue.ref} cannot be asked about this hold-out: {obstacle}"
        return [Measure(name="accuracy against Blue", value=None, limit=None, note=why)]
    table = candidate.holdout
    gold = candidate.scores(matrix_of(table, candidate.program.names))
    blue = candidate.blue.scores(matrix)
    margin = candidate.plan.rollout.guardrails.quality_loss
    pair = _judged(candidate, gold, table), _judged(candidate.blue, blue, table)
    if tasks[0] == "regression":
        pair = pair[0] / candidate.decision.rule.scale, pair[1] / candidate.decision.rule.scale
    what = "error" if tasks[0] == "regression" else "accuracy"
    measures = [_not_worse(f"{what} against Blue", _difference(*pair), margin)]
    if tasks[0] == "binary":
        measures.append(_not_worse("AUC against Blue", auc_difference(table["y"].to_numpy(), gold, blue), margin))
    return [*measures, *_slices(candidate, pair, margin)]


def _judged(subject: Subject, scores: np.ndarray, table: pl.DataFrame) -> np.ndarray:
    """(n,) whether each decision was right; for numbers minus the absolute error: more is better for both."""
    labels, decided = table["y"].to_numpy(), decide(subject.decision.rule, scores, table)
    judged: np.ndarray = -np.abs(labels - decided) if subject.decision.rule.task == "regression" else labels == decided
    return judged


def _difference(gold: np.ndarray, blue: np.ndarray, z: float = 1.96) -> Difference:
    return mean_difference(gold, blue, z) if gold.dtype.kind == "f" else accuracy_difference(gold, blue, z)


def _not_worse(name: str, found: Difference, margin: float) -> Measure:
    """Pass: shown to lose less than the margin.  Fail: shown to lose more, or the best guess is that it does."""
    verdict: Verdict = "hold"
    if not math.isnan(found.value):
        verdict = "pass" if found.low >= -margin else "fail" if found.value < -margin else "hold"
    return Measure(
        name=name,
        value=None if math.isnan(found.value) else found.value,
        limit=-margin,
        baseline=None if math.isnan(found.blue) else found.blue,
        n=found.n,
        verdict=verdict,
        note=f"95 % interval {found.low:+.4f} to {found.high:+.4f}",
    )


def _slices(candidate: Candidate, pair: tuple[np.ndarray, np.ndarray], margin: float) -> list[Measure]:
    """Each group of each protected attribute and of each small categorical field; each class of several."""
    groups = _groups(candidate)
    if not groups:
        return [shown("slices", 0.0, note="no protected or categorical field with enough rows in each group")]
    z = NormalDist().inv_cdf(1.0 - _LEVEL / (2 * len(groups)))
    measures = []
    for name, rows in groups.items():
        found = _difference(pair[0][rows], pair[1][rows], z)
        lost = found.high < -margin
        measures.append(
            Measure(
                name=f"{'error' if pair[0].dtype.kind == 'f' else 'accuracy'} where {name}",
                value=found.value,
                limit=-margin,
                baseline=found.blue,
                n=found.n,
                verdict="fail" if lost else "pass",
                note=f"interval {found.low:+.4f} to {found.high:+.4f}",
            )
        )
    return measures


def _groups(candidate: Candidate) -> dict[str, np.ndarray]:
    table, least = candidate.holdout, candidate.plan.fairness.min_group
    fields = [field.name for field in candidate.program.contract.fields if field.kind in {"category", "flag"}]
    found = {f"outcome is {name}": (table["y"] == name).to_numpy() for name in candidate.decision.rule.labels}
    found = {name: rows for name, rows in found.items() if rows.sum() >= least}
    for name in dict.fromkeys((*candidate.protected, *fields)):
        if name not in table.columns or table[name].n_unique() > _MOST_GROUPS:
            continue
        column = table[name].cast(pl.String).fill_null("missing")
        for group in sorted(column.unique().to_list()):
            rows = (column == group).to_numpy()
            if rows.sum() >= least and len(found) < _MOST_SLICES + len(candidate.decision.rule.labels):
                found[f"{name} is {group}"] = rows
    return found
