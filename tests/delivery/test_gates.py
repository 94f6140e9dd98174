"""Every gate: passes the honest candidate, and says no or holds for its own reason."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import msgspec
import polars as pl
import pytest

from bluegold.core.errors import DeliveryError
from bluegold.core.nouns import GateReport, ModelVersion
from bluegold.core.workspace import Workspace
from bluegold.delivery.advisories import SOURCE
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.gating import GATES, run_gates, verdict_of
from bluegold.registry import Registry

Change = Callable[[dict[str, bytes]], None]


def again(registry: Registry, change: Change, source: str = "v2") -> ModelVersion:
    """The version registered once more with other artefacts."""
    version = registry.versions.get(source)
    artefacts = registry.versions.artefacts(version.ref)
    change(artefacts)
    return registry.versions.register(version.model, artefacts, version.lineage, version.metrics, "ada")


def check(gate: str, registry: Registry, workspace: Workspace, ref: str = "v2") -> GateReport:
    return GATES[gate](Candidate.open(registry, workspace, ref))


def edit(name: str, **values: Any) -> Change:
    def change(artefacts: dict[str, bytes]) -> None:
        facts = msgspec.json.decode(artefacts[name])
        facts.update(values)
        artefacts[name] = msgspec.json.encode(facts)

    return change


def drop(name: str) -> Change:
    return lambda artefacts: artefacts.__delitem__(name)


def holdout(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Change:
    def apply(artefacts: dict[str, bytes]) -> None:
        buffer = io.BytesIO()
        change(pl.read_parquet(io.BytesIO(artefacts["holdout.parquet"]))).write_parquet(buffer)
        artefacts["holdout.parquet"] = buffer.getvalue()

    return apply


@pytest.mark.parametrize("gate", sorted(GATES))
def test_every_gate_passes_the_honest_candidate_and_measures_something(
    gate: str, registry: Registry, workspace: Workspace, blue: ModelVersion
) -> None:
    found = check(gate, registry, workspace)
    assert (found.verdict, found.gate, found.candidate) == ("pass", gate, "pumps:v2"), found.reason
    assert found.measures
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("gate", "missing"),
    [
        ("1 model", "verification.json"),
        ("2 feature", "parity.json"),
        ("2 feature", "profile.json"),
        ("3 data quality", "summary.json"),
        ("6 regression", "holdout.parquet"),
    ],
)
def test_missing_evidence_is_hold(
    gate: str, missing: str, registry: Registry, workspace: Workspace, blue: ModelVersion
) -> None:
    assert check(gate, registry, workspace, again(registry, drop(missing)).ref).verdict == "hold"


@pytest.mark.parametrize(
    ("gate", "change", "says"),
    [
        ("1 model", edit("verification.json", accuracy=0.87), "AP-7"),
        ("1 model", edit("verification.json", auc=0.89), "AP-8"),
        ("1 model", edit("verification.json", fairness_parity=80.0), "AP-11"),
        ("1 model", edit("verification.json", robustness_change=11.0), "AP-13"),
        ("2 feature", edit("parity.json", mismatches=1), "parity mismatches"),
        ("2 feature", edit("parity.json", features="0" * 64), "belongs to these features"),
        ("2 feature", holdout(lambda t: t.with_columns(pl.col("f:wear") * 60)), "drift of wear"),
        (
            "2 feature",
            holdout(lambda t: t.with_columns(pl.lit(None, pl.Float64).alias("f:load"))),
            "missing or unknown",
        ),
        ("6 regression", holdout(lambda t: t.with_columns(~pl.col("y"))), ""),
    ],
)
def test_a_fault_is_refused_by_its_gate(
    gate: str, change: Change, says: str, registry: Registry, workspace: Workspace, blue: ModelVersion
) -> None:
    found = check(gate, registry, workspace, again(registry, change).ref)
    if not says:  # wrong labels hurt both versions alike: this is gate 1's business, not gate 6's
        assert found.verdict == "pass"
        return
    assert found.verdict == "fail"
    assert says in found.reason


def test_a_measure_that_was_not_taken_holds(registry: Registry, workspace: Workspace) -> None:
    ref = again(registry, edit("verification.json", explainability=None)).ref
    found = check("1 model", registry, workspace, ref)
    assert (found.verdict, "AP-12" in found.reason) == ("hold", True)


def test_a_worse_version_is_refused_by_regression(registry: Registry, workspace: Workspace, blue: ModelVersion) -> None:
    worse = edit("decision.json", rule={"positive_label": "true", "threshold": 0.97})
    found = check("6 regression", registry, workspace, again(registry, worse).ref)
    assert found.verdict == "fail"
    assert "accuracy against Blue" in found.reason
    assert "site is north" in found.reason


def test_a_slice_that_loses_is_refused(registry: Registry, workspace: Workspace, blue: ModelVersion) -> None:
    """Thresholds that spoil one site only."""

    def spoil(artefacts: dict[str, bytes]) -> None:
        facts = msgspec.json.decode(artefacts["decision.json"])
        facts["rule"] |= {"group_by": "site", "thresholds": {"south": 0.97}}
        artefacts["decision.json"] = msgspec.json.encode(facts)

    found = check("6 regression", registry, workspace, again(registry, spoil).ref)
    lost = {measure.name for measure in found.measures if measure.verdict == "fail"}
    assert "accuracy where site is south" in lost
    assert "accuracy where site is north" not in lost


def test_a_changed_artefact_is_refused_by_security(registry: Registry, workspace: Workspace) -> None:
    digest = registry.versions.get("v2").artefacts["model.txt"]
    [path] = [path for path in workspace.objects.rglob("*") if path.is_file() and digest.endswith(path.name[-8:])]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"tree", b"eert", 1))
    candidate = Candidate.open(registry, workspace, "v2")
    reports = run_gates(candidate, lambda _report: None)
    found = {report.gate: report for report in reports}
    assert found["5 security"].verdict == "fail"
    assert "model.txt" in found["5 security"].reason
    assert verdict_of(reports) == "fail"


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b'[{"id":"X-1","package":"polars","fixed":"999"}]', "fail"),
        (b'[{"id":"X-1","package":"polars","versions":["0.0.1"]}]', "pass"),
        (
            (
                b'{"id":"X-2","affected":[{"package":{"name":"Polars","ecosystem":"PyPI"},'
                b'"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"999"}]}]}]}'
            ),
            "fail",
        ),
        (b'{"id":"X-3","withdrawn":"2024-01-01","package":"polars"}', "hold"),
        (b"not json", "hold"),
    ],
)
def test_a_configured_audit_counts_and_a_skipped_one_holds(
    content: bytes, verdict: str, registry: Registry, workspace: Workspace
) -> None:
    (workspace.root / SOURCE).write_bytes(content)
    assert check("5 security", registry, workspace).verdict == verdict


def test_an_audit_without_a_source_says_so(registry: Registry, workspace: Workspace) -> None:
    notes = [measure.note for measure in check("5 security", registry, workspace).measures]
    assert any("no advisory source configured" in note for note in notes)


def test_a_version_that_cannot_be_served_fails_performance(registry: Registry, workspace: Workspace) -> None:
    found = check("4 performance", registry, workspace, again(registry, drop("program.json")).ref)
    assert found.verdict in {"fail", "hold"}
    assert found.reason


def test_a_version_that_was_taken_over_is_evidence_only(registry: Registry, workspace: Workspace) -> None:
    with pytest.raises(DeliveryError, match="not developed here"):
        Candidate.open(registry, workspace, again(registry, drop("plan.json")).ref)


def test_six_reports_are_needed_to_pass() -> None:
    assert len(GATES) == 6
    assert verdict_of(()) == "hold"
