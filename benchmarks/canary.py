"""Thousands of simulated rollouts: how often a good candidate is taken back, and how soon a bad one is caught.

The product's own rule decides (`delivery/sequential.py` with the shares of alpha of `delivery/guardrails.py`), many
rollouts at once; a sample of them is judged again by the product's `Evidence` and `findings`, record by record, and
must fall at the same look.  Beside it stand fixed-threshold checks as Argo Rollouts and Flagger do them.

    python benchmarks/canary.py [--quick]
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

import canary_attributions as attributions
from bluegold.core.plan import Rollout
from bluegold.delivery.evidence import Comparison, Evidence
from bluegold.delivery.guardrails import SPEND, findings
from bluegold.delivery.sequential import certainly_worse, log_capital, start_weights
from bluegold.production.results.records import DecisionRecord, Other, OutcomeRecord

__all__ = ["main"]

PAIRED = np.array([-1.0, 0.0, 1.0])
SHARES = np.array([0.0, 1.0])
PLAN = Rollout()
STARTS = 10
SLICES = 3
PHASE = 400  # requests in each phase of the rollout, until the last
CAP = 40_000  # requests of one rollout
RATES = (1, 10, 100)
HOUR = 3600
ERRORS, ACCURACY = 0.002, 0.95
Ints = npt.NDArray[np.int64]


class World(NamedTuple):
    """What is true of a candidate: how often only it is wrong, only Blue is wrong, only it fails, only Blue fails."""

    loses: float
    wins: float
    fails: float = ERRORS
    blue_fails: float = ERRORS


class Fixed(NamedTuple):
    """A fixed-threshold check: every ``interval`` seconds; rolled back at the ``limit``-th failed check."""

    name: str
    interval: int
    limit: int
    success: float
    accuracy: float


EQUAL = World(0.03, 0.03)
WORLDS = {
    "equal, differs on 6 %": EQUAL,
    "equal, differs on 10 %": World(0.05, 0.05),
    "loses 0.5 points (half of what is tolerated)": World(0.0325, 0.0275),
    "accuracy -3 points": World(0.045, 0.015),
    "accuracy -3 points, differs on 9 %": World(0.06, 0.03),
    "accuracy -5 points": World(0.065, 0.015),
    "accuracy -10 points": World(0.115, 0.015),
    "errors +2 points": World(0.03, 0.03, fails=ERRORS + 0.02),
}
FIXED = (
    Fixed("Flagger's example (1 min, 5 failed checks, success >= 99 %; accuracy >= 94 %)", 60, 5, 0.99, 0.94),
    Fixed("Argo Rollouts' example (5 min, failureLimit 3, success >= 95 %; accuracy >= 94 %)", 300, 4, 0.95, 0.94),
    Fixed("Argo Rollouts, first failed check (failureLimit 0, the default; success >= 99 %)", 300, 1, 0.99, 0.94),
)


def looks(cap: int) -> list[int]:
    """After how many requests one looks."""
    return [*range(20, min(cap, 4000) + 1, 20), *range(4100, cap + 1, 100)]


class Counts:
    """Running counts of many rollouts, by start."""

    def __init__(self, paths: int) -> None:
        self.quality: Ints = np.zeros((SLICES, paths, STARTS, 3), dtype=np.int64)
        self.faults: Ints = np.zeros((paths, STARTS, 3), dtype=np.int64)

    def add(self, worlds: World, count: int, begun: int, random: np.random.Generator) -> None:
        """``count`` more requests in each rollout; they count for every phase that has begun."""
        paths = self.faults.shape[0]
        ways = [worlds.loses, 1.0 - worlds.loses - worlds.wins, worlds.wins]
        parts = random.multinomial(count, [1.0 / SLICES] * SLICES, size=paths)
        for number in range(SLICES):
            self.quality[number, :, :begun] += random.multinomial(parts[:, number], ways)[:, None, :]
        failing = [worlds.fails, 1.0 - worlds.fails - worlds.blue_fails, worlds.blue_fails]
        self.faults[:, :begun] += random.multinomial(count, failing, size=paths)[:, None, :]

    def keep(self, alive: npt.NDArray[np.bool_]) -> None:
        """Only the rollouts that go on."""
        self.quality, self.faults = self.quality[:, alive], self.faults[alive]

    def broken(self) -> npt.NDArray[np.bool_]:
        """Which rollouts the product's rule takes back at this look."""
        limits, alpha = PLAN.guardrails, PLAN.alpha
        total = self.quality.sum(axis=0)
        found = certainly_worse(PAIRED, total, -limits.quality_loss, alpha * SPEND["quality"])
        found |= certainly_worse(PAIRED, self.faults, -limits.error_rate, alpha * SPEND["errors"])
        for part in self.quality:
            found |= certainly_worse(PAIRED, part, -limits.quality_loss, alpha * SPEND["slice"] / 12)
        same = np.stack([total[..., 0] + total[..., 2], total[..., 1]], axis=-1)
        logs = log_capital(SHARES, same, limits.agreement, 1.0) + np.log(start_weights(STARTS))
        agreed: npt.NDArray[np.bool_] = np.logaddexp.reduce(logs, axis=-1) >= math.log(
            1.0 / (alpha * SPEND["agreement"])
        )
        return found | agreed


def ours(world: World, paths: int, cap: int, seed: int, late: int = 0) -> npt.NDArray[np.float64]:
    """(paths,) requests until each rollout is taken back; inf when it never is.

    ``late``: that many requests of an equal candidate come first.
    """
    random, counts = np.random.default_rng(seed), Counts(paths)
    caught = np.full(paths, math.inf)
    alive = np.arange(paths)
    seen = 0
    for look in looks(cap):
        begun = min(seen // PHASE, STARTS - 5) + 1
        counts.add(EQUAL if seen < late else world, look - seen, begun, random)
        seen = look
        broken = counts.broken()
        if broken.any():
            caught[alive[broken]] = look - late
            alive = alive[~broken]
            counts.keep(~broken)
            if not len(alive):
                break
    return caught


def fixed(check: Fixed, world: World, rate: int, paths: int, seed: int) -> dict[str, npt.NDArray[np.float64]]:
    """Requests until each of many rollouts of one hour falls to a check of errors, and to one of accuracy."""
    random = np.random.default_rng(seed)
    number = HOUR // check.interval
    requests = random.poisson(rate * check.interval, size=(paths, number))
    accuracy = ACCURACY - world.loses + world.wins
    found = {}
    for name, share, least in (("errors", 1.0 - world.fails, check.success), ("accuracy", accuracy, check.accuracy)):
        good = random.binomial(requests, share)
        bad = ((requests > 0) & (good < least * requests)).cumsum(axis=1)
        over = bad >= check.limit
        spent = requests.cumsum(axis=1)
        first = spent[np.arange(paths), over.argmax(axis=1)].astype(float)
        found[name] = np.where(over.any(axis=1), first, math.inf)
    return found


def product(world: World, cap: int, seed: int) -> float:
    """Requests until the product itself takes one rollout back: real records, `Evidence` and `findings`."""
    random = np.random.default_rng(seed)
    evidence = Evidence(Comparison(model="m", blue="m:v1", gold="m:v2", slices=("part",)), STARTS)
    evidence.begin(1)
    rollout = msgspec.structs.replace(PLAN, guardrails=msgspec.structs.replace(PLAN.guardrails, calibration=1.0))
    seen = 0
    for look in looks(cap):
        if seen // PHASE > evidence.window and evidence.window < STARTS - 5:
            evidence.begin(len(evidence.revisions) + 1)
        records: list[Any] = []
        for way, failing, part in zip(
            random.random(look - seen), random.random(look - seen), random.integers(0, SLICES, look - seen), strict=True
        ):
            records += _pair(world, way, failing, int(part), len(records), revision=len(evidence.revisions))
        evidence.take(records)
        seen = look
        if any(one.measure.verdict == "fail" for one in findings(evidence, rollout, 1)):
            return float(look)
    return math.inf


def _pair(world: World, way: float, failing: float, part: int, number: int, *, revision: int) -> list[Any]:
    """One request with its outcome (true): who was right, and whether somebody failed."""
    common: dict[str, Any] = {"at": 1, "model": "m", "id": str(number), "revision": revision, "payload": {"part": part}}
    if failing < world.fails:
        return [DecisionRecord(version="v1", color="blue", value=True, score=0.9, error="x", **common)]
    if failing > 1.0 - world.blue_fails:
        return [DecisionRecord(version="v2", color="gold", value=True, score=0.9, **common)]
    gold, blue = way >= world.loses, way <= 1.0 - world.wins
    other = Other(color="gold", version="v2", value=bool(gold), score=0.9)
    record = DecisionRecord(version="v1", color="blue", value=bool(blue), score=0.9, other=other, **common)
    return [record, OutcomeRecord(id=str(number), value=True, at=1)]


def _cells(times: npt.NDArray[np.float64]) -> list[str]:
    caught = np.isfinite(times)
    ordered = np.sort(times)
    middle, most = ordered[len(times) // 2], ordered[int(len(times) * 0.9)]
    return [f"{caught.mean():.1%}", _count(middle), _count(most)]


def _count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "never"


def table(paths: int, cap: int) -> list[list[str]]:
    """One row for each rule, situation and rate."""
    rows = []
    for name, world in WORLDS.items():
        times = ours(world, paths, cap, seed=11)
        rows.append(["bluegold", name, "any", *_cells(times)])
    rows.append(
        [
            "bluegold",
            "accuracy -3 points, begins after 2,000 good requests",
            "any",
            *_cells(ours(WORLDS["accuracy -3 points"], paths, cap, seed=12, late=2000)),
        ]
    )
    for rate in RATES:
        for name in ("accuracy -3 points", "errors +2 points"):
            times = ours(WORLDS[name], paths, min(cap, rate * HOUR), seed=13)
            rows.append(["bluegold, one hour", name, f"{rate}/s", *_cells(times)])
    for check in FIXED:
        for rate in RATES:
            good = fixed(check, EQUAL, rate, paths, seed=14)
            both = np.minimum(good["errors"], good["accuracy"])
            rows.append([check.name, "equal, differs on 6 %", f"{rate}/s", *_cells(both)])
            for name, metric in (("accuracy -3 points", "accuracy"), ("errors +2 points", "errors")):
                found = fixed(check, WORLDS[name], rate, paths, seed=15)[metric]
                rows.append([check.name, name, f"{rate}/s", *_cells(found)])
    for name, gain in attributions.SITUATIONS.items():
        times = attributions.paused(gain, paths, seed=17)
        rows.append(["bluegold, attribution shift: pauses for a person", name, "any", *_cells(times)])
    return rows


def same_as_product(count: int) -> tuple[float, float]:
    """Median requests to catch a loss of ten points: by the product record by record, and by the driver."""
    world = WORLDS["accuracy -10 points"]
    records = np.median([product(world, 2000, seed) for seed in range(count)])
    return float(records), float(np.median(ours(world, 2000, 2000, seed=16)))


def main(argv: list[str] | None = None) -> int:
    """Run and write `benchmarks/results/canary.json`."""
    parser = argparse.ArgumentParser(description="Simulated rollouts.")
    parser.add_argument("--quick", action="store_true", help="a smoke run; writes nothing")
    quick = parser.parse_args(argv).quick
    began = time.perf_counter()
    rows = table(60 if quick else 4000, 2000 if quick else CAP)
    one, many = same_as_product(5 if quick else 60)
    shift_one, shift_many = attributions.same_as_product(5 if quick else 40, seed=18)
    result = {
        "title": "Canary: false rollbacks, and requests until a bad candidate is caught",
        "what": (
            f"{60 if quick else 4000:,} simulated rollouts a row, up to {CAP:,} requests each, looked at every 20 "
            "requests (every 100 after 4,000) with the product's own rule at its nominal level of 1 %: quality, "
            "errors, agreement and three slices at once (latency, calibration and shifts are left "
            "out there). Requests are those Gold is asked about: with bluegold that is every request, "
            "answered or in its shadow; a fixed-threshold canary sees its own share only. Labels come at once. Blue is "
            f"right on {ACCURACY:.0%}; each colour alone fails on {ERRORS:.1%}. 'Caught' is 'taken back': for equal "
            "candidates it is a false rollback. Fixed checks watch for one hour."
        ),
        "command": "python benchmarks/canary.py",
        "machine": f"{os.cpu_count()} cores, {time.perf_counter() - began:.0f} s (a simulation: nothing is timed)",
        "columns": ["rule", "candidate", "Gold requests", "taken back", "median requests", "p90 requests"],
        "rows": rows,
        "notes": [
            (
                "the promise is P(rollback) <= 1 % for a candidate that is no worse than Blue; a loss inside the "
                "tolerated point is not promised to stay, but measured here"
            ),
            (
                f"driver against product, accuracy -10 points: median {many:,.0f} requests against {one:,.0f} "
                "(records through Evidence and findings, one by one)"
            ),
            (
                "attribution shift pauses for a person and takes nothing back; 'taken back' is 'paused' in its rows, "
                f"and requests are those that were explained, in {attributions.PHASES} phases of "
                f"{attributions.PHASE}. Each model's shares of {attributions.FEATURES} features are drawn for "
                f"themselves (Dirichlet, concentration {attributions.SPREAD:g}): real models agree more on one "
                f"request. Driver against product, 50 points: median {shift_many:,.0f} against {shift_one:,.0f}. "
                "Fixed checks know no attributions"
            ),
            (
                "the fixed checks' thresholds are those of their documented examples; for accuracy, which neither "
                "knows, the tolerated loss of one point is used as the threshold"
            ),
        ],
    }
    text = msgspec.json.format(msgspec.json.encode(result), indent=1)
    if not quick:
        target = Path(__file__).parent / "results" / "canary.json"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(text + b"\n")
    for row in rows:
        sys.stdout.write(" | ".join(row) + "\n")
    sys.stdout.write(f"driver {many:,.0f}, product {one:,.0f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
