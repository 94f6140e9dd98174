"""Model-level and pipeline-level releases: what each may change, and both versions' histories beside each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import msgspec
import numpy as np
import polars as pl
import pytest

import bluegold as bg
from bluegold.core.nouns import Measure
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.gating import GATES
from bluegold.development import develop
from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram
from bluegold.registry import Registry
from bluegold.stores import connect

START = dt.datetime(2024, 3, 1)
MICROSECOND = dt.timedelta(microseconds=1)


class Visit(bg.Contract):
    """One visit to a shop."""

    customer: str = bg.text(max_length=12)
    page: str = bg.category(unknown="flag")
    spent: float = bg.number(ge=0)
    at: dt.datetime = bg.time()


def visits(seed: int, pages: str) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    spent, page = random.exponential(20, 1_200).round(2), random.choice(list(pages), 1_200)
    return pl.DataFrame(
        {
            "customer": [f"c{number}" for number in random.integers(0, 40, 1_200)],
            "page": page,
            "spent": spent,
            "at": [START + dt.timedelta(minutes=10 * number) for number in range(1_200)],
            "bought": (spent > 15) ^ (random.random(1_200) < 0.05),
        }
    )


def shop(level: str, *, hours: str = "2h", more: bool = False) -> bg.System:
    days = START + dt.timedelta(days=4), START + dt.timedelta(days=6)
    split = bg.by_time(validate_from=days[0], validate_until=days[1], holdout_from=days[1])
    system = bg.System("shop", contract=Visit, target=pl.col("bought"), time="at", split=split)
    system.use("page", "spent")
    system.history("spent_before", pl.col("spent").mean(), by="customer", window=hours)
    if more:
        system.feature("root", pl.col("spent").sqrt())
    system.model("logistic")
    rollout = msgspec.structs.replace(system.plan.rollout, level=level)
    system.plan = msgspec.structs.replace(system.plan, rollout=rollout)
    return system


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.create(tmp_path_factory.mktemp("level") / "w")


@pytest.fixture(scope="module")
def registry(space: Workspace) -> Iterator[Registry]:
    """v1 is in production."""
    with Registry.open(space, actor="ada") as opened:
        blue = develop(shop("pipeline"), space, opened, data=bg.Data(visits(1, "abc")))
        for stage in ("Staging", "Canary"):
            opened.lifecycle.transition(blue.ref, stage, reason="test")
        opened.promote(blue.ref, reason="test")
        yield opened


def level_of(space: Workspace, registry: Registry, ref: str) -> list[Measure]:
    found = GATES["2 feature"](Candidate.open(registry, space, ref))
    return [one for one in found.measures if one.name.startswith("a model-level release")]


def test_a_model_level_release_keeps_the_feature_program(space: Workspace, registry: Registry) -> None:
    """New data with other pages: the vocabulary stays the one that production has."""
    gold = develop(shop("model"), space, registry, data=bg.Data(visits(2, "bcdx")))
    assert gold.lineage.features == registry.versions.get("shop:v1").lineage.features
    assert [one.verdict for one in level_of(space, registry, gold.ref)] == ["pass"]
    free = develop(shop("pipeline"), space, registry, data=bg.Data(visits(2, "bcdx")))
    assert free.lineage.features != gold.lineage.features
    assert level_of(space, registry, free.ref) == []


def test_a_model_level_release_of_other_features_is_refused_in_one_sentence(
    space: Workspace, registry: Registry
) -> None:
    gold = develop(shop("model", hours="3h", more=True), space, registry, data=bg.Data(visits(1, "abc")))
    [refused] = level_of(space, registry, gold.ref)
    assert refused.verdict == "fail"
    assert "'root' is new, 'spent_before' is defined differently; release it with rollout.level" in refused.note


def test_a_pipeline_level_release_finds_both_histories(space: Workspace, registry: Registry) -> None:
    rows = visits(1, "abc")
    gold = develop(shop("pipeline", hours="24h"), space, registry, data=bg.Data(rows))
    store = connect("lmdb", "key_value", space)
    at = rows["at"][-1] + dt.timedelta(minutes=1)
    moment = (at - dt.datetime(1970, 1, 1)) // MICROSECOND
    customer = rows["customer"][-1]
    for ref, hours in (("shop:v1", 2), (gold.ref, 24)):
        program = FeatureProgram.from_json(registry.versions.artefact(ref, "program.json"))
        wanted = rows.filter((pl.col("customer") == customer) & (pl.col("at") >= at - dt.timedelta(hours=hours)))
        [history] = program.histories
        found = OnlineStore(store, program).reader().history(history, (customer,), moment)
        assert found == pytest.approx(wanted["spent"].mean(), abs=1e-5)
    store.close()
