"""How gates write their reports: measures against limits, the worst verdict wins, missing evidence holds."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Literal

from bluegold.core.nouns import GateReport, Measure, Requirement, Verdict, now

__all__ = ["against", "failed", "judge", "report", "shown"]


def judge(value: float | None, limit: float | None, direction: Literal[">=", "<="]) -> Verdict:
    """Hold a value against a limit; no value, or no number, is ``hold``.

    Example:
        >>> judge(0.9, 0.88, ">="), judge(0.9, 0.95, ">="), judge(None, 0.88, ">="), judge(float("nan"), 1.0, "<=")
        ('pass', 'fail', 'hold', 'hold')
    """
    if value is None or math.isnan(value):
        return "hold"
    if limit is None:
        return "pass"
    return "pass" if (value >= limit if direction == ">=" else value <= limit) else "fail"


def against(row: Requirement, value: float | None, n: int, note: str = "") -> Measure:
    """A measure held against a requirement's threshold."""
    direction: Literal[">=", "<="] = "<=" if row.direction == "<=" else ">="
    reason = f"limit changed: {row.reason}" if row.reason else ""
    return Measure(
        name=f"{row.id} {row.title.lower()}",
        value=value,
        limit=row.threshold,
        direction=direction,
        unit=row.unit,
        n=n,
        verdict=judge(value, row.threshold, direction),
        note="; ".join(text for text in (note, reason) if text),
    )


def shown(name: str, value: float | None, *, unit: str = "", n: int = 0, note: str = "") -> Measure:
    """A measure that stands beside the others and decides nothing."""
    return Measure(name=name, value=value, limit=None, unit=unit, n=n, verdict="pass", note=note)


def failed(measures: Sequence[Measure]) -> dict[str, float | None]:
    """The measures that missed their limit, with their values."""
    return {measure.name: measure.value for measure in measures if measure.verdict == "fail"}


def report(gate: str, candidate: str, measures: Sequence[Measure], started: float) -> GateReport:
    """The gate's report; its reason says in one sentence what decided.

    Args:
        gate: name, for example ``1 model``.
        candidate: the version.
        measures: everything that was measured.
        started: ``time.monotonic()`` when the gate began.

    Example:
        >>> report("1 model", "m:v1", [], time.monotonic()).verdict
        'hold'
    """
    verdict: Verdict = "pass"
    if any(measure.verdict == "fail" for measure in measures):
        verdict = "fail"
    elif not measures or any(measure.verdict == "hold" for measure in measures):
        verdict = "hold"
    return GateReport(
        gate=gate,
        candidate=candidate,
        verdict=verdict,
        measures=tuple(measures),
        reason=_reason(verdict, measures),
        seconds=round(time.monotonic() - started, 4),
        at=now(),
    )


def _reason(verdict: Verdict, measures: Sequence[Measure]) -> str:
    if verdict == "pass":
        return "every threshold is met"
    if not measures:
        return "nothing could be measured"
    return "; ".join(_sentence(measure) for measure in measures if measure.verdict == verdict)[:600]


def _sentence(measure: Measure) -> str:
    value = "is not measured" if measure.value is None else f"is {measure.value:.6g}"
    limit = "" if measure.limit is None else f", needed {measure.direction} {measure.limit:g}"
    unit = f" {measure.unit}" if measure.unit else ""
    note = f" ({measure.note})" if measure.note else ""
    return f"{measure.name} {value}{limit}{unit}{note}"
