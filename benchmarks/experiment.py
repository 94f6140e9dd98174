"""Thousands of simulated A/B experiments: how often a difference is called that is none, and how soon a real one is.

The product's own analysis (`delivery/experiment.py`) beside a two-proportion z-test that is looked at as often, and
beside the same test looked at once, when the last outcome is there.

    python benchmarks/experiment.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bluegold.core.nouns import TrafficSplit
from bluegold.core.plan import ExperimentPlan
from bluegold.delivery.experiment import Question, analyse
from bluegold.delivery.sequential import ConfidenceSequence
from bluegold.production.results.records import DecisionRecord, OutcomeRecord

__all__ = ["main"]

RESULT = Path(__file__).parent / "results" / "experiment.json"
PLAN = ExperimentPlan()
EVERY = 250
Z = 1.959964
#: a difference below two standard errors is never called by an always-valid interval, so it is not computed
LEAST_Z = 2.0


class World(NamedTuple):
    """The true rates of both groups."""

    name: str
    blue: float
    gold: float


WORLDS = (
    World("equal, 10 %", 0.10, 0.10),
    World("equal, 50 %", 0.50, 0.50),
    World("equal, 90 %", 0.90, 0.90),
    World("10 % against 11 %", 0.10, 0.11),
    World("10 % against 12 %", 0.10, 0.12),
    World("90 % against 92 %", 0.90, 0.92),
    World("90 % against 87 %", 0.90, 0.87),
)


def called(routed: np.ndarray, good: np.ndarray, alpha: float) -> int:
    """What the product's interval says of the pairs: 1 Gold, -1 Blue, 0 nothing."""
    gold, blue = good[routed], good[~routed]
    both = min(len(gold), len(blue))
    gaps = gold[:both].astype(int) - blue[:both].astype(int)
    pairs = ConfidenceSequence((-1, 0, 1))
    for step in (-1, 0, 1):
        pairs.add(step, int((gaps == step).sum()))
    if pairs.lower(alpha / 2) > 0.0:
        return 1
    return -1 if pairs.upper(alpha / 2) < 0.0 else 0


def run(world: World, random: np.random.Generator) -> dict[str, tuple[int, int]]:
    """One experiment: rule -> what was called, and after how many outcomes."""
    routed = random.random(PLAN.most) < PLAN.share
    good = random.random(PLAN.most) < np.where(routed, world.gold, world.blue)
    found: dict[str, tuple[int, int]] = {}
    for seen in range(EVERY, PLAN.most + 1, EVERY):
        n = np.array([seen - routed[:seen].sum(), routed[:seen].sum()])
        wins = np.array([(good[:seen] & ~routed[:seen]).sum(), (good[:seen] & routed[:seen]).sum()])
        rate, pooled = wins / n, wins.sum() / seen
        z = float((rate[1] - rate[0]) / max(np.sqrt(pooled * (1 - pooled) * (1 / n).sum()), 1e-12))
        if abs(z) > Z:
            found.setdefault("peeked", (1 if z > 0 else -1, seen))
        if seen == PLAN.most:
            found["once"] = (1 if z > Z else -1 if z < -Z else 0, seen)
        if "bluegold" not in found and seen >= PLAN.least and abs(z) > LEAST_Z:
            said = called(routed[:seen], good[:seen], PLAN.alpha)
            if said:
                found["bluegold"] = (said, seen)
    return found


def agrees(random: np.random.Generator) -> bool:
    """Whether record by record through `analyse` the product says what this file computes from counts."""
    splits = [TrafficSplit(model="m", revision=1, blue="m:v1", gold="m:v2", gold_share=0.5, mode="canary")]
    for world in WORLDS[-2:]:
        routed = random.random(6_000) < 0.5
        good = random.random(6_000) < np.where(routed, world.gold, world.blue)
        records: list[Any] = []
        for place in range(6_000):
            color = "gold" if routed[place] else "blue"
            decision = {"color": color, "routed": color, "value": True, "score": 0.5, "revision": 1, "id": str(place)}
            records.append(DecisionRecord(at=1, model="m", version="v1", **decision))
            records.append(OutcomeRecord(id=str(place), value=bool(good[place]), at=2))
        verdict = analyse(records, splits, Question(metric="outcome", alpha=PLAN.alpha)).verdict
        if {"gold is better": 1, "blue is better": -1}.get(verdict, 0) != called(routed, good, PLAN.alpha):
            return False
    return True


def rows(count: int) -> list[list[Any]]:
    """The table."""
    names = {
        "bluegold": f"bluegold, always valid, looked at every {EVERY} outcomes",
        "peeked": f"z-test at 5 %, looked at every {EVERY} outcomes",
        "once": f"z-test at 5 %, once, after {PLAN.most:,} outcomes",
    }
    table = []
    for world in WORLDS:
        random = np.random.default_rng(11)
        found = [run(world, random) for _ in range(count)]
        truth = int(np.sign(world.gold - world.blue))
        for rule, name in names.items():
            said = [one.get(rule, (0, PLAN.most)) for one in found]
            wrong = np.mean([call not in {0, truth} for call, _ in said])
            right = np.mean([call == truth for call, _ in said]) if truth else float("nan")
            times = [seen for call, seen in said if call == truth and truth]
            middle = f"{np.median(times):,.0f}" if len(times) * 2 > count else "-"
            table.append([name, world.name, f"{wrong:.1%}", f"{right:.1%}" if truth else "-", middle])
    return table


def main() -> None:
    """Simulate, print, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    began = time.perf_counter()
    if not agrees(np.random.default_rng(5)):
        raise SystemExit("the product's analysis says something else than this benchmark")
    count = 20 if given.quick else 1_000
    found = rows(count)
    result = {
        "title": "Experiments: differences called that are none, and outcomes until a real one is called",
        "what": f"{count:,} simulated champion-challenger experiments a row, half of the users each, up to "
        f"{PLAN.most:,} outcomes; the level is {PLAN.alpha:.0%}. 'Wrong' is a winner that is none.",
        "command": "python benchmarks/experiment.py",
        "machine": f"{os.cpu_count()} cores, {time.perf_counter() - began:.0f} s (a simulation: nothing is timed)",
        "columns": ["rule", "true rates, Blue and Gold", "called wrongly", "called rightly", "median outcomes"],
        "rows": found,
        "notes": [
            "an interval that may be looked at at any time costs outcomes: the price of not being called wrongly",
            "where both answers are judged on the same request, the canary's evidence needs far fewer (see Canary)",
        ],
    }
    for line in found:
        print("  ".join(f"{cell!s:<14}" for cell in line))
    if not given.quick:
        RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")


if __name__ == "__main__":
    main()
