"""Champion and challenger: what a canary or shift shows as an A/B experiment.

The rollout compares both colours on the *same* request, which is sharper but blind to what an answer causes.  Here
the two groups of users are compared, each with the answers it was really given: who was routed to Gold against who
was routed to Blue.  The first outcome of one group is set against the first of the other, the second against the
second, and so on; the interval of their mean difference is always valid, so the experiment may be looked at and stopped
at any time.
Before anything is believed, the shares of the two groups are held against the shares that were ordered (a *sample
ratio mismatch* means that the routing, not the model, made the difference).

Source: always-valid intervals as in :mod:`bluegold.delivery.sequential`; pairs of two streams after Johari, Koomen,
Pekelis & Walsh (2017), Peeking at A/B Tests, KDD; sample ratio mismatch after Fabijan et al.
(2019), Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from bluegold.core.errors import DefinitionError
from bluegold.core.nouns import Color, TrafficSplit
from bluegold.delivery.sequential import ConfidenceSequence
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.registry.rule import DecisionRule

__all__ = ["Arm", "Experiment", "Groups", "Metric", "Question", "analyse"]

#: What is compared: how often the answer was right (for numbers: how near), or how often the outcome was positive.
Metric = Literal["correct", "outcome"]

_MISMATCH = 0.001
_PENDING = 500_000
_GRID = tuple(step / 50 for step in range(51))


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment asks.

    Attributes:
        metric: what is compared.
        rule: how outcomes are read, and when an answer was right.
        alpha: probability that the interval ever misses the true difference.
        fewer: with ``outcome``: whether fewer positive outcomes are better.
    """

    metric: Metric = "correct"
    rule: DecisionRule = DecisionRule()
    alpha: float = 0.05
    fewer: bool = False


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One group of users: requests, outcomes that came in, the metric's mean and its always-valid interval."""

    requests: int
    outcomes: int
    mean: float | None
    low: float
    high: float


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.  ``difference`` is Gold minus Blue over the pairs, ``low`` to ``high`` its interval."""

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
    question: Question | None = None,
) -> Experiment:
    """Compare the users routed to Gold with those routed to Blue.

    Args:
        records: decisions and outcomes, in any order.
        splits: the revisions of the experiment; only those that let Gold answer users count.
        question: what is compared; by default how often answers were right.

    Example:
        >>> analyse([], []).verdict
        'undecided'
    """
    groups = Groups(question or Question())
    groups.follow(splits)
    groups.take(records)
    return groups.judged()


class Groups:
    """What both groups of users were given and what became of it, as the records come in.

    Args:
        question: what is compared.

    Raises:
        DefinitionError: the outcomes of this system cannot be counted as the question asks.
    """

    def __init__(self, question: Question) -> None:
        if question.metric == "outcome" and question.rule.task != "binary":
            raise DefinitionError(
                f"an experiment cannot count how often a {question.rule.task} outcome was positive",
                way_out="compare how often answers were right (metric: correct)",
            )
        self._question = question
        numbers = question.rule.task == "regression"
        self._values: tuple[float, ...] = _GRID if numbers else (0, 1)
        self._arms: dict[Color, ConfidenceSequence] = {
            "blue": ConfidenceSequence(self._values),
            "gold": ConfidenceSequence(self._values),
        }
        steps = tuple(step / 50 for step in range(-50, 51)) if numbers else (-1, 0, 1)
        self._pairs = ConfidenceSequence(steps)
        self._alone: dict[Color, deque[float]] = {"blue": deque(maxlen=_PENDING), "gold": deque(maxlen=_PENDING)}
        self._rest: dict[Color, float] = {"blue": 0.0, "gold": 0.0}
        self._shares: dict[int, float] = {}
        self._model = ""
        self._routed: dict[int, ConfidenceSequence] = {}
        self._waiting: dict[str, DecisionRecord] = {}
        self._early: dict[str, OutcomeRecord] = {}

    @property
    def outcomes(self) -> int:
        """Outcomes that counted, of both groups."""
        return sum(one.n for one in self._arms.values())

    def follow(self, splits: Iterable[TrafficSplit]) -> None:
        """Count what was decided under these revisions, as far as Gold answers users in them."""
        for one in splits:
            if one.mode in {"canary", "shift"} and one.revision not in self._shares:
                self._model = one.model
                self._shares[one.revision] = one.gold_share
                self._routed[one.revision] = ConfidenceSequence((0, 1))

    def take(self, records: Iterable[DecisionRecord | OutcomeRecord]) -> None:
        """Count records; an outcome may come before its decision."""
        for record in records:
            if isinstance(record, OutcomeRecord):
                decision = self._waiting.pop(record.id, None)
                if decision is None:
                    _keep(self._early, record)
                else:
                    self._count(decision, record)
            elif record.revision in self._shares and not record.canary and record.model == self._model:
                self._routed[record.revision].add(1 if record.routed == "gold" else 0)
                outcome = self._early.pop(record.id, None)
                if outcome is None:
                    _keep(self._waiting, record)
                else:
                    self._count(record, outcome)

    def _count(self, decision: DecisionRecord, outcome: OutcomeRecord) -> None:
        question, color = self._question, decision.routed
        try:
            if question.metric == "outcome":
                good = 1.0 if question.rule.truth(outcome.value) is True else 0.0
            else:
                good = 1.0 - question.rule.loss(decision.value, outcome.value)
        except ValueError:  # an outcome that is no number says nothing about a predicted number
            return
        if self._values is _GRID:  # what rounding leaves over goes to the next, so that no sum drifts
            wanted = good + self._rest[color]
            good = min(max(round(wanted * 50) / 50, 0.0), 1.0)
            self._rest[color] = wanted - good
        self._arms[color].add(good)
        self._alone[color].append(good)
        if self._alone["blue"] and self._alone["gold"]:
            gap = self._alone["gold"].popleft() - self._alone["blue"].popleft()
            self._pairs.add(round(gap * 50) / 50)

    def judged(self) -> Experiment:
        """What the evidence says by now."""
        return _judged(self._arms, self._pairs, self._routed, self._shares, self._question)


def _keep(waiting: dict[str, Any], record: DecisionRecord | OutcomeRecord) -> None:
    """Remember what waits for its other half; the oldest is forgotten when too many do."""
    if len(waiting) >= _PENDING:
        del waiting[next(iter(waiting))]
    waiting.setdefault(record.id, record)


def _judged(
    arms: dict[Color, ConfidenceSequence],
    pairs: ConfidenceSequence,
    routed: dict[int, ConfidenceSequence],
    shares: dict[int, float],
    question: Question,
) -> Experiment:
    alpha = question.alpha
    requests = sum(one.n for one in routed.values())
    gold_requests = round(sum(one.mean * one.n for one in routed.values() if one.n))
    ordered = sum(shares[revision] * one.n for revision, one in routed.items()) / requests if requests else 0.0
    bounds = {color: (one.lower(alpha / 2), one.upper(alpha / 2)) for color, one in arms.items()}
    low, high = pairs.lower(alpha / 2), pairs.upper(alpha / 2)
    means = {color: None if math.isnan(one.mean) else one.mean for color, one in arms.items()}
    off = _mismatched(routed, shares)
    difference = pairs.mean if pairs.n else None
    verdict: Literal["gold is better", "blue is better", "undecided", "invalid"] = "undecided"
    reason = f"the interval {low:+.4f} to {high:+.4f} holds zero"
    if off:
        verdict, reason = "invalid", f"sample ratio mismatch in traffic revision {', '.join(map(str, off))}"
    elif low > 0.0 or high < 0.0:
        verdict = "gold is better" if (low > 0.0) != question.fewer else "blue is better"
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
        metric=question.metric,
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
