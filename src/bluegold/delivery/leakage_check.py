"""The suspicion of leakage as measures of a gate: what is declared, and what the data look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bluegold.core.nouns import Measure, Verdict
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.leakage import LOST, Suspicion, declared, fields_behind, lost_without, suspicions
from bluegold.delivery.reporting import shown
from bluegold.delivery.sufficiency import CERTAIN, Sufficient, rule_of_few, sum_of_some
from bluegold.development.tables import matrix_of
from bluegold.development.tasks import task_of
from bluegold.features.specs import ProgramSpec

__all__ = ["leakage"]

Matrix = npt.NDArray[np.float64]

_SHOWN = 5
_ABSOLVED = {"at decision", "point in time"}


def leakage(candidate: Candidate) -> list[Measure]:
    """Model inputs known only after the outcome by declaration, and those that look like it.

    Args:
        candidate: with its hold-out.
    """
    program, table, rule = candidate.program, candidate.holdout, candidate.decision.rule
    after = [name for name in program.names if declared(program, name) == "after"]
    matrix, labels = matrix_of(table, program.names), task_of(rule).encode(table["y"])
    if rule.task == "multiclass":  # classes that training never saw belong to nobody
        matrix, labels = matrix[labels >= 0], labels[labels >= 0]
    found = suspicions(matrix, program, labels, rule)
    open_ = [one for one in found if declared(program, one.feature) not in _ABSOLVED]
    strong = {one.feature for one in open_ if not one.filled}
    lost = lost_without(matrix, program, labels, rule, strong) if strong else 0.0
    judged = [one for one in open_ if one.filled or lost >= LOST]
    easy = [one for one in open_ if one not in judged]
    measures = [_declared_after(after, len(program.names)), _judged(program, judged, lost, len(labels))]
    if not judged:
        measures.append(_together(program, _sufficient(candidate, matrix, labels), len(labels)))
    if easy:
        note = f"{_said(easy)}; but the other inputs say as much: without them {max(lost, 0.0):.0%} is lost"
        measures.append(shown("inputs that are as good as the outcome, as others are", float(len(easy)), note=note))
    cleared = [one for one in found if one not in open_]
    if cleared:
        note = "; ".join(f"{one.sentence}, but declared known {declared(program, one.feature)}" for one in cleared)
        measures.append(shown("suspicions that the contract answers", float(len(cleared)), note=note))
    return measures


def _judged(program: ProgramSpec, judged: list[Suspicion], lost: float, rows: int) -> Measure:
    """Certain suspicions refuse; the others ask, and hold the release until the contract answers."""
    names = ", ".join(dict.fromkeys(field for one in judged for field in fields_behind(program, one.feature)))
    way_out = f"; leave it out, or declare known='at decision' in the contract ({names})" if judged else ""
    cost = "" if all(one.filled for one in judged) else f"; without it a model loses {lost:.0%} of what it knows"
    verdict: Verdict = "fail" if any(one.certain for one in judged) else "hold" if judged else "pass"
    return Measure(
        name="model inputs that look filled in after the outcome",
        value=float(len(judged)),
        limit=0.0,
        direction="<=",
        n=rows,
        verdict=verdict,
        note=_said(judged) + cost + way_out,
    )


def _sufficient(candidate: Candidate, matrix: Matrix, labels: npt.NDArray[np.generic]) -> Sufficient | None:
    """Looked for only where the candidate itself is too good to be true."""
    program, rule = candidate.program, candidate.decision.rule
    if rule.task == "regression":
        return sum_of_some(matrix, program, labels)
    if not len(labels) or task_of(rule).goodness(labels, candidate.scores(matrix)) < CERTAIN:
        return None
    details = candidate.facts("verification.json", dict[str, Any]).get("details", {})
    important = details.get("explainability", {}).get("importance", {})
    return rule_of_few(matrix, program, labels, rule, sorted(important, key=lambda name: -important[name]))


def _together(program: ProgramSpec, found: Sufficient | None, rows: int) -> Measure:
    """What is the outcome only together holds the release until the contract answers for every part."""
    names = found.features if found is not None else ()
    open_ = [name for name in names if declared(program, name) not in _ABSOLVED]
    fields = ", ".join(dict.fromkeys(field for name in open_ for field in fields_behind(program, name)))
    way_out = f"; leave them out, or declare known='at decision' in the contract ({fields})" if open_ else ""
    return Measure(
        name="model inputs that together are the outcome",
        value=float(len(open_)),
        limit=0.0,
        direction="<=",
        n=rows,
        verdict="hold" if open_ else "pass",
        note=(found.sentence if found is not None else "") + way_out,
    )


def _said(found: list[Suspicion]) -> str:
    return "; ".join(one.sentence for one in found[:_SHOWN])


def _declared_after(names: list[str], among: int) -> Measure:
    return Measure(
        name="model inputs declared known only after the outcome",
        value=float(len(names)),
        limit=0.0,
        direction="<=",
        n=among,
        verdict="fail" if names else "pass",
        note=", ".join(names[:_SHOWN]),
    )
