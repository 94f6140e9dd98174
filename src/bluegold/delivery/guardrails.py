"""The guardrails of a rollout: each a measure with its own always-valid rule and its share of the level alpha.

*Paired* guardrails (quality, slices, errors) compare Gold with Blue on the same request: broken when Gold is
certainly worse and the measured loss lies beyond the tolerated one.  *Absolute* ones (agreement, slow answers,
prediction shift, calibration) are broken when the bound itself lies beyond the limit.  The shares add up to one, so
a candidate inside all of them is taken back with probability at most alpha over the whole release.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from bluegold.core.nouns import Measure, Verdict
from bluegold.core.plan import Guardrail, Rollout
from bluegold.delivery.evidence import Evidence
from bluegold.delivery.sequential import ConfidenceSequence

__all__ = ["SPEND", "Finding", "findings"]

#: Share of alpha that each guardrail may spend.
SPEND: dict[Guardrail, float] = {
    "quality": 0.5,
    "errors": 0.2,
    "slice": 0.1,
    "slow": 0.04,
    "agreement": 0.04,
    "prediction_shift": 0.04,
    "calibration": 0.04,
    "attribution_shift": 0.04,
}

_MOST_SLICES = 12
_HALF_STEP = 0.01


class Finding(msgspec.Struct, frozen=True):
    """What one guardrail says at one look."""

    guardrail: Guardrail
    measure: Measure


def findings(evidence: Evidence, rollout: Rollout, labels_needed: int) -> tuple[Finding, ...]:
    """Every guardrail at this moment.

    Args:
        evidence: the counts.
        rollout: the plan's limits and alpha.
        labels_needed: labelled pairs without which quality is not judged to hold.

    Example:
        >>> from bluegold.delivery.evidence import Comparison
        >>> seen = Evidence(Comparison(model="m", blue="m:v1", gold="m:v2"), starts=2)
        >>> seen.begin(1)
        >>> {found.measure.verdict for found in findings(seen, Rollout(), 150)}
        {'hold'}
        >>> round(sum(SPEND.values()), 9)
        1.0
    """
    window, limits = evidence.window, rollout.guardrails
    asked = evidence.requests(window) >= rollout.min_requests
    labelled = evidence.quality.n_of(window) >= labels_needed
    return (
        _paired(
            "quality", "paired quality difference", evidence.quality, -limits.quality_loss, rollout, enough=labelled
        ),
        _errors(evidence, rollout, enough=asked),
        _agreement(evidence, rollout, enough=asked),
        _slow(evidence, rollout),
        *_slices(evidence, rollout),
        _calibration(evidence, rollout, enough=labelled),
        _prediction_shift(evidence, rollout, enough=asked),
        *_attribution_shift(evidence, rollout),
    )


def _alpha(name: Guardrail, rollout: Rollout) -> float:
    return rollout.alpha * SPEND[name]


def _paired(
    guardrail: Guardrail,
    name: str,
    sequence: ConfidenceSequence,
    limit: float,
    rollout: Rollout,
    *,
    enough: bool,
    among: int = 1,
) -> Finding:
    broken = sequence.worse(limit, _alpha(guardrail, rollout) / among)
    return Finding(guardrail, _measure(name, sequence, limit, ">=", broken=broken, enough=enough))


def _errors(evidence: Evidence, rollout: Rollout, *, enough: bool) -> Finding:
    """Requests on which Gold failed and Blue did not, against those the other way round."""
    limit = rollout.guardrails.error_rate
    broken = evidence.faults.worse(-limit, _alpha("errors", rollout))
    return Finding("errors", _measure("gold error rate", evidence.errors, limit, "<=", broken=broken, enough=enough))


def _agreement(evidence: Evidence, rollout: Rollout, *, enough: bool) -> Finding:
    limit, sequence = rollout.guardrails.agreement, evidence.agreement
    broken = sequence.below(limit, _alpha("agreement", rollout))
    return Finding("agreement", _measure("agreement", sequence, limit, ">=", broken=broken, enough=enough))


def _slow(evidence: Evidence, rollout: Rollout) -> Finding:
    """Slow answers of Gold (the latency quantile 1 - ``slow_rate``): broken only when Blue beside it is quicker."""
    alpha, limits = _alpha("slow", rollout) / 2, rollout.guardrails
    broken = evidence.slow.above(limits.slow_rate, alpha)
    if broken:
        broken = evidence.slow.above(evidence.blue_slow.upper(alpha), alpha)
    measure = _measure(
        f"gold answers slower than {limits.latency_ms:g} ms",
        evidence.slow,
        limits.slow_rate,
        "<=",
        broken=broken,
        enough=evidence.slow.n > 0,
        baseline=evidence.blue_slow.mean,
    )
    return Finding("slow", measure)


def _slices(evidence: Evidence, rollout: Rollout) -> list[Finding]:
    limit = -rollout.guardrails.quality_loss
    return [
        _paired(
            "slice",
            f"paired quality difference where {name}",
            sequence,
            limit,
            rollout,
            enough=True,
            among=_MOST_SLICES,
        )
        for name, sequence in sorted(evidence.by_slice.items())
    ]


def _calibration(evidence: Evidence, rollout: Rollout, *, enough: bool) -> Finding:
    """Mean outcome minus mean score of Gold; broken only when Blue's own gap on the same requests is tolerated."""
    limit, alpha = rollout.guardrails.calibration, _alpha("calibration", rollout) / 2
    gap, blue, sequence = evidence.calibration_gap(), evidence.calibration_gap("blue"), evidence.residuals
    broken = abs(gap) > limit >= abs(blue) and (
        sequence.above(limit + _HALF_STEP, alpha) if gap > 0 else sequence.below(-limit - _HALF_STEP, alpha)
    )
    verdict: Verdict = "fail" if broken else "pass" if enough else "hold"
    measure = Measure(
        name="calibration gap",
        value=None if math.isnan(gap) else abs(gap),
        limit=limit,
        direction="<=",
        baseline=None if math.isnan(blue) else abs(blue),
        n=evidence.quality.n,
        verdict=verdict,
        note="mean outcome minus mean score",
    )
    return Finding("calibration", measure)


def _prediction_shift(evidence: Evidence, rollout: Rollout, *, enough: bool) -> Finding:
    """Share of positive answers, Gold minus Blue on the same requests."""
    limit, alpha = rollout.guardrails.prediction_shift, _alpha("prediction_shift", rollout) / 2
    sequence = evidence.positives
    broken = sequence.above(limit, alpha) or sequence.below(-limit, alpha)
    verdict: Verdict = "fail" if broken else "pass" if enough else "hold"
    measure = Measure(
        name="shift of the share of positive answers",
        value=abs(sequence.mean) if sequence.n else None,
        limit=limit,
        direction="<=",
        n=sequence.n,
        verdict=verdict,
    )
    return Finding("prediction_shift", measure)


def _attribution_shift(evidence: Evidence, rollout: Rollout) -> list[Finding]:
    """The feature whose share of the attributions changed most, on the same requests."""
    limit = rollout.guardrails.attribution_shift
    worst = evidence.reasons.worst(limit, _alpha("attribution_shift", rollout)) if evidence.reasons else None
    if worst is None:
        return []
    measure = Measure(
        name=f"shift of the share of attributions: {worst.feature}",
        value=abs(worst.change),
        limit=limit,
        direction="<=",
        unit="share",
        n=worst.n,
        verdict="fail" if worst.broken else "pass",
    )
    return [Finding("attribution_shift", measure)]


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
