"""The watch over a rollout: reads the decision log and says advance, hold, pause or roll back, with the numbers.

What breaks a guardrail is in :mod:`bluegold.delivery.guardrails`; the plan says which of them pause the release for
a person and which take it back.  Too little evidence is ``hold``: it neither advances nor triggers.
"""

from __future__ import annotations

import math
import time
from typing import Literal

import msgspec

from bluegold.core.nouns import Measure
from bluegold.core.plan import Rollout
from bluegold.delivery.evidence import Evidence
from bluegold.delivery.experiment import Experiment
from bluegold.delivery.guardrails import findings
from bluegold.production.results.decision_reader import DecisionReader, Positions

__all__ = ["Observation", "Watch"]


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found.

    Attributes:
        verdict: what to do.
        reason: why, with numbers.
        measures: every guardrail with its value, limit and count in the present phase.
        first_bad_at: when (unix seconds) the broken guardrail's mean first went beyond its limit and stayed there.
        experiment: what the canary's experiment shows, where the plan has one.
    """

    verdict: Literal["advance", "hold", "pause", "rollback"]
    reason: str
    measures: tuple[Measure, ...]
    first_bad_at: float = 0.0
    experiment: Experiment | None = None


class Watch:
    """Looks at the evidence of one release as it comes in.

    Args:
        reader: the decision log of all workers.
        evidence: where its records are counted.
        rollout: the plan's limits.
        positions: where in the log the release began.
    """

    def __init__(
        self, reader: DecisionReader, evidence: Evidence, rollout: Rollout, positions: Positions | None = None
    ) -> None:
        self._reader = reader
        self._evidence = evidence
        self._rollout = rollout
        self._positions: Positions = dict(positions or {})
        self._bad_since: dict[str, float] = {}

    @property
    def labels_needed(self) -> int:
        """Labelled pairs a phase needs before it may end well."""
        return max(1, self._rollout.min_requests // 2)

    def read(self) -> int:
        """Count what is new in the log; returns how many records counted."""
        used = 0
        while True:
            records, self._positions = self._reader.tail(self._positions)
            if not records:
                return used
            used += self._evidence.take(records)

    def look(self, seconds: float, *, hold_s: float, users: bool, last: bool = False) -> Observation:
        """Judge the evidence.

        Args:
            seconds: how long the present phase has lasted.
            hold_s: how long it has to last at least.
            users: whether Gold should be answering users in it.
            last: whether promotion comes next, so that the plan's goal has to be reached.
        """
        found = findings(self._evidence, self._rollout, self.labels_needed)
        measures = (*(one.measure for one in found), *self._skew())
        broken = [one for one in found if one.measure.verdict == "fail"]
        self._remember(measures)
        if broken:
            pausing = self._rollout.guardrails.pause_on
            worst = next((one for one in broken if one.guardrail not in pausing), broken[0])
            return Observation(
                verdict="pause" if worst.guardrail in pausing else "rollback",
                reason=_sentence(worst.measure),
                measures=measures,
                first_bad_at=self._bad_since.get(worst.measure.name, time.time()),
            )
        waiting = self._waiting(seconds, hold_s, users=users) or (self._goal() if last else "")
        if waiting:
            return Observation(verdict="hold", reason=waiting, measures=measures)
        return Observation(verdict="advance", reason="every guardrail held on enough evidence", measures=measures)

    def _waiting(self, seconds: float, hold_s: float, *, users: bool) -> str:
        """Why the phase may not end yet, or nothing."""
        evidence, window = self._evidence, self._evidence.window
        seen, labels = evidence.requests(window), evidence.quality.n_of(window)
        if seen < self._rollout.min_requests:
            return f"{seen} of {self._rollout.min_requests} requests seen"
        if users and evidence.answered[window] == 0:
            return f"none of {seen} requests was routed to Gold; a larger share or another sticky_by is needed"
        skew = evidence.features.worst() if evidence.features is not None else None
        if skew is not None and skew.broken:
            return (
                f"training-serving skew: feature '{skew.feature}' is missing in {skew.live:.0%} of {skew.n} requests "
                f"and was in {skew.training:.1%} of training; is the online store fed?"
            )
        if labels < self.labels_needed:
            return f"{labels} of {self.labels_needed} outcomes reported"
        limits = self._rollout.guardrails
        for name, sequence, floor in (
            ("quality", evidence.quality, -limits.quality_loss),
            ("agreement", evidence.agreement, limits.agreement),
        ):
            if sequence.mean_of(window) + sequence.error_of(window) < floor:
                return f"{name} is at {sequence.mean_of(window):.4f}, beyond {floor:g}, not yet certain"
        if evidence.errors.mean_of(window) > limits.error_rate:
            return f"errors are at {evidence.errors.mean_of(window):.4f}, beyond {limits.error_rate:g}, not yet certain"
        if seconds < hold_s:
            return f"{seconds:.1f} of {hold_s:g} s held"
        return ""

    def _goal(self) -> str:
        """What is not yet certain though the plan wants it certain before promotion, or nothing."""
        goal, sequence = self._rollout.goal, self._evidence.quality
        if goal == "none":
            return ""
        least = -self._rollout.guardrails.quality_loss if goal == "not_worse" else 0.0
        if sequence.above(least, self._rollout.alpha):
            return ""
        words = "not worse than tolerated" if goal == "not_worse" else "better than Blue"
        return f"Gold is not yet certainly {words}: {sequence.mean:+.4f} over {sequence.n} outcomes"

    def _skew(self) -> list[Measure]:
        worst = self._evidence.features.worst() if self._evidence.features is not None else None
        if worst is None:
            return []
        return [
            Measure(
                name=f"rise of missing values in serving: {worst.feature}",
                value=worst.live - worst.training,
                limit=None,
                direction="<=",
                unit="share",
                baseline=worst.training,
                n=worst.n,
                verdict="hold" if worst.broken else "pass",
                note="training-serving skew: holds the rollout" if worst.broken else "",
            )
        ]

    def _remember(self, measures: tuple[Measure, ...]) -> None:
        """Since when each guardrail's running mean lies beyond its limit."""
        now = time.time()
        for measure in measures:
            if measure.value is None or measure.limit is None:
                continue
            beyond = measure.value < measure.limit if measure.direction == ">=" else measure.value > measure.limit
            if beyond:
                self._bad_since.setdefault(measure.name, now)
            else:
                self._bad_since.pop(measure.name, None)


def _sentence(measure: Measure) -> str:
    """One broken guardrail in words."""
    value = math.nan if measure.value is None else measure.value
    return (
        f"{measure.name} is {value:+.4f} over the last {measure.n} observations, "
        f"beyond the guardrail {measure.direction} {measure.limit:g} with certainty"
    )
