"""The probes that attack: each of them must notice when what it attacks does not hold."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import msgspec
import pytest

from bluegold.core.nouns import Approval
from bluegold.core.workspace import Workspace
from bluegold.development import develop
from bluegold.features.loader import load_system
from bluegold.probes import (
    availability,
    decision_audit_trail,
    feature_isolation,
    governance_review,
    no_single_point_of_failure,
    version_lineage,
)
from bluegold.probes.bench import Bench
from bluegold.probes.decision_audit_trail import attack
from bluegold.probes.executions_recorded import recorded
from bluegold.probes.instruments.load import Answered
from bluegold.probes.instruments.queries import natural_records
from bluegold.probes.scratch import NotMeasured, Scratch, copied
from bluegold.production.operations.board import Head
from bluegold.production.results.decision_log import DecisionLog
from bluegold.production.results.decision_reader import DecisionReader, LogReport
from bluegold.production.results.records import DecisionRecord
from bluegold.registry import Registry
from bluegold.registry.approvals import Approvals
from bluegold.registry.verification import ChainReport

from .conftest import Measured


def decide(root: Path, count: int) -> list[DecisionRecord]:
    made = [
        DecisionRecord(at=100 + n, model="m", version="v1", color="blue", value=True, score=0.5, caller="ada@127.0.0.1")
        for n in range(count)
    ]

    async def write() -> None:
        log = DecisionLog(root, worker=0)
        await log.write(made)
        log.close()

    asyncio.run(write())
    return made


def test_every_change_of_a_log_is_named(tmp_path: Path) -> None:
    decide(tmp_path / "log", 40)
    tried, unseen = attack(tmp_path / "log", tmp_path / "copies")
    assert tried >= 20
    assert unseen == []


def test_a_verification_that_sees_nothing_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(tmp_path / "log", 40)
    monkeypatch.setattr(DecisionReader, "verify", lambda self: LogReport(ok=True, checked=41))
    tried, unseen = attack(tmp_path / "log", tmp_path / "copies")
    assert len(unseen) == tried


def test_a_verification_that_names_the_wrong_place_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(tmp_path / "log", 40)
    wrong = LogReport(ok=False, checked=0, first_bad="worker-0/000000001.jsonl:999: bad")
    monkeypatch.setattr(DecisionReader, "verify", lambda self: wrong)
    tried, unseen = attack(tmp_path / "log", tmp_path / "copies")
    assert len(unseen) == tried


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({}, True),
        ({"caller": "eve@127.0.0.1"}, False),
        ({"caller": ""}, False),
        ({"at": 99}, False),
        ({"at": 301}, False),
        ({"payload": None}, False),
        ({"version": ""}, False),
        ({"id": "0-1-2"}, False),
    ],
)
def test_what_counts_as_recorded(change: dict[str, object], right: bool) -> None:
    record = DecisionRecord(
        at=200,
        model="m",
        version="v1",
        color="blue",
        value=True,
        score=0.5,
        id="0-1-1",
        payload={"a": 1},
        input_digest="d",
        caller="ada@127.0.0.1",
    )
    made = Answered(id="0-1-1", caller="ada", asked_at=100, answered_at=300)
    assert recorded(msgspec.structs.replace(record, **change), made) is right


def test_a_changed_byte_in_the_live_log_breaks_the_trail(bench: Bench) -> None:
    decide(bench.workspace.decisions, 20)
    [segment] = bench.workspace.decisions.rglob("*.jsonl")
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    evidence = decision_audit_trail.measure(bench)
    assert evidence.value is False
    assert f"{segment.parent.name}/{segment.name}:" in evidence.method


def test_a_changed_artefact_of_any_version_is_named(bench: Bench) -> None:
    digest = bench.version.artefacts["profile.json"]
    path = bench.workspace.objects / digest[:2] / digest
    path.chmod(0o600)
    path.write_bytes(b"{}")
    evidence = version_lineage.measure(bench)
    assert evidence.value is False
    assert "profile.json" in evidence.method


def test_a_version_without_environment_is_named(bench: Bench) -> None:
    version = bench.version
    bench.registry.versions.register(
        version.model,
        bench.registry.versions.artefacts(version.ref),
        msgspec.structs.replace(version.lineage, environment=""),
        {},
        author="ada",
    )
    evidence = version_lineage.measure(bench)
    assert evidence.value is False
    assert "starter:v2 has no environment" in evidence.method


def test_an_open_way_round_the_review_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = governance_review.measure(bench)
    assert held.value is True, held.method
    monkeypatch.setattr("bluegold.registry.approvals.require_other", lambda author, actor, ref: None)
    broken = governance_review.measure(bench)
    assert broken.value is False
    assert "'author' approved a version of 'author'" in broken.method


def test_a_review_that_cannot_be_completed_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Approvals, "needed", lambda self, ref: 3)
    with pytest.raises(Exception, match="cannot be promoted yet"):
        governance_review.measure(bench)


def test_an_unverified_forgery_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegold.registry.audit.verify_registry", lambda *_: ChainReport(ok=True, checked=1))
    evidence = governance_review.measure(bench)
    assert evidence.value is False
    assert "forged approval" in evidence.method


def test_the_measured_registry_takes_no_approval(bench: Bench) -> None:
    governance_review.measure(bench)
    approvals: tuple[Approval, ...] = bench.registry.approvals.list(bench.version.ref)
    assert approvals == ()
    assert len(bench.registry.versions.list()) == 1


def test_stores_on_servers_are_never_attacked(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLUEGOLD_OBJECT_URL", "s3://somewhere")
    with pytest.raises(NotMeasured, match="servers"):
        copied(bench.workspace, tmp_path / "copy", ())
    assert not (tmp_path / "copy").exists()


def test_what_a_bench_could_not_make_is_not_tried_again(bench: Bench) -> None:
    tries = []

    def make(_: Bench) -> int:
        tries.append(1)
        raise NotMeasured("no")

    for _ in range(2):
        with pytest.raises(NotMeasured):
            bench.once(make)
    assert len(tries) == 1


def test_the_scratch_server_ends_with_its_bench(space: Workspace, bench: Bench) -> None:
    endpoint = bench.scratch().endpoint
    assert endpoint.pid != os.getpid()
    assert list(space.run.glob("probe-*"))
    bench.close()
    assert not list(space.run.glob("probe-*"))
    with pytest.raises(ProcessLookupError):
        os.kill(endpoint.pid, 0)


def test_no_component_of_a_server_carries_it_alone(measured: Measured) -> None:
    evidence = measured.evidence["NF-3"]
    for component in ("a worker", "the supervisor", "a worker of its successor", "the registry"):
        assert f"{component} survived" in evidence.method
    assert evidence.value is True


def test_a_loss_that_is_not_survived_is_reported(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(no_single_point_of_failure, "_COMPONENTS", {"everything": _everything})
    evidence = no_single_point_of_failure.measure(bench)
    assert evidence.value is False
    assert "everything NOT survived" in evidence.method


def _everything(scratch: Scratch) -> None:
    for pid in (scratch.board[Head.DEPUTY], scratch.board[Head.LEADER], *(one.pid for one in scratch.board.views())):
        os.kill(pid, signal.SIGKILL)


def test_availability_is_a_share_of_an_operating_period(measured: Measured, bench: Bench) -> None:
    evidence = measured.evidence["NF-1"]
    assert evidence.value == pytest.approx(100 * 86_390 / 86_400)
    assert (evidence.verdict, evidence.samples) == ("threshold", 21_600)
    (bench.workspace.run / "availability.json").unlink()
    with pytest.raises(NotMeasured, match="too short"):
        availability.measure(bench)


def test_a_pipeline_that_touches_another_is_found_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = feature_isolation.measure(bench)
    assert held.value is True, held.method
    answers = iter([[(200, 0.5)], [(500, None)]])
    monkeypatch.setattr(feature_isolation, "_asked", lambda *_: next(answers))
    evidence = feature_isolation.measure(bench)
    assert evidence.value is False
    assert "a broken pipeline of Gold changed or cost answers of Blue" in evidence.method


SEASONS = """
import datetime as dt

import numpy as np
import polars as pl

import bluegold as bg


class Row(bg.Contract):
    at: dt.datetime = bg.time()
    warmth: float = bg.number()


split = bg.by_time(validate_from="2020-01-21", holdout_from="2020-02-10")
system = bg.System("seasons", contract=Row, target=pl.col("bought"), time="at", split=split)
system.use("warmth")
system.model("logistic")


@system.source
def load() -> bg.Data:
    draw, start = np.random.default_rng(1), dt.datetime(2020, 1, 1)
    warmth = draw.normal(size=1800) + np.repeat([0.0, 0.0, 50.0], 600)
    times = [start + dt.timedelta(hours=0.8 * hour) for hour in range(1800)]
    return bg.Data(pl.DataFrame({"at": times, "warmth": warmth, "bought": (warmth % 1) > 0.5}))
"""


def test_callers_of_the_present_are_imitated_with_records_of_the_present(tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(SEASONS, encoding="utf-8")
    (tmp_path / "architecture.yaml").write_text("system: seasons\n", encoding="utf-8")
    system, space = load_system(tmp_path), Workspace.create(tmp_path / "w")
    with Registry.open(space, actor="ada") as registry:
        version = develop(system, space, registry, author="ada", folder=tmp_path)
        for step in ("Staging", "Canary"):
            registry.lifecycle.transition(version.ref, step, reason="test")
        registry.promote(version.ref, reason="test")
        with Bench(space, registry, system) as bench:
            asked = bench.once(natural_records)
    assert asked.height > 400
    assert (asked["warmth"] > 40.0).all()
