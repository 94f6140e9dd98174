"""Execution: ask the model that answers and, beside it, the one that is compared.

A bulkhead stands around Gold: whatever goes wrong there is counted against Gold and stays there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from bluegold.core.errors import BluegoldError, ServingError
from bluegold.core.nouns import Color
from bluegold.production.lanes import Lane, Lanes, Sample, Scored
from bluegold.production.results.records import Other

__all__ = ["FAULTS", "Outcome", "execute"]

T = TypeVar("T")

FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BluegoldError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""All that code of a candidate can raise; stopping and interrupting are not among it."""


class Outcome(NamedTuple):
    """Who answered what, what the other colour says, and how Gold failed if it did."""

    color: Color
    sample: Sample
    scored: Scored
    other: Other | None = None
    error: str = ""


def execute(lanes: Lanes, routed: Color, sample: Sample, gold_row: Any) -> Outcome:
    """Score one row.

    Args:
        lanes: what answers at this moment.
        routed: the colour the request belongs to.
        sample: the row as Blue prepared it.
        gold_row: the row as Gold decoded it, an error when Gold could not, None to share Blue's sample.

    Raises:
        ServingError: Blue failed and no Gold was there to answer.
    """
    if not lanes.gold_listens:
        return Outcome("blue", sample, _finite(lanes.blue, sample))
    seen, gold, fault = _ask_gold(lanes, sample, gold_row)
    if routed == "gold" and gold is not None:
        blue, _ = _attempt(lambda: _finite(lanes.blue, sample))
        return Outcome("gold", seen, gold, _other("blue", lanes.blue, blue))
    return Outcome("blue", sample, _finite(lanes.blue, sample), _other("gold", lanes.gold, gold), fault)


def _ask_gold(lanes: Lanes, sample: Sample, gold_row: Any) -> tuple[Sample, Scored | None, str]:
    lane = lanes.gold
    if lane is None:
        return sample, None, f"Gold is not there: {lanes.gold_fault or 'the split names none'}"
    if isinstance(gold_row, Exception):
        return sample, None, _say(gold_row)
    seen: Sample | None = sample
    if gold_row is not None:
        seen, fault = _attempt(lambda: lane.prepare(gold_row))
        if seen is None:
            return sample, None, fault
    prepared = seen or sample
    gold, fault = _attempt(lambda: _finite(lane, prepared))
    return prepared, gold, fault


def _finite(lane: Lane, sample: Sample) -> Scored:
    scored = lane.score(sample)
    if not math.isfinite(scored.score):
        raise ServingError(f"version {lane.version} answered with the score {scored.score}", subject=lane.version)
    return scored


def _attempt(ask: Callable[[], T]) -> tuple[T | None, str]:
    try:
        return ask(), ""
    except FAULTS as error:
        return None, _say(error)


def _say(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _other(color: Color, lane: Lane | None, scored: Scored | None) -> Other | None:
    if lane is None or scored is None:
        return None
    return Other(
        color=color, version=lane.version, value=scored.value, score=scored.score, latency_us=scored.latency_us
    )
