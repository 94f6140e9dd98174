"""The stage table is enforced, there is at most one production, and its whole past can be asked for."""

from __future__ import annotations

import datetime as dt
import itertools
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from bluegold.core.errors import BluegoldError, ForbiddenTransition, StoreError, UnknownVersion
from bluegold.core.nouns import Lineage, ModelVersion, Stage, TrafficSplit
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.lifecycle import TRANSITIONS, allowed

Add = Callable[..., ModelVersion]
STAGES: tuple[Stage, ...] = get_args(Stage)


def test_the_table_names_every_stage_and_can_leave_every_stage() -> None:
    assert {t.from_stage for t in TRANSITIONS} == set(STAGES)
    assert {t.to_stage for t in TRANSITIONS} == set(STAGES) - {"Registered"}
    assert len({(t.from_stage, t.to_stage) for t in TRANSITIONS}) == len(TRANSITIONS)


def test_production_is_reached_only_through_staging_and_canary_or_from_the_archive() -> None:
    assert {t.from_stage for t in TRANSITIONS if t.to_stage == "Production"} == {"Canary", "Archived"}
    assert {t.from_stage for t in TRANSITIONS if t.to_stage == "Canary"} == {"Staging"}


WAYS: dict[Stage, tuple[Stage, ...]] = {
    "Registered": (),
    "Staging": ("Staging",),
    "Canary": ("Staging", "Canary"),
    "Production": ("Staging", "Canary", "Production"),
    "Refused": ("Refused",),
    "RolledBack": ("Staging", "RolledBack"),
}


@pytest.mark.parametrize(("start", "to"), list(itertools.product(STAGES, STAGES)))
def test_exactly_the_table_is_allowed(registry: Registry, add: Add, start: Stage, to: Stage) -> None:
    if start == "Archived":
        version = add("Production")
        add("Production")
    else:
        version = add()
        for step in WAYS[start]:
            registry.lifecycle.transition(version.ref, step)
    assert registry.versions.get(version.ref).stage == start
    if to in allowed(start):
        change = registry.lifecycle.transition(version.ref, to, "ben", "because", ["r1"])
        assert (change.from_stage, change.to_stage, change.actor, change.evidence) == (start, to, "ben", ("r1",))
        assert registry.versions.get(version.ref).stage == to
    else:
        with pytest.raises(ForbiddenTransition, match=rf"from {start}"):
            registry.lifecycle.transition(version.ref, to)
        assert registry.versions.get(version.ref).stage == start
    assert registry.audit.verify().ok


def test_a_promotion_archives_the_old_production_in_the_same_moment(registry: Registry, add: Add) -> None:
    add("Production")
    add("Production")
    old, new = registry.lifecycle.history()[-2:]
    assert (old.ref, old.to_stage) == ("flights:v1", "Archived")
    assert (new.ref, new.to_stage) == ("flights:v2", "Production")
    assert old.at == new.at
    previous = registry.lifecycle.previous("flights")
    assert previous is not None
    assert previous.ref == "flights:v1"


def test_who_was_production_at_any_past_moment(registry: Registry, add: Add) -> None:
    before = dt.datetime.now(dt.timezone.utc)
    assert registry.lifecycle.production("flights") is None
    first, second = add("Production"), add("Production")
    add("Production", model="income")
    registry.restore("flights", to="v1", reason="v2 was worse")
    changes = [c for c in registry.lifecycle.history("flights") if c.to_stage == "Production"]
    assert [c.ref for c in changes] == [first.ref, second.ref, first.ref]
    for change in changes:
        assert registry.lifecycle.production("flights", at=change.at) == change
    gap = changes[1].at - dt.timedelta(microseconds=1)
    assert registry.lifecycle.production("flights", at=gap) == changes[0]
    assert registry.lifecycle.production("flights", at=before) is None
    assert registry.lifecycle.history(at=before) == ()
    assert registry.lifecycle.production("flights") == changes[2]


def test_the_database_itself_refuses_a_second_production(registry: Registry, add: Add) -> None:
    add("Production")
    add()

    def force() -> None:
        with registry.audit.store.write() as connection:
            connection.execute(text("UPDATE versions SET stage = 'Production'"))

    with pytest.raises(StoreError, match=r"(?i)unique"):
        force()


def test_unknown_versions_cannot_move(registry: Registry) -> None:
    with pytest.raises(UnknownVersion):
        registry.lifecycle.transition("flights:v1", "Staging")


def test_promoting_sets_stage_and_traffic_at_once(registry: Registry, add: Add) -> None:
    add("Canary")
    split = registry.promote("v1", reason="good", evidence=["r1"])
    assert (split.blue, split.gold, split.mode, split.revision) == ("flights:v1", "", "off", 1)
    with pytest.raises(ForbiddenTransition):
        registry.promote("v1")
    assert registry.traffic.current("flights") == split


def test_threads_that_promote_at_once_leave_one_production(registry: Registry, add: Add) -> None:
    refs = [add("Canary").ref for _ in range(6)]
    failures: list[BaseException] = []

    def promote(ref: str) -> None:
        try:
            registry.promote(ref)
        except BluegoldError as error:
            failures.append(error)

    threads = [threading.Thread(target=promote, args=(ref,)) for ref in refs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    stages = [v.stage for v in registry.versions.list()]
    assert sorted(stages) == ["Archived"] * 5 + ["Production"]
    current, production = registry.traffic.current("flights"), registry.lifecycle.production("flights")
    assert current is not None
    assert production is not None
    assert current.blue == production.ref
    assert registry.audit.verify().ok


class Life(RuleBasedStateMachine):
    """Any order of transitions, promotions, splits and restores."""

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry.open(Workspace.create(Path(tempfile.mkdtemp())), actor="ada")
        self.count = 0

    @rule()
    def register(self) -> None:
        if self.count < 4:
            self.count += 1
            lineage = Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})
            self.registry.versions.register("m", {"a.txt": b"%d" % self.count}, lineage, {})

    @rule(number=st.integers(1, 4), to=st.sampled_from(STAGES))
    def move(self, number: int, to: Stage) -> None:
        self.quietly(lambda: self.registry.lifecycle.transition(f"m:v{number}", to))

    @rule(number=st.integers(1, 4))
    def promote(self, number: int) -> None:
        self.quietly(lambda: self.registry.promote(f"m:v{number}"))

    @rule(blue=st.integers(1, 4), gold=st.integers(0, 4), mode=st.sampled_from(["off", "shadow", "canary"]))
    def split(self, blue: int, gold: int, mode: str) -> None:
        split = TrafficSplit(model="m", revision=0, blue=f"v{blue}", gold=f"v{gold}" if gold else "")
        self.quietly(lambda: self.registry.traffic.set(msgspec.structs.replace(split, mode=mode)))

    @rule(to=st.none() | st.integers(1, 4))
    def restore(self, to: int | None) -> None:
        before = self.registry.lifecycle.production("m")
        done = self.quietly(lambda: self.registry.restore("m", to=None if to is None else f"v{to}"))
        if done:
            split, production = self.registry.traffic.current("m"), self.registry.lifecycle.production("m")
            assert split is not None
            assert production is not None
            assert (split.blue, split.gold, split.mode) == (production.ref, "", "off")
        else:
            assert to is not None or before is None, "with a production, restore always works"

    @staticmethod
    def quietly(action: Callable[[], object]) -> bool:
        try:
            action()
        except BluegoldError:
            return False
        return True

    @invariant()
    def one_production_that_history_knows(self) -> None:
        stages = {v.ref: v.stage for v in self.registry.versions.list()}
        producing = [ref for ref, stage in stages.items() if stage == "Production"]
        production = self.registry.lifecycle.production("m")
        assert producing == ([] if production is None else [production.ref])
        replayed: dict[str, Stage] = {}
        for change in self.registry.lifecycle.history():
            assert change.from_stage == replayed.get(change.ref)
            replayed[change.ref] = change.to_stage
        assert replayed == stages

    def teardown(self) -> None:
        assert self.registry.audit.verify().ok
        self.registry.close()


def test_no_order_of_steps_breaks_the_lifecycle() -> None:
    run_state_machine_as_test(Life, settings=settings(max_examples=12, stateful_step_count=25, deadline=None))
