"""The watch over real decision logs: what it counts, when it waits, when it acts."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from bluegold.core.plan import Guardrails, Rollout
from bluegold.delivery.evidence import Comparison, Evidence
from bluegold.delivery.skew import LiveFeatures
from bluegold.delivery.watch import Observation, Watch
from bluegold.features.profile import FeatureProfile, Profile
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.production.results.records import DecisionRecord, Other, OutcomeRecord, microseconds

PLAN = Rollout(min_requests=200, alpha=0.01, guardrails=Guardrails(quality_loss=0.01, agreement=0.8, latency_ms=50))


def record(gold: bool, blue: bool, **changes: Any) -> DecisionRecord:
    """A decision that Blue answered with Gold beside it, unless told otherwise."""
    given: dict[str, Any] = {
        "at": microseconds(),
        "model": "m",
        "version": "v1",
        "color": "blue",
        "value": blue,
        "score": 0.5,
        "revision": 5,
        "latency_us": 900,
        "payload": {"site": "north"},
        "other": Other(color="gold", version="v2", value=gold, score=0.6),
    }
    return DecisionRecord(**{**given, **changes})


def as_gold(gold: bool, blue: bool, **changes: Any) -> DecisionRecord:
    other = Other(color="blue", version="v1", value=blue, score=0.5)
    return record(gold, blue, **{"version": "v2", "color": "gold", "value": gold, "other": other, **changes})


class Bench:
    """A real log, the evidence and the watch over it."""

    def __init__(self, root: Path, features: LiveFeatures | None = None) -> None:
        self.root = root
        self.evidence = Evidence(
            Comparison(model="m", blue="m:v1", gold="m:v2", positive="late", slices=("site",)), 6, features
        )
        self.evidence.begin(5)
        self.watch = Watch(DecisionReader(root), self.evidence, PLAN)

    def write(self, records: list[DecisionRecord], truths: list[Any], worker: int = 0) -> None:
        async def run() -> None:
            log = DecisionLog(self.root, worker)
            await log.write(records)
            labels = [OutcomeRecord(id=r.id, value=t, at=1) for r, t in zip(records, truths, strict=False)]
            await log.write(labels)
            log.close()

        asyncio.run(run())

    def look(self, seconds: float = 60.0, *, users: bool = False) -> Observation:
        self.watch.read()
        return self.watch.look(seconds, hold_s=5.0, users=users)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def same(count: int) -> tuple[list[DecisionRecord], list[bool]]:
    return [record(True, True) for _ in range(count)], [True] * count


def test_enough_good_evidence_advances(bench: Bench) -> None:
    bench.write(*same(250))
    assert bench.look().verdict == "advance"


def test_what_is_missing_is_named(bench: Bench) -> None:
    assert bench.look().reason == "0 of 200 requests seen"
    records, truths = same(250)
    bench.write(records, [])
    assert bench.look().reason == "0 of 100 outcomes reported"
    bench.write(records, truths)
    assert "s held" in bench.look(seconds=1.0).reason
    assert "routed to Gold" in bench.look(users=True).reason
    assert bench.look().verdict == "advance"


def test_missing_labels_never_pass_and_never_trigger(bench: Bench) -> None:
    bench.write([record(True, True) for _ in range(3000)], [])
    assert bench.look(seconds=1e6).verdict == "hold"


def test_lost_quality_rolls_back_by_name(bench: Bench) -> None:
    chance = random.Random(1)
    truths = [True] * 400
    bench.write([record(chance.random() > 0.12, True) for _ in truths], truths)
    found = bench.look()
    assert found.verdict == "rollback"
    assert found.reason.startswith("paired quality difference is -0.1")
    assert found.first_bad_at > 0


def test_gold_that_is_better_is_not_taken_back_for_differing(bench: Bench) -> None:
    chance = random.Random(2)
    bench.write([record(True, chance.random() > 0.1) for _ in range(400)], [True] * 400)
    assert bench.look().verdict == "advance"


def test_gold_errors_roll_back(bench: Bench) -> None:
    records, truths = same(300)
    failed = [record(True, True, other=None, error="ValueError: no", routed="gold") for _ in range(40)]
    bench.write(records + failed, truths)
    found = bench.look()
    assert (found.verdict, "gold error rate" in found.reason) == ("rollback", True)


def test_slow_gold_rolls_back_only_when_blue_is_faster(tmp_path: Path) -> None:
    slow_gold = [as_gold(True, True, latency_us=90_000) for _ in range(300)]
    quick, slow = ([record(True, True, latency_us=us) for _ in range(300)] for us in (900, 90_000))
    gold_only, busy_machine = Bench(tmp_path / "a"), Bench(tmp_path / "b")
    gold_only.write(slow_gold + quick, [True] * 600)
    busy_machine.write(slow_gold + slow, [True] * 600)
    assert "slower than 50 ms" in gold_only.look().reason
    assert busy_machine.look(users=True).verdict == "advance"


def test_a_slice_that_loses_is_found_though_the_whole_does_not(bench: Bench) -> None:
    chance = random.Random(3)
    lost = [record(chance.random() > 0.5, True, payload={"site": "south"}) for _ in range(80)]
    won = [record(True, chance.random() > 0.1, payload={"site": "north"}) for _ in range(900)]
    bench.write(lost + won, [True] * 980)
    found = bench.look()
    assert found.verdict == "rollback"
    assert "site=south" in found.reason


def test_labels_may_come_before_decisions_late_twice_and_by_another_worker(bench: Bench) -> None:
    records, truths = same(250)
    bench.write(records, [])
    for one in records:
        bench.evidence.take([OutcomeRecord(id=one.id, value="late", at=1)])
    bench.evidence.take([OutcomeRecord(id=records[0].id, value="early", at=1)])
    bench.write([], [], worker=1)
    bench.watch.read()
    assert bench.evidence.quality.n == 250
    assert bench.evidence.correct == {"blue": 250, "gold": 250}
    assert truths[0]


def test_other_models_canaries_and_earlier_revisions_do_not_count(bench: Bench) -> None:
    bench.write(
        [
            record(True, True, model="n"),
            record(True, True, canary=True),
            record(True, True, revision=4),
            record(True, True, other=None),
        ],
        [],
    )
    bench.watch.read()
    assert bench.evidence.requests(0) == 0


def test_reading_again_gives_the_same_evidence(bench: Bench) -> None:
    """A controller that was killed reads the log again from the release's first position."""
    chance = random.Random(4)
    bench.write([record(chance.random() > 0.2, True) for _ in range(300)], [True] * 300)
    first = bench.look()
    again = Bench(bench.root).look()
    assert [m.value for m in again.measures] == [m.value for m in first.measures]
    assert again.verdict == first.verdict


def test_each_phase_needs_its_own_requests(bench: Bench) -> None:
    bench.write(*same(250))
    assert bench.look().verdict == "advance"
    bench.evidence.begin(9)
    assert bench.look().reason == "0 of 200 requests seen"


def test_an_online_store_that_nobody_feeds_holds_the_rollout(tmp_path: Path) -> None:
    feature = FeatureProfile(name="temp", kind="number", edges=(0.0,), shares=(0.5, 0.49, 0.01), missing=0.01)
    features = LiveFeatures(Profile(rows=100, features=(feature,)), frozenset({"f"}))
    bench = Bench(tmp_path, features)
    records = [record(True, True, vector=[None], features_digest="f") for _ in range(300)]
    bench.write(records, [True] * 300)
    found = bench.look()
    assert found.verdict == "hold"
    assert "'temp' is missing in 100%" in found.reason


def test_equal_candidates_survive_every_look(tmp_path: Path) -> None:
    """Two thousand labels, looked at every 50: equal models are never taken back (alpha is 1 %)."""
    for seed in range(5):
        bench, chance = Bench(tmp_path / str(seed)), random.Random(seed)
        for _ in range(40):
            batch = [record(chance.random() > 0.05, chance.random() > 0.05) for _ in range(50)]
            bench.evidence.take(batch_with_ids(batch, chance))
            assert bench.watch.look(1.0, hold_s=5.0, users=False).verdict != "rollback"


def batch_with_ids(batch: list[DecisionRecord], chance: random.Random) -> list[Any]:
    for one in batch:
        one.id = f"0-1-{chance.randrange(10**12)}"
    return [*batch, *(OutcomeRecord(id=one.id, value=True, at=1) for one in batch)]
