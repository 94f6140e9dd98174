"""`history`, `trace` and `audit` on a workspace with a real registry and a real decision log."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner, Result

from bluegold.cli.audit import audit
from bluegold.cli.history import history
from bluegold.cli.trace import trace
from bluegold.core.errors import UsageError, WorkspaceError
from bluegold.core.nouns import GateReport, Lineage, TrafficSplit, now
from bluegold.core.workspace import Workspace
from bluegold.production.results.decision_log import DecisionLog
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.registry import Registry

RUNNER = CliRunner()
app = typer.Typer()
app.command("history")(history)
app.command("trace")(trace)
app.add_typer(audit, name="audit")


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    """v1 in production, v2 in canary with gates and an approval, and one decision by v2 with its outcome."""
    made = Workspace.create(tmp_path / "workspace")
    lineage = Lineage(
        code="c0de", data="da7a", features="fea7", parameters={}, environment="e57", seeds={"run": 7}, run_id="run-9"
    )
    with Registry.open(made, actor="ada") as registry:
        registry.versions.register("flights", {"model.txt": b"one"}, lineage, {"auc": 0.9})
        registry.versions.register("flights", {"model.txt": b"two"}, lineage, {"auc": 0.91})
        for step in ("Staging", "Canary"):
            registry.lifecycle.transition("v1", step)
        registry.promote("v1", reason="first good one", evidence=["release r1"])
        for step in ("Staging", "Canary"):
            registry.lifecycle.transition("v2", step)
        registry.gates.record(
            GateReport(
                gate="gate_1_model", candidate="v2", verdict="pass", measures=(), reason="met", seconds=0.1, at=now()
            )
        )
        registry.approvals.approve("v2", "ben", "read the report")
        split = TrafficSplit(model="flights", revision=0, blue="v1", gold="v2", gold_share=0.05, mode="canary")
        registry.traffic.set(split)
    return made


@pytest.fixture
def decision(space: Workspace) -> str:
    record = DecisionRecord(
        at=1_700_000_000_000_000,
        model="flights",
        version="v2",
        color="gold",
        value=True,
        score=0.75,
        revision=2,
        features_digest="fea7",
        input_digest="1d" * 32,
    )

    async def write() -> None:
        log = DecisionLog(space.decisions, worker=0)
        await log.write([record])
        await log.write([OutcomeRecord(id=record.id, value=False, at=1_700_000_100_000_000)])
        log.close()

    asyncio.run(write())
    return record.id


def run(space: Workspace, *arguments: str) -> Result:
    return RUNNER.invoke(app, [*arguments, "--workspace", str(space.root)])


def document(space: Workspace, *arguments: str) -> Any:
    result = run(space, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_history_says_who_is_and_was_in_production(space: Workspace) -> None:
    told = document(space, "history")
    assert told["production"]["flights"]["ref"] == "flights:v1"
    assert told["production"]["flights"]["evidence"] == ["release r1"]
    assert [c["to_stage"] for c in told["changes"]][-2:] == ["Staging", "Canary"]
    at = next(c["at"] for c in told["changes"] if c["ref"] == "flights:v1" and c["to_stage"] == "Canary")
    earlier = document(space, "history", "flights", "--at", at)
    assert earlier["production"] == {"flights": None}
    assert len(earlier["changes"]) < len(told["changes"])
    text = run(space, "history", "--limit", "2").stdout
    assert "flights:v1 in production since" in text
    assert "because: first good one" in text
    assert "the newest 2 of 7 changes" in text


def test_history_of_nothing_and_bad_arguments(space: Workspace, tmp_path: Path) -> None:
    assert isinstance(run(space, "history", "--at", "yesterday").exception, UsageError)
    assert isinstance(run(space, "history", "trains").exception, UsageError)
    assert isinstance(run(Workspace(tmp_path / "none"), "history").exception, WorkspaceError)
    assert not (tmp_path / "none").exists()


def test_trace_walks_from_a_decision_to_its_data(space: Workspace, decision: str) -> None:
    told = document(space, "trace", decision)
    assert told["decision"]["id"] == decision
    assert told["outcomes"][0]["value"] is False
    assert told["traffic"]["gold_share"] == 0.05
    assert told["version"]["version"] == "v2"
    assert told["features_match"] is told["signature_verified"] is True
    assert [g["gate"] for g in told["gates"]] == ["gate_1_model"]
    assert [a["actor"] for a in told["approvals"]] == ["ben"]
    assert [c["to_stage"] for c in told["changes"]] == ["Registered", "Staging", "Canary"]
    assert {e["source"] for e in told["lineage"]} >= {"data:da7a", "features:fea7", "code:c0de", "run:run-9"}
    text = run(space, "trace", decision).stdout
    for piece in (
        decision,
        "flights:v2",
        "gate_1_model: pass",
        "ben",
        "da7a",
        "outcome    False",
        "revision 2: canary",
    ):
        assert piece in text


def test_trace_walks_from_a_version_and_back_from_its_data(space: Workspace) -> None:
    assert document(space, "trace", "flights:v1")["decision"] is None
    back = document(space, "trace", "data:da7a")
    assert {e["target"] for e in back["came_of_it"]} == {"flights:v1", "flights:v2"}
    for nothing in ("data:none", "0-1-0", "v9"):
        assert isinstance(run(space, "trace", nothing).exception, UsageError)


def test_audit_verifies_everything_and_names_what_was_changed(space: Workspace, decision: str) -> None:
    sound = document(space, "audit", "verify")
    assert sound["ok"]
    assert sound["artefacts"]["checked"] == 2
    assert sound["decisions"]["checked"] >= 2

    log = next(space.decisions.rglob("*.jsonl"))
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b"0.75", b"0.25"))
    result = run(space, "audit", "verify")
    assert result.exit_code == 1
    assert log.name in result.stdout
    assert "TAMPERING FOUND" in result.stdout
    log.write_bytes(whole)

    with Registry.open(space) as registry:
        digest = registry.versions.get("flights:v2").artefacts["model.txt"]
    path = space.objects / digest[:2] / digest
    path.write_bytes(b"tw0")
    assert "BAD  flights:v2/model.txt" in run(space, "audit", "verify").stdout
    path.write_bytes(b"two")

    data = bytearray(space.database.read_bytes())
    place = data.find(b"first good one")
    data[place] ^= 1
    space.database.write_bytes(data)
    told = json.loads(run(space, "audit", "verify", "--json").stdout)
    assert not told["ok"]
    assert "row" in told["registry"]["first_bad"]


def test_audit_log_shows_who_did_what(space: Workspace) -> None:
    events = document(space, "audit", "log", "--subject", "flights:v2")["events"]
    assert [e["action"] for e in events] == ["register", "stage", "stage", "stage", "gate gate_1_model", "approve"]
    assert msgspec.convert(events[-1], dict)["who"] == "ben"
    text = run(space, "audit", "log", "--limit", "3").stdout
    assert "more may follow: --since 3" in text
