"""Model verification: does the model treat the protected groups alike?

Four criteria, all as a parity in percent (100 = alike).  ``equal_opportunity`` and ``equalised_odds``
follow Hardt, Price & Srebro (2016), *Equality of Opportunity in Supervised Learning*;
``accuracy_parity`` is "overall accuracy equality" and ``demographic_parity`` "group fairness" in
Verma & Rubin (2018), *Fairness Definitions Explained*.  Demographic parity is shown and never
judged: it fails wherever the groups' true rates differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import polars as pl

from bluegold.core.nouns import Port, StageContract
from bluegold.core.plan import Fairness
from bluegold.development.measures.parity import error_parity, recall_parity
from bluegold.development.stage import StageContext

__all__ = [
    "CONTRACT",
    "CRITERIA",
    "GroupRates",
    "accuracy_parity",
    "compare",
    "demographic_parity",
    "equal_opportunity",
    "equalised_odds",
    "group_rates",
    "judge",
    "run",
]

CONTRACT = StageContract(
    name="verification/fairness",
    section="S1",
    purpose="Compare error rates between the groups of every protected attribute on the hold-out.",
    inputs=(Port(name="scores", description="hold-out decisions, labels and protected columns"),),
    outputs=(Port(name="fairness", kind="report", description="parity by criterion, rates by group"),),
    gate="parity by the plan's criterion reaches AP-11 for every protected attribute (judged in gate 1)",
    requirements=("AP-11",),
)
READS: tuple[str, ...] = ("protected", "fairness")


class GroupRates(msgspec.Struct, frozen=True, kw_only=True):
    """Error rates of one group; a rate without any row behind it is None.

    ``tpr``: share of positives found, ``fpr``: share of negatives called positive, ``selected``:
    share of rows decided positive, ``base_rate``: share of rows that are positive.
    """

    group: str
    n: int
    positives: int
    base_rate: float
    selected: float
    accuracy: float
    tpr: float | None
    fpr: float | None


def group_rates(labels: np.ndarray, decided: np.ndarray, groups: np.ndarray) -> tuple[GroupRates, ...]:
    """Error rates of every group, largest group first.

    Args:
        labels: booleans, (n,).
        decided: booleans, (n,).
        groups: group names, (n,).

    Example:
        >>> yes = np.array([True, True, False, True])
        >>> [r.tpr for r in group_rates(yes, np.array([True, False, False, True]), np.array(["a", "a", "a", "b"]))]
        [0.5, 1.0]
    """
    found = []
    for group in np.unique(groups):
        mine = groups == group
        label, said = labels[mine].astype(bool), decided[mine].astype(bool)
        found.append(
            GroupRates(
                group=str(group),
                n=int(mine.sum()),
                positives=int(label.sum()),
                base_rate=float(label.mean()),
                selected=float(said.mean()),
                accuracy=float((label == said).mean()),
                tpr=float(said[label].mean()) if label.any() else None,
                fpr=float(said[~label].mean()) if not label.all() else None,
            )
        )
    return tuple(sorted(found, key=lambda rates: (-rates.n, rates.group)))


def equal_opportunity(rates: tuple[GroupRates, ...]) -> float | None:
    """``100 * min / max`` of the true-positive rates: a deserving row has the same chance everywhere.

    None when fewer than two groups have positives.
    """
    return _ratio([r.tpr for r in rates if r.tpr is not None])


def equalised_odds(rates: tuple[GroupRates, ...]) -> float | None:
    """``100 * (1 - max(|TPR difference|, |FPR difference|))``: both kinds of error are spread alike.

    None when fewer than two groups have both positives and negatives.
    """
    both = [(r.tpr, r.fpr) for r in rates if r.tpr is not None and r.fpr is not None]
    if len(both) < 2:
        return None
    found, false = [tpr for tpr, _ in both], [fpr for _, fpr in both]
    return 100.0 * (1.0 - max(max(found) - min(found), max(false) - min(false)))


def accuracy_parity(rates: tuple[GroupRates, ...]) -> float | None:
    """``100 * min / max`` of the accuracies.  None with fewer than two groups."""
    return _ratio([r.accuracy for r in rates])


def demographic_parity(rates: tuple[GroupRates, ...]) -> float | None:
    """``100 * min / max`` of the shares decided positive; shown, never judged.  None with fewer than two groups."""
    return _ratio([r.selected for r in rates])


def _ratio(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    return 100.0 if max(values) == 0.0 else 100.0 * min(values) / max(values)


#: criterion -> (parity of the judged groups, rows behind the criterion in one group)
CRITERIA: dict[str, tuple[Callable[[tuple[GroupRates, ...]], float | None], Callable[[GroupRates], int]]] = {
    "equal_opportunity": (equal_opportunity, lambda r: r.positives),
    "equalised_odds": (equalised_odds, lambda r: min(r.positives, r.n - r.positives)),
    "accuracy_parity": (accuracy_parity, lambda r: r.n),
    "demographic_parity": (demographic_parity, lambda r: r.n),
}


def judge(rates: tuple[GroupRates, ...], criterion: str, min_group: int) -> dict[str, Any]:
    """Parity of one attribute by every criterion; groups with too little evidence are listed, not judged.

    Args:
        rates: of all groups.
        criterion: the plan's choice, a key of :data:`CRITERIA`.
        min_group: rows a group must have behind a criterion to be judged by it.

    Example:
        >>> yes, group = np.array([True] * 6), np.array(list("aaabbb"))
        >>> found = judge(group_rates(yes, np.array([True] * 5 + [False]), group), "equal_opportunity", 3)
        >>> round(found["parity"], 1), found["too_small"]
        (66.7, ())
    """
    shown = {}
    for name, (parity, evidence) in CRITERIA.items():
        shown[name] = parity(tuple(r for r in rates if evidence(r) >= min_group))
    enough = CRITERIA[criterion][1]
    return {
        "criterion": criterion,
        "parity": shown[criterion],
        "criteria": shown,
        "min_group": min_group,
        "too_small": tuple(r.group for r in rates if enough(r) < min_group),
        "groups": rates,
    }


def run(ctx: StageContext) -> dict[str, Any]:
    """Judge every protected attribute of the system on the hold-out decisions."""
    scores: pl.DataFrame = ctx.take("scores")
    plan = ctx.system.plan.fairness
    attributes = {name: compare(scores, name, plan) for name in ctx.system.protected}
    judged = [a["parity"] for a in attributes.values()]
    complete = bool(judged) and all(parity is not None for parity in judged)
    return {
        "fairness": {
            "criterion": next((a["criterion"] for a in attributes.values()), plan.criterion),
            "fairness_parity": min(judged) if complete else None,
            "attributes": attributes,
            "thresholds_by": plan.thresholds_by,
            "note": "" if complete else _why_not(attributes),
        }
    }


def compare(scores: pl.DataFrame, name: str, plan: Fairness) -> dict[str, Any]:
    """Parity between the groups of one attribute, by the plan's criterion or what it means for the task.

    Between several classes, equal opportunity is the parity of each class's recall, and the worst class counts; a
    predicted number is judged by the parity of its mean absolute error.  Both are shown with every group.

    Args:
        scores: rows with ``y``, ``decided`` and the attribute.
        name: the attribute.
        plan: the fairness part of the plan.

    Example:
        >>> rows = pl.DataFrame({"y": [1.0, 2.0, 1.0, 2.0], "decided": [2.0, 3.0, 3.0, 2.0], "g": ["a", "a", "b", "b"]})
        >>> compare(rows, "g", Fairness(min_group=1))["parity"]
        100.0
    """
    labels, decided = scores["y"], scores["decided"]
    groups = scores[name].cast(pl.String).fill_null("missing").to_numpy()
    if labels.dtype == pl.Boolean:
        return judge(group_rates(labels.to_numpy(), decided.to_numpy(), groups), plan.criterion, plan.min_group)
    if labels.dtype == pl.String and plan.criterion != "accuracy_parity":
        return recall_parity(labels.to_numpy(), decided.to_numpy(), groups, plan.min_group)
    wrong = (labels != decided).cast(pl.Float64) if labels.dtype == pl.String else (labels - decided).abs()
    return error_parity(wrong.to_numpy(), groups, plan.min_group, shares=labels.dtype == pl.String)


def _why_not(attributes: dict[str, dict[str, Any]]) -> str:
    if not attributes:
        return "the system names no protected attribute, so there is nothing to compare"
    thin = sorted(name for name, found in attributes.items() if found["parity"] is None)
    return f"fewer than two groups with enough rows in: {', '.join(thin)}"
