"""Evidence of a rollout: what the decision log says about Gold beside Blue, as counts that survive any restart.

Every decision in shadow, canary and shift carries what the other colour would have said, so the comparison is
*paired*: with a label, ``d = loss(blue) - loss(gold)`` is -1, 0 or 1, and most of it is 0 (for predicted numbers
it lies between).  Each decision
belongs to the rollout phase whose traffic revision it was made under; nothing else is remembered, so reading the
log again from the release's first position gives the same evidence.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from typing import Any

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import Color
from bluegold.delivery.attribution_shift import AttributionShift
from bluegold.delivery.sequential import ConfidenceSequence
from bluegold.delivery.skew import LiveFeatures
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.registry.rule import DecisionRule, Value

__all__ = ["Comparison", "Evidence", "Pair", "truth"]

_PENDING = 200_000
_SLICES = 12
_GRID = tuple(step / 50 for step in range(-50, 51))


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared, and how.

    Attributes:
        blue, gold: full references.
        positive: the label that counts as true when outcomes are words.
        rule: Gold's decision rule where a class or a number is decided.
        slow_ms: a slower answer is a slow one.
        slices: fields of the payload whose values are looked at one by one.
    """

    model: str
    blue: str
    gold: str
    positive: str = ""
    rule: DecisionRule = DecisionRule()
    slow_ms: float = 50.0
    slices: tuple[str, ...] = ()


class Pair(msgspec.Struct, frozen=True):
    """Both colours' decisions on one request, waiting for the label."""

    gold: Value
    blue: Value
    score: float
    blue_score: float
    window: int
    slices: tuple[str, ...]


def truth(value: bool | float | str, positive: str) -> bool:
    """Whether an outcome means true.

    Example:
        >>> truth("late", "late"), truth(0.0, ""), truth(True, "late"), truth("true", "")
        (True, False, True, True)
    """
    return DecisionRule(positive_label=positive or "true").truth(value) is True


class Evidence:
    """Counts over the records of one release.

    Args:
        comparison: what is compared.
        starts: how many rollout phases there will be.
        features: counts missing values of the model inputs too, when given.
        reasons: compares both colours' attributions too, when given.

    Example:
        >>> seen = Evidence(Comparison(model="m", blue="m:v1", gold="m:v2"), starts=3)
        >>> seen.begin(5)
        >>> seen.requests(0)
        0
    """

    def __init__(
        self,
        comparison: Comparison,
        starts: int,
        features: LiveFeatures | None = None,
        reasons: AttributionShift | None = None,
    ) -> None:
        self.comparison = comparison
        self.starts = starts
        self.features = features
        self.reasons = reasons
        self.revisions: list[int] = []
        self.errors = ConfidenceSequence((0, 1), starts)
        self.faults = ConfidenceSequence((-1, 0, 1), starts)
        self.slow = ConfidenceSequence((0, 1), starts)
        self.blue_slow = ConfidenceSequence((0, 1), starts)
        self.agreement = ConfidenceSequence((0, 1), starts)
        self.positives = ConfidenceSequence((-1, 0, 1), starts)
        self.residuals = ConfidenceSequence(_GRID, starts)
        self._rule = _rule_of(comparison)
        self._steps = _GRID if self._rule.task == "regression" else (-1, 0, 1)
        self._rest: dict[str, float] = {}
        self.quality = ConfidenceSequence(self._steps, starts)
        self.by_slice: dict[str, ConfidenceSequence] = {}
        self.answered = [0] * starts
        self.correct = {"blue": 0.0, "gold": 0.0}
        self.residual = {"blue": 0.0, "gold": 0.0}
        self._pending: dict[str, Pair] = {}
        self._early: dict[str, OutcomeRecord] = {}
        self._short = {ref.rpartition(":")[2]: ref for ref in (comparison.blue, comparison.gold)}

    def begin(self, revision: int) -> None:
        """A rollout phase began with this traffic revision."""
        self.revisions.append(revision)

    @property
    def window(self) -> int:
        """Number of the present phase."""
        return len(self.revisions) - 1

    def take(self, records: Iterable[DecisionRecord | OutcomeRecord]) -> int:
        """Count records; returns how many counted.  Labels may come before their decisions and in any order."""
        counted = sum(
            self._outcome(record) if isinstance(record, OutcomeRecord) else self._decision(record) for record in records
        )
        if self.reasons is not None:
            try:
                self.reasons.settle()
            except BluegoldError:  # what cannot be explained is not compared, and the rest of the watch goes on
                self.reasons = None
        return counted

    def requests(self, window: int) -> int:
        """Decisions in a phase that Gold was asked about."""
        return self.errors.n_of(window)

    def _window_of(self, revision: int) -> int:
        return min(bisect.bisect_right(self.revisions, revision) - 1, self.starts - 1)

    def _full(self, version: str) -> str:
        return self._short.get(version, version)

    def _decision(self, record: DecisionRecord) -> bool:
        window = self._window_of(record.revision)
        if record.canary or record.model != self.comparison.model or window < 0:
            return False
        blue_failed = record.color == "gold" and record.other is None
        if not record.error and record.other is None and not blue_failed:
            return False
        self.faults.add(-1 if record.error else 1 if blue_failed else 0, window=window)
        self.errors.add(1 if record.error else 0, window=window)
        self._latency(record, window)
        if self.features is not None:
            self.features.take(record)
        other = record.other
        if other is None or {self._full(record.version), self._full(other.version)} != {
            self.comparison.blue,
            self.comparison.gold,
        }:
            return True
        if self.reasons is not None:
            self.reasons.take(record, window)
        gold, blue = (record, other) if record.color == "gold" else (other, record)
        self.agreement.add(1 if self._rule.agree(gold.value, blue.value) else 0, window=window)
        self.positives.add((gold.value is True) - (blue.value is True), window=window)
        _make_room(self._pending)
        self._pending[record.id] = Pair(gold.value, blue.value, gold.score, blue.score, window, self._slices_of(record))
        early = self._early.pop(record.id, None)
        if early is not None:
            self._outcome(early)
        return True

    def _latency(self, record: DecisionRecord, window: int) -> None:
        slow = 1 if record.latency_us > self.comparison.slow_ms * 1000 else 0
        if record.color == "gold":
            self.answered[window] += 1
            self.slow.add(slow, window=window)
        elif not record.error:
            self.blue_slow.add(slow, window=window)

    def _slices_of(self, record: DecisionRecord) -> tuple[str, ...]:
        payload = _payload(record.payload) if self.comparison.slices else {}
        return tuple(f"{name}={payload[name]}"[:80] for name in self.comparison.slices if name in payload)

    def _outcome(self, outcome: OutcomeRecord) -> bool:
        pair = self._pending.pop(outcome.id, None)
        if pair is None:
            _make_room(self._early)
            self._early.setdefault(outcome.id, outcome)
            return False
        rule = self._rule
        try:
            lost = {"gold": rule.loss(pair.gold, outcome.value), "blue": rule.loss(pair.blue, outcome.value)}
            gap = rule.residual(pair.gold, pair.score, outcome.value)
            blue_gap = rule.residual(pair.blue, pair.blue_score, outcome.value)
        except ValueError:  # an outcome that is no number says nothing about a predicted number
            return False
        for color, loss in lost.items():
            self.correct[color] += 1.0 - loss
        self.residual["gold"] += gap
        self.residual["blue"] += blue_gap
        self.residuals.add(round(gap * 50) / 50, window=pair.window)
        difference = lost["blue"] - lost["gold"]
        self.quality.add(self._step("", difference), window=pair.window)
        for name in pair.slices:
            if name in self.by_slice or len(self.by_slice) < _SLICES:
                self.by_slice.setdefault(name, ConfidenceSequence(self._steps, self.starts)).add(
                    self._step(name, difference), window=pair.window
                )
        return True

    def _step(self, name: str, difference: float) -> float:
        """A paired difference on the sequence's grid; what rounding leaves over goes to the next, so no sum drifts."""
        if self._rule.task != "regression":
            return int(difference)
        wanted = difference + self._rest.get(name, 0.0)
        step = min(max(round(wanted * 50) / 50, -1.0), 1.0)
        self._rest[name] = wanted - step
        return step

    def calibration_gap(self, color: Color = "gold") -> float:
        """Mean label minus mean score of a colour over the labelled decisions; 0 is calibrated in the large."""
        return self.residual[color] / self.quality.n if self.quality.n else math.nan


def _rule_of(comparison: Comparison) -> DecisionRule:
    if comparison.rule.task == "binary":
        return DecisionRule(positive_label=comparison.positive or "true")
    return comparison.rule


def _make_room(waiting: dict[str, Any]) -> None:
    """Forget the oldest when too many wait."""
    if len(waiting) >= _PENDING:
        del waiting[next(iter(waiting))]


def _payload(payload: Any) -> dict[str, Any]:
    if isinstance(payload, msgspec.Raw):
        payload = msgspec.json.decode(payload)
    return payload if isinstance(payload, dict) else {}
