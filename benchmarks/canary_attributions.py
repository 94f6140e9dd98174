"""Simulated rollouts watched for attribution shift: how often and how soon a person is asked.

The rule is the product's (`delivery/attribution_shift.py`): differences of the shares of the attributions, Gold minus
Blue, on the first requests of every phase; many rollouts at once, some of them judged again by `ConfidenceSequence`.
Part of `python benchmarks/canary.py`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bluegold.core.plan import Rollout
from bluegold.delivery.attribution_shift import BATCH, STEPS
from bluegold.delivery.guardrails import SPEND
from bluegold.delivery.sequential import ConfidenceSequence, log_capital, start_weights

__all__ = ["FEATURES", "SITUATIONS", "paused", "same_as_product"]

FEATURES = 10
PHASES, PHASE, STARTS = 5, 400, 10
#: how far the shares of one request lie from their mean: a Dirichlet distribution of this concentration
SPREAD = 8.0
LIMIT = Rollout().guardrails.attribution_shift
LEVEL = Rollout().alpha * SPEND["attribution_shift"] / (2 * FEATURES)
VALUES = np.arange(-STEPS, STEPS + 1) / STEPS
#: how many points of the attributions one feature gains from the nine others
SITUATIONS = {
    "attributions alike": 0.0,
    "one feature gains 20 points of the attributions (25 are tolerated)": 0.20,
    "one feature gains 35 points": 0.35,
    "one feature gains 50 points": 0.50,
}
Array = npt.NDArray[np.float64]


def paused(gain: float, paths: int, seed: int) -> Array:
    """(paths,) explained requests until each rollout pauses for a person; inf when it never does."""
    random = np.random.default_rng(seed)
    since = np.zeros((paths, FEATURES, PHASES, len(VALUES)), dtype=np.float32)
    rest = np.zeros((paths, FEATURES))
    caught = np.full(paths, math.inf)
    alive = np.arange(paths)
    for seen in range(1, PHASES * PHASE + 1):
        begun = (seen - 1) // PHASE + 1
        steps, rest = _rounded(_differences(gain, len(alive), random) + rest)
        rows, columns = np.indices(steps.shape)
        for start in range(begun):
            since[rows, columns, start, steps + STEPS] += 1
        if seen % BATCH == 0:
            broken = _broken(since[:, :, :begun])
            caught[alive[broken]] = seen
            alive, since, rest = alive[~broken], since[~broken], rest[~broken]
            if not len(alive):
                break
    return caught


def same_as_product(paths: int, seed: int) -> tuple[float, float]:
    """Median requests to pause where one feature gains 50 points: by `ConfidenceSequence`, and by the driver."""
    random = np.random.default_rng(seed)
    found = [_one(0.5, random) for _ in range(paths)]
    return float(np.median(found)), float(np.median(paused(0.5, paths, seed + 1)))


def _one(gain: float, random: np.random.Generator) -> float:
    sequences = [ConfidenceSequence(VALUES.tolist(), STARTS) for _ in range(FEATURES)]
    rest = np.zeros((1, FEATURES))
    for seen in range(1, PHASES * PHASE + 1):
        steps, rest = _rounded(_differences(gain, 1, random) + rest)
        for sequence, step in zip(sequences, steps[0], strict=True):
            sequence.add(float(VALUES[step + STEPS]), window=(seen - 1) // PHASE)
        if seen % BATCH == 0 and any(one.above(LIMIT, LEVEL) or one.below(-LIMIT, LEVEL) for one in sequences):
            return float(seen)
    return math.inf


def _differences(gain: float, paths: int, random: np.random.Generator) -> Array:
    """(paths, FEATURES) what Gold's shares differ from Blue's on one request, each drawn for itself."""
    blue = np.full(FEATURES, 1.0 / FEATURES)
    gold = blue - gain / (FEATURES - 1)
    gold[0] = blue[0] + gain
    drawn = [random.dirichlet(np.maximum(one, 1e-3) * SPREAD, size=paths) for one in (gold, blue)]
    found: Array = drawn[0] - drawn[1]
    return found


def _rounded(wanted: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """Steps of the grid, and what rounding leaves over for the next request."""
    steps = np.clip(np.round(wanted * STEPS), -STEPS, STEPS).astype(np.int64)
    return steps, wanted - steps / STEPS


def _broken(since: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which rollouts pause at this look; starts that lie ahead have won nothing yet."""
    weights = np.log(start_weights(STARTS))
    begun = since.shape[2]
    found = np.zeros(since.shape[:2], dtype=bool)
    for values in (VALUES, -VALUES):
        logs = np.broadcast_to(weights, (*since.shape[:2], STARTS)).copy()
        logs[:, :, :begun] += log_capital(values, since, -LIMIT, 1.0)
        found |= np.logaddexp.reduce(logs, axis=-1) >= math.log(1.0 / LEVEL)
    return np.asarray(found.any(axis=1))
