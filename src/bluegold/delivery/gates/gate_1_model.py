"""Gate 1, model: accuracy, AUC, fairness, explainability and robustness meet their thresholds.

Majority class, balanced accuracy and calibration stand beside them, because accuracy never speaks alone.  A predicted
number has no accuracy: it is held against the plan's ``regression`` limits, relative to the naive answer.
"""

from __future__ import annotations

import time
from typing import Any, Literal

from bluegold.core.nouns import GateReport, Measure
from bluegold.core.plan import Regression
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.reporting import against, judge, report, shown
from bluegold.requirements.catalog import requirement

__all__ = ["NAME", "check"]

NAME = "1 model"

#: requirement -> its measure in ``verification.json``
MEASURES = {
    "AP-7": "accuracy",
    "AP-8": "auc",
    "AP-11": "fairness_parity",
    "AP-12": "explainability",
    "AP-13": "robustness_change",
}
BESIDE = ("balanced_accuracy", "majority_class", "calibration_error")
_LEAST_ROWS = 100


def check(candidate: Candidate) -> GateReport:
    """Hold the verification measures of the version against its requirements."""
    started = time.monotonic()
    if not candidate.has("verification.json"):
        return report(NAME, candidate.ref, (), started)
    found = candidate.facts("verification.json", dict[str, Any])
    rows = int(found.get("n") or 0)
    numbers = found.get("task") == "regression"
    measures = _errors(found, candidate.plan.regression, rows) if numbers else []
    measures += [
        _without_groups(found)
        if name == "fairness_parity" and _no_groups(found)
        else against(requirement(identifier, candidate.plan), _number(found.get(name)), rows, _note(found, name))
        for identifier, name in MEASURES.items()
        if not numbers or identifier not in {"AP-7", "AP-8"}
    ]
    measures += [
        shown(name.replace("_", " "), _number(found.get(name)), n=rows)
        for name in (("rmse", "mae", "naive_mae", "bias") if numbers else BESIDE)
    ]
    measures.append(
        Measure(
            name="hold-out rows",
            value=float(rows),
            limit=float(_LEAST_ROWS),
            n=rows,
            verdict="pass" if rows >= _LEAST_ROWS else "hold",
        )
    )
    measures += _worst_class(found) + _calibration(found) + _by_criterion(found)
    measures.append(_second_check(found))
    return report(NAME, candidate.ref, measures, started)


def _errors(found: dict[str, Any], limits: Regression, rows: int) -> list[Measure]:
    """A predicted number against the plan's limits."""
    skill, explained, coverage = (_number(found.get(name)) for name in ("skill", "r2", "coverage"))
    wanted = float(_details(found, "holdout").get("coverage_wanted") or 0.0)
    off = None if coverage is None else abs(coverage - wanted)
    return [
        _held("skill: mean absolute error saved against the naive answer", skill, limits.skill, ">=", rows),
        _held("R2: variance explained", explained, limits.r2, ">=", rows),
        _held(f"distance of the {wanted:.0%} interval's coverage", off, limits.coverage, "<=", rows),
    ]


def _held(name: str, value: float | None, limit: float, direction: Literal[">=", "<="], rows: int) -> Measure:
    verdict = judge(value, limit, direction)
    return Measure(name=name, value=value, limit=limit, direction=direction, n=rows, verdict=verdict)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _details(found: dict[str, Any], part: str) -> dict[str, Any]:
    details = found.get("details", {}).get(part, {})
    return details if isinstance(details, dict) else {}


def _no_groups(found: dict[str, Any]) -> bool:
    fairness = _details(found, "fairness")
    return bool(fairness) and not fairness.get("attributes")


def _without_groups(found: dict[str, Any]) -> Measure:
    return shown("AP-11 fairness", None, note=str(_details(found, "fairness").get("note", "")))


def _note(found: dict[str, Any], name: str) -> str:
    if name == "fairness_parity":
        fairness = _details(found, "fairness")
        return f"{fairness.get('criterion', '')} {fairness.get('note', '')}".strip().replace("_", " ")
    return ""


def _worst_class(found: dict[str, Any]) -> list[Measure]:
    """The class that is found least often, which an accuracy over all classes hides."""
    holdout = _details(found, "holdout")
    recalls, counts = holdout.get("recall") or {}, holdout.get("classes") or {}
    if not recalls:
        return []
    worst = min(recalls, key=lambda name: (recalls[name], name))
    return [shown("lowest recall of a class", _number(recalls[worst]), n=int(counts.get(worst, 0)), note=str(worst))]


def _calibration(found: dict[str, Any]) -> list[Measure]:
    """What the version's calibration did to the hold-out, which had no part in it."""
    one = _details(found, "holdout").get("calibration") or {}
    return [
        shown(
            f"{name.replace('_', ' ')} before calibration",
            _number(one[name].get("before")),
            note=f"{one.get('method', '')} on the validation rows; {_number(one[name].get('after'))} after it",
        )
        for name in ("calibration_error", "log_loss")
        if isinstance(one.get(name), dict)
    ]


def _by_criterion(found: dict[str, Any]) -> list[Measure]:
    """Parity by every criterion, the worst attribute of each; the plan's own criterion is judged as AP-11 already."""
    attributes = _details(found, "fairness").get("attributes") or {}
    by_criterion: dict[str, dict[str, float]] = {}
    for name, one in attributes.items():
        for criterion, parity in (one.get("criteria") or {}).items():
            number = _number(parity)
            if number is not None:
                by_criterion.setdefault(criterion, {})[name] = number
    return [
        shown(
            f"fairness by {criterion.replace('_', ' ')}",
            min(parities.values()),
            unit="% parity",
            note=f"worst attribute: {min(parities, key=lambda name: parities[name])}",
        )
        for criterion, parities in by_criterion.items()
    ]


def _second_check(found: dict[str, Any]) -> Measure:
    """The independent check against production samples; where production has none yet, that is said."""
    sample = _details(found, "production_sample")
    value, note = _number(sample.get("accuracy")), str(sample.get("reason", ""))
    if sample.get("verdict") == "fail":
        return Measure(name="production samples", value=value, limit=None, verdict="fail", note=note)
    return shown("production samples", value, n=int(sample.get("n") or 0), note=note or "no labelled samples yet")
