"""Retention: nothing leaves that is not proven elsewhere, holds hold, kills cost nothing, every step is audited."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bluegold.core.errors import DataError, IntegrityError, StoreError, WorkspaceError
from bluegold.core.plan import Hold, Retention
from bluegold.production.results import retention
from bluegold.production.results.anchors import check_anchors
from bluegold.production.results.archive import Archive
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.production.results.partitions import Partitions
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.production.results.results_store import ResultsStore
from bluegold.production.results.retention import _alone, accounted, plan_of, retain
from bluegold.production.results.segments import segment_path
from bluegold.registry.audit import Audit

DAY = 86_400_000_000
FIRST = round(dt.datetime(2024, 5, 1, 12, tzinfo=dt.timezone.utc).timestamp()) * 1_000_000
WARM = Retention(hot_days=10, warm_days=30)
PLAN = Retention(hot_days=10, warm_days=30, cold_days=90)


def filled(world: Any, days: int = 6, each: int = 5) -> list[str]:
    """Two segments a day, one with decisions and one with their outcomes; the last one stays open."""
    root = world.workspace.decisions
    ids: list[str] = []

    async def write(day: int) -> None:
        log = DecisionLog(root, 0, segment_bytes=1)
        records = [
            DecisionRecord(at=FIRST + day * DAY + n, model="parcels", version="v1", color="blue", value=True, score=0.5)
            for n in range(each)
        ]
        await log.write(records)
        await log.write([OutcomeRecord(id=one.id, value=True, at=one.at) for one in records])
        ids.extend(one.id for one in records)
        log.close()

    for day in range(days):
        asyncio.run(write(day))
    return ids


def sizes(world: Any) -> tuple[int, int]:
    root = world.workspace.root
    return len(list((root / "decisions").rglob("*.jsonl"))), len(list((root / "results").rglob("*.parquet")))


def test_files_move_from_tier_to_tier_and_stay_readable(world: Any) -> None:
    ids = filled(world)
    space, registry = world.workspace, world.registry
    logs, _ = sizes(world)
    first = retain(space, registry, PLAN, now=FIRST + 6 * DAY)
    assert (first.count("remove"), first.count("delete")) == (0, 0)
    assert sizes(world)[0] == logs
    assert accounted(space, PLAN).complete
    hot = retain(space, registry, PLAN, now=FIRST + 20 * DAY)
    assert hot.count("remove") == logs - 1, "the open segment stays"
    assert {step.tier for step in hot.steps} == {"log"}
    assert sizes(world)[0] == 1
    reader = DecisionReader(space.decisions)
    assert reader.verify().ok
    assert check_anchors(registry, space.decisions).ok
    assert [reader.get(one).id for one in ids] == ids, "an archived decision is found by its id"
    store = ResultsStore(space)
    assert store.query("SELECT count(*) AS n FROM decisions")["n"].item() == len(ids)
    filled(world, 1)  # a worker goes on where the log was cut
    assert reader.verify().ok
    assert store.export().decisions == 5, "only what is new"
    warm = retain(space, registry, PLAN, now=FIRST + 60 * DAY)
    assert {step.tier for step in warm.steps if step.what == "remove"} == {"log", "results"}
    assert sizes(world)[1] == 0
    assert store.decisions.verify() == 0
    found = accounted(space, PLAN)
    assert (found.complete, found.decisions, found.archived) == (True, len(ids) + 5, len(ids) + 5)
    assert set(ids) <= set(Archive(space, "archive").decisions().collect()["id"])
    cold = retain(space, registry, PLAN, now=FIRST + 200 * DAY)
    assert cold.count("delete") > 0
    assert Archive(space, "archive").verify() == 0
    assert not accounted(space, PLAN).complete
    rows = Counter(row.action for row in registry.audit.events(limit=1000))
    steps = [step for one in (first, hot, warm, cold) for step in one.steps]
    for what in ("archive", "remove", "delete"):
        assert rows[f"retention {what}"] == sum(step.what == what for step in steps) > 0
    assert registry.audit.verify().ok


def test_a_dry_run_says_the_same_and_does_nothing(world: Any) -> None:
    filled(world)
    space, registry = world.workspace, world.registry
    retain(space, registry, PLAN, now=FIRST)
    before = {
        path: path.read_bytes() for path in space.root.rglob("*") if path.is_file() and "bluegold.db" not in path.name
    }
    events = len(registry.audit.events(limit=1000))
    said = retain(space, registry, PLAN, now=FIRST + 60 * DAY, dry_run=True)
    after = {
        path: path.read_bytes() for path in space.root.rglob("*") if path.is_file() and "bluegold.db" not in path.name
    }
    assert after == before
    assert len(registry.audit.events(limit=1000)) == events
    assert retain(space, registry, PLAN, now=FIRST + 60 * DAY).steps == said.steps


def test_a_legal_hold_stops_every_tier(world: Any) -> None:
    filled(world)
    day = dt.date(2024, 5, 3)
    held = Retention(
        hot_days=10, warm_days=30, cold_days=90, holds=(Hold(since=day, until=day, model="parcels", reason="case 7"),)
    )
    done = retain(world.workspace, world.registry, held, now=FIRST + 200 * DAY)
    assert {step.because for step in done.steps if step.what == "hold"} == {"case 7"}
    kept = list((world.workspace.root / "results").rglob("*.parquet"))
    assert {path.parent.name for path in kept} == {"day=2024-05-03"}
    logs = sorted(int(path.stem) for path in (world.workspace.decisions / "worker-0").glob("*.jsonl"))
    assert logs[0] == 5, "a chain can only be cut from its beginning"
    assert DecisionReader(world.workspace.decisions).verify().ok
    again = retain(world.workspace, world.registry, PLAN, now=FIRST + 200 * DAY)
    assert again.count("hold") == 0
    assert again.count("remove") > 0, "the hold was lifted"


def test_what_is_not_what_was_written_stays(world: Any) -> None:
    filled(world)
    space, registry = world.workspace, world.registry
    retain(space, registry, PLAN, now=FIRST)
    copy = min((space.root / "archive" / "decisions").rglob("*.jsonl"))
    sound = copy.read_bytes()
    copy.write_bytes(sound.replace(b"segment", b"SEGMENT", 1))
    before = sizes(world)
    with pytest.raises(IntegrityError, match="does not hold"):
        retain(space, registry, PLAN, now=FIRST + 20 * DAY)
    assert sizes(world) == before
    with pytest.raises(IntegrityError):
        accounted(space, PLAN)
    copy.write_bytes(sound)
    log = segment_path(space.decisions, 0, 2)
    log.write_bytes(log.read_bytes().replace(b"outcome", b"OUTCOME", 1))
    with pytest.raises(IntegrityError, match="not what was written"):
        retain(space, registry, PLAN, now=FIRST + 20 * DAY)


def test_a_log_that_was_cut_by_somebody_else_is_found(world: Any) -> None:
    filled(world)
    space, registry = world.workspace, world.registry
    retain(space, registry, PLAN, now=FIRST)
    reader = DecisionReader(space.decisions)
    walked = list(reader.walk(0))[1]
    (space.decisions / "worker-0" / "archived.json").write_text(
        json.dumps({"segment": 2, "digest": walked.head.digest, "size": walked.head.size, "archive": "/nowhere"})
    )
    assert reader.verify().ok, "the chain alone cannot tell"
    report = check_anchors(registry, space.decisions)
    assert "no audit row says" in report.first_bad


class Stopped(BaseException):
    """Nobody catches it, as nobody survives a kill."""


def stopping(patch: pytest.MonkeyPatch, after: int, stop: Callable[[], None]) -> None:
    """Stop at the write (or the check of a copy) that follows ``after`` others."""
    left = [after]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                stop()
            return function(*given, **named)

        return call

    for owner, names in (
        (os, ("fsync",)),
        (retention, ("write_atomic",)),
        (Archive, ("_note", "check")),
        (Partitions, ("send_away",)),
        (Path, ("unlink",)),
        (Audit, ("append",)),
    ):
        for name in names:
            patch.setattr(owner, name, counted(getattr(owner, name)))


def test_a_run_that_is_stopped_anywhere_is_ended_by_the_next(world: Any) -> None:
    ids = filled(world, days=2)
    space, registry = world.workspace, world.registry
    ResultsStore(space).export()
    reader = DecisionReader(space.decisions)

    def stop() -> None:
        raise Stopped

    for after in itertools.count(0, 2):
        with pytest.MonkeyPatch.context() as patch:
            stopping(patch, after, stop)
            with contextlib.suppress(Stopped):
                retain(space, registry, WARM, now=FIRST + 60 * DAY)
                break
        assert reader.verify().ok
        assert check_anchors(registry, space.decisions).ok
        assert [reader.get(one).id for one in ids] == ids, f"a decision is nowhere after stop {after}"
    assert after > 8
    assert accounted(space, PLAN).archived == len(ids)
    assert sizes(world) == (1, 0)


KILLED = """
import os, signal, sys
from pathlib import Path
from bluegold.core.plan import Retention
from bluegold.core.workspace import Workspace
from bluegold.production.results import retention
from bluegold.registry.registry import Registry
retention.write_atomic = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
space = Workspace.open(Path(sys.argv[1]))
with Registry.open(space, actor="automatic:test") as registry:
    retention.retain(space, registry, Retention(hot_days=10, warm_days=30), now=int(sys.argv[2]))
"""


def test_a_run_that_is_killed_before_its_cut_counts_is_ended_by_the_next(world: Any) -> None:
    filled(world, days=1)
    space, registry = world.workspace, world.registry
    command = [sys.executable, "-c", KILLED, str(space.root), str(FIRST + 60 * DAY)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert DecisionReader(space.decisions).verify().ok
    assert check_anchors(registry, space.decisions).ok
    retain(space, registry, WARM, now=FIRST + 60 * DAY)
    assert sizes(world) == (1, 0)
    assert check_anchors(registry, space.decisions).ok


def test_the_archive_is_no_folder_of_the_workspace_and_runs_are_alone(world: Any) -> None:
    for folder in ("decisions", "results/x", ".", "keys"):
        with pytest.raises(WorkspaceError, match="cannot be the archive"):
            Archive(world.workspace, folder)
    with _alone(world.workspace), pytest.raises(StoreError, match="under way"):
        retain(world.workspace, world.registry, PLAN)


def test_the_verb(world: Any, tmp_path: Path) -> None:
    filled(world, 2)
    plan = tmp_path / "architecture.yaml"
    plan.write_text("system: parcels\nretention: {hot_days: 1, warm_days: 1}\n")
    code = "import sys; from bluegold.cli.main import main; sys.argv = ['bluegold', *sys.argv[1:]]; main()"
    command = [sys.executable, "-c", code, "results", "retain", "-w", str(world.workspace.root), "--plan", str(plan)]
    done = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True, text=True).stdout)
    assert {step["what"] for step in done["steps"]} == {"archive", "remove"}
    with pytest.raises(DataError, match="name the plan with --plan"):
        plan_of(world.registry, "parcels")
