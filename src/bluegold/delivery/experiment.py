"""Champion and challenger: what a canary or shift shows as an A/B experiment.

The rollout compares both colours on the *same* request, which is sharper but blind to what an answer causes.  Here
the two groups of users are compared, each with the answers it was really given: who was routed to Gold against who
was routed to Blue.  All intervals are always valid, so the experiment may be looked at and stopped at any time.
Before anything is believed, the shares of the two groups are held against the shares that were ordered (a *sample
ratio mismatch* means that the routing, not the model, made the difference).

Source: always-valid intervals as in :mod:`bluegold.delivery.sequential`; sample ratio mismatch after Fabijan et al.
(2019), Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import msgspec

from bluegold.core.nouns import Color, TrafficSplit
from bluegold.delivery.evidence import truth
from bluegold.delivery.sequential import ConfidenceSequence
from bluegold.production.results.records import DecisionRecord, OutcomeRecord

__all__ = ["Arm", "Experiment", "Metric", "analyse"]

#: What is compared: how often the answer was right, or how often the outcome was the positive one.
Metric = Literal["correct", "outcome"]

_MISMATCH = 0.001
_PENDING = 500_000


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One group of users: requests, outcomes that came in, the metric's mean and its always-valid interval."""

    requests: int
    outcomes: int
    mean: float | None
    low: float
    high: float


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.  ``difference`` is Gold minus Blue, ``low`` to ``high`` its interval at level ``alpha``."""

    blue: Arm
    gold: Arm
    metric: Metric
    alpha: float
    difference: float | None
    low: float
    high: float
    ordered_share: float
    seen_share: float
    verdict: Literal["gold is better", "blue is better", "undecided", "invalid"]
    reason: str


def analyse(
    records: Iterable[DecisionRecord | OutcomeRecord],
    splits: Iterable[TrafficSplit],
    *,
    metric: Metric = "correct",
    positive: str = "",
    alpha: float = 0.05,
) -> Experiment:
    """Compare the users routed to Gold with those routed to Blue.

    Args:
        records: decisions and outcomes, in any order.
        splits: the revisions of the experiment; only those that let Gold answer users count.
        metric: what is compared.
        positive: the label that counts as true when outcomes are words.
        alpha: probability that the interval ever misses the true difference.

    Example:
        >>> analyse([], []).verdict
        'undecided'
    """
    splits = tuple(splits)
    shares = {one.revision: one.gold_share for one in splits if one.mode in {"canary", "shift"}}
    model = next((one.model for one in splits if one.revision in shares), "")
    arms: dict[Color, ConfidenceSequence] = {"blue": ConfidenceSequence((0, 1)), "gold": ConfidenceSequence((0, 1))}
    routed = {revision: ConfidenceSequence((0, 1)) for revision in shares}
    waiting: dict[str, DecisionRecord] = {}
    early: dict[str, OutcomeRecord] = {}
    for record in records:
        if isinstance(record, DecisionRecord):
            if record.revision not in shares or record.canary or (model and record.model != model):
                continue
            routed[record.revision].add(1 if record.routed == "gold" else 0)
            if len(waiting) < _PENDING:
                waiting[record.id] = record
        elif len(early) < _PENDING:
            early.setdefault(record.id, record)
    for identifier, outcome in early.items():
        decision = waiting.get(identifier)
        if decision is not None:
            label = truth(outcome.value, positive)
            good = label if metric == "outcome" else label == bool(decision.value)
            arms[decision.routed].add(1 if good else 0)
    return _judged(arms, routed, shares, metric, alpha)


def _judged(
    arms: dict[Color, ConfidenceSequence],
    routed: dict[int, ConfidenceSequence],
    shares: dict[int, float],
    metric: Metric,
    alpha: float,
) -> Experiment:
    requests = sum(one.n for one in routed.values())
    gold_requests = round(sum(one.mean * one.n for one in routed.values() if one.n))
    ordered = sum(shares[revision] * one.n for revision, one in routed.items()) / requests if requests else 0.0
    bounds = {color: (one.lower(alpha / 4), one.upper(alpha / 4)) for color, one in arms.items()}
    low, high = bounds["gold"][0] - bounds["blue"][1], bounds["gold"][1] - bounds["blue"][0]
    means = {color: None if math.isnan(one.mean) else one.mean for color, one in arms.items()}
    off = _mismatched(routed, shares)
    difference = None if means["gold"] is None or means["blue"] is None else means["gold"] - means["blue"]
    verdict: Literal["gold is better", "blue is better", "undecided", "invalid"] = "undecided"
    reason = f"the interval {low:+.4f} to {high:+.4f} holds zero"
    if off:
        verdict, reason = "invalid", f"sample ratio mismatch in traffic revision {', '.join(map(str, off))}"
    elif low > 0.0 or high < 0.0:
        verdict = "gold is better" if low > 0.0 else "blue is better"
        reason = f"the interval {low:+.4f} to {high:+.4f} leaves zero out"
    counts: dict[Color, int] = {"gold": gold_requests, "blue": requests - gold_requests}
    found = {
        color: Arm(
            requests=counts[color], outcomes=one.n, mean=means[color], low=bounds[color][0], high=bounds[color][1]
        )
        for color, one in arms.items()
    }
    return Experiment(
        blue=found["blue"],
        gold=found["gold"],
        metric=metric,
        alpha=alpha,
        difference=difference,
        low=low,
        high=high,
        ordered_share=ordered,
        seen_share=gold_requests / requests if requests else 0.0,
        verdict=verdict,
        reason=reason,
    )


def _mismatched(routed: dict[int, ConfidenceSequence], shares: dict[int, float]) -> list[int]:
    """The traffic revisions whose routing did certainly not follow the share that was ordered."""
    level = _MISMATCH / (2 * max(len(routed), 1))
    return [
        revision
        for revision, one in routed.items()
        if 0.0 < shares[revision] < 1.0 and (one.above(shares[revision], level) or one.below(shares[revision], level))
    ]
