"""The watch over a rollout: reads the decision log and says advance, hold or roll back, with the numbers.

A guardrail is broken when its always-valid bound lies beyond it, at any look.  The level alpha of the plan is
divided among the guardrails, so that a candidate inside all of them is rolled back with probability at most alpha
over the whole release.  Too little evidence is ``hold``: it neither advances nor triggers.
"""

from __future__ import annotations

import math
import time
from typing import Literal

import msgspec

from bluegold.core.nouns import Measure, Verdict
from bluegold.core.plan import Rollout
from bluegold.delivery.evidence import Evidence
from bluegold.delivery.sequential import ConfidenceSequence
from bluegold.production.results.decision_reader import DecisionReader, Positions

__all__ = ["Observation", "Watch"]

#: Share of alpha that each guardrail may spend.
SPEND = {"quality": 0.5, "slice": 0.125, "agreement": 0.125, "errors": 0.125, "slow": 0.125}

_MOST_SLICES = 12


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found.

    Attributes:
        verdict: what to do.
        reason: why, with numbers.
        measures: every guardrail with its value, limit and count in the present phase.
        first_bad_at: when (unix seconds) the broken guardrail's mean first went beyond its limit and stayed there.
    """

    verdict: Literal["advance", "hold", "rollback"]
    reason: str
    measures: tuple[Measure, ...]
    first_bad_at: float = 0.0


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

    def look(self, seconds: float, *, hold_s: float, users: bool) -> Observation:
        """Judge the evidence.

        Args:
            seconds: how long the present phase has lasted.
            hold_s: how long it has to last at least.
            users: whether Gold should be answering users in it.
        """
        measures = self._measures()
        broken = [measure for measure in measures if measure.verdict == "fail"]
        self._remember(measures)
        if broken:
            worst = broken[0]
            return Observation(
                verdict="rollback",
                reason=_sentence(worst),
                measures=measures,
                first_bad_at=self._bad_since.get(worst.name, time.time()),
            )
        waiting = self._waiting(seconds, hold_s, users=users)
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

    def _measures(self) -> tuple[Measure, ...]:
        evidence, limits, alpha = self._evidence, self._rollout.guardrails, self._rollout.alpha
        quality = evidence.quality
        return (
            _measure(
                "paired quality difference",
                quality,
                -limits.quality_loss,
                ">=",
                broken=quality.below(-limits.quality_loss, alpha * SPEND["quality"]),
                enough=quality.n_of(evidence.window) >= self.labels_needed,
            ),
            _measure(
                "gold error rate",
                evidence.errors,
                limits.error_rate,
                "<=",
                broken=evidence.errors.above(limits.error_rate, alpha * SPEND["errors"]),
                enough=evidence.requests(evidence.window) >= self._rollout.min_requests,
            ),
            _measure(
                "agreement",
                evidence.agreement,
                limits.agreement,
                ">=",
                broken=evidence.agreement.below(limits.agreement, alpha * SPEND["agreement"]),
                enough=evidence.requests(evidence.window) >= self._rollout.min_requests,
            ),
            self._slow(),
            *self._slices(),
            self._calibration(),
            *self._skew(),
        )

    def _slow(self) -> Measure:
        """Slow answers of Gold: broken only when Blue, on the same machine, is better than that."""
        evidence, alpha = self._evidence, self._rollout.alpha * SPEND["slow"]
        limit = self._rollout.guardrails.slow_rate
        broken = evidence.slow.above(limit, alpha / 2)
        if broken:
            broken = evidence.slow.above(evidence.blue_slow.upper(alpha / 2), alpha / 2)
        return _measure(
            f"gold answers slower than {self._rollout.guardrails.latency_ms:g} ms",
            evidence.slow,
            limit,
            "<=",
            broken=broken,
            enough=evidence.slow.n > 0,
            baseline=evidence.blue_slow.mean,
        )

    def _slices(self) -> list[Measure]:
        limit = -self._rollout.guardrails.quality_loss
        alpha = self._rollout.alpha * SPEND["slice"] / _MOST_SLICES
        return [
            _measure(
                f"paired quality difference where {name}",
                sequence,
                limit,
                ">=",
                broken=sequence.below(limit, alpha),
                enough=True,
            )
            for name, sequence in sorted(self._evidence.by_slice.items())
        ]

    def _calibration(self) -> Measure:
        gap = self._evidence.calibration_gap()
        return Measure(
            name="calibration gap",
            value=None if math.isnan(gap) else gap,
            limit=None,
            n=self._evidence.quality.n,
            verdict="hold" if math.isnan(gap) else "pass",
            note="mean outcome minus mean score; shown, not judged",
        )

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


def _measure(
    name: str,
    sequence: ConfidenceSequence,
    limit: float,
    direction: Literal[">=", "<="],
    *,
    broken: bool,
    enough: bool,
    baseline: float = math.nan,
) -> Measure:
    verdict: Verdict = "fail" if broken else "pass" if enough else "hold"
    mean, n = sequence.beyond(limit, below=direction == ">=") if broken else (sequence.mean, sequence.n)
    return Measure(
        name=name,
        value=mean if n else None,
        limit=limit,
        direction=direction,
        baseline=None if math.isnan(baseline) else baseline,
        n=n,
        verdict=verdict,
    )


def _sentence(measure: Measure) -> str:
    """One broken guardrail in words."""
    value = math.nan if measure.value is None else measure.value
    return (
        f"{measure.name} is {value:+.4f} over the last {measure.n} observations, "
        f"beyond the guardrail {measure.direction} {measure.limit:g} with certainty"
    )
