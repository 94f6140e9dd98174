"""The whole pipeline on real components: lineage, determinism, reuse, and what bad data gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

import bluegold as bg
from bluegold.core.errors import DataError, DefinitionError, StageError
from bluegold.core.nouns import ModelVersion
from bluegold.core.workspace import Workspace
from bluegold.development import StageEvent, develop
from bluegold.development.pipeline import STAGES, TITLES
from bluegold.registry import Registry
from bluegold.registry.bundle import load_bundle

Machines = Callable[[], bg.System]

MEASURES = {
    "accuracy",
    "auc",
    "balanced_accuracy",
    "majority_class",
    "calibration_error",
    "fairness_parity",
    "robustness_change",
    "explainability",
    "n",
}
ARTEFACTS = {
    "program.json",
    "decision.json",
    "canaries.json",
    "profile.json",
    "parity.json",
    "verification.json",
    "summary.json",
    "holdout.parquet",
    "plan.json",
    "environment.txt",
    "figures.json",
    "choice.json",
    "rows.json",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, machines: Machines) -> Any:
    """One run, shared by the tests that only look at it."""
    workspace = Workspace.create(tmp_path_factory.mktemp("shared") / "w")
    registry = Registry.open(workspace, actor="ada")
    data = machines().load()
    version = develop(machines(), workspace, registry, author="ada", data=data)
    yield workspace, registry, data, version
    registry.close()


def _read(registry: Registry, version: ModelVersion, name: str) -> Any:
    return msgspec.json.decode(registry.versions.artefact(version.ref, name))


def test_the_version_has_every_artefact_and_measure(run: Any) -> None:
    _, registry, _, version = run
    assert version.stage == "Registered"
    assert set(version.artefacts) >= ARTEFACTS
    assert {"model.txt", "model.json"} & set(version.artefacts)
    measures = _read(registry, version, "verification.json")
    assert set(measures) >= MEASURES
    assert measures["accuracy"] > measures["majority_class"]
    assert set(version.metrics) >= MEASURES - {"fairness_parity"}


def test_lineage_is_complete(run: Any) -> None:
    _, _, _, version = run
    lineage = version.lineage
    assert len(lineage.data) == len(lineage.features) == len(lineage.environment) == 64
    assert lineage.code.startswith("source:")
    assert lineage.seeds == {"run": 7}
    assert lineage.parameters["family"] in {"lightgbm", "logistic"}
    assert lineage.features == version.artefacts["program.json"]
    assert lineage.parent == ""


def test_summary_carries_quality_notes_and_parts(run: Any) -> None:
    _, registry, data, version = run
    summary = _read(registry, version, "summary.json")
    assert summary["quality"]["notes"] == ["readings are made up"]
    assert summary["quality"]["rows"] == data.rows.height
    parts = {name: part["rows"] for name, part in summary["parts"].items()}
    assert sum(parts.values()) == summary["quality"]["valid"]
    assert {check["name"] for check in summary["quality"]["checks"]} >= {"schema", "duplicates", "time span", "bias"}
    assert all(svg.startswith("<svg") for svg in _read(registry, version, "figures.json").values())


def test_the_search_tried_both_families_and_every_setting(run: Any) -> None:
    _, registry, _, version = run
    trials = _read(registry, version, "choice.json")["trials"]
    assert len({msgspec.json.encode([t["family"], t["params"]]) for t in trials}) == 6
    assert {t["family"] for t in trials} == {"lightgbm", "logistic"}


def test_canary_records_score_the_same_bits_from_a_bundle(run: Any) -> None:
    _, registry, _, version = run
    bundle = load_bundle(registry, version.ref)
    assert len(bundle.canaries) == 20
    scores = [record.score for record in bundle.canaries]
    assert scores == sorted(scores)
    assert scores[0] < 0.2
    assert scores[-1] > 0.6
    batch = bundle.predictor.scores(np.array([record.matrix_row() for record in bundle.canaries]))
    assert batch.tolist() == scores


def test_small_groups_are_listed_in_the_fairness_report(run: Any) -> None:
    _, registry, _, version = run
    site = _read(registry, version, "verification.json")["details"]["fairness"]["attributes"]["site"]
    assert site["too_small"] == ["lab"]
    assert {group["group"] for group in site["groups"]} == {"north", "south", "lab"}
    assert site["parity"] > 80
    decision = _read(registry, version, "decision.json")
    assert set(decision["rule"]["thresholds"]) == {"north", "south"}


def test_the_holdout_artefact_carries_what_the_gates_need(run: Any, tmp_path: Any) -> None:
    _, registry, _, version = run
    file = tmp_path / "holdout.parquet"
    file.write_bytes(registry.versions.artefact(version.ref, "holdout.parquet"))
    table = pl.read_parquet(file)
    names = load_bundle(registry, version.ref).names
    assert {*(f"f:{name}" for name in names), "y", "_row", "_time", "site", "machine"} <= set(table.columns)
    assert table["y"].dtype == pl.Boolean
    assert all(table[f"f:{name}"].dtype == pl.Float64 for name in names)


def test_an_unchanged_run_reuses_every_stage(run: Any, machines: Machines) -> None:
    workspace, registry, data, version = run
    events: list[StageEvent] = []
    again = develop(machines(), workspace, registry, author="ada", data=data, on_event=events.append)
    assert again == version
    assert [event.what for event in events] == ["reused"] * len(STAGES)


def test_a_fresh_run_elsewhere_gives_the_same_content(
    run: Any, workspace: Workspace, registry: Registry, machines: Machines
) -> None:
    _, _, data, version = run
    other = develop(machines(), workspace, registry, author="eve", data=data)
    assert other.artefacts == version.artefacts
    assert other.metrics == version.metrics
    assert other.digest == version.digest


def test_another_seed_is_another_version(run: Any, machines: Machines) -> None:
    workspace, registry, data, version = run
    other = develop(machines(), workspace, registry, author="ada", data=data, seed=8)
    assert other.ref != version.ref
    assert other.lineage.seeds == {"run": 8}


def test_only_what_changed_runs_again(run: Any, machines: Machines) -> None:
    workspace, registry, data, _ = run
    system = machines()
    system.feature("hot", pl.col("heat") > 90)
    events: list[StageEvent] = []
    develop(system, workspace, registry, author="ada", data=data, on_event=events.append)
    outcome = {event.stage: event.what for event in events if event.what in ("reused", "done")}
    assert outcome["data_quality_checks"] == "reused"
    assert outcome["data_transforms"] == "done"
    assert outcome["model_tuning"] == "done"


def test_the_second_check_uses_production_samples_when_there_are_any(
    run: Any, tmp_path: Any, machines: Machines
) -> None:
    workspace, registry, data, version = run
    assert _read(registry, version, "verification.json")["details"]["production_sample"]["verdict"] == "hold"
    file = tmp_path / "holdout.parquet"
    file.write_bytes(registry.versions.artefact(version.ref, "holdout.parquet"))
    sample = pl.read_parquet(file)
    known = develop(machines(), workspace, registry, author="ada", data=data, production=sample)
    report = _read(registry, known, "verification.json")["details"]["production_sample"]
    assert report["verdict"] == "pass"
    assert report["difference"] == pytest.approx(0.0)
    upside_down = sample.with_columns(~pl.col("y"))
    wrong = develop(machines(), workspace, registry, author="ada", data=data, production=upside_down)
    assert _read(registry, wrong, "verification.json")["details"]["production_sample"]["verdict"] == "fail"


def test_eight_titles_in_the_methods_order() -> None:
    assert TITLES == (
        "Data Quality Checks",
        "Data Transforms",
        "Data Summary",
        "Model Building",
        "Model Tuning",
        "Model Verification",
        "Code Commit",
        "CI/CD Dev Ops",
    )


def test_a_version_that_fails_its_integration_checks_is_refused(
    workspace: Workspace, registry: Registry, machines: Machines
) -> None:
    version = develop(machines(), workspace, registry, author="ada")
    for record in (workspace.runs / "stages").iterdir():
        if msgspec.json.decode(record.read_bytes())["stage"] == "continuous_integration":
            record.unlink()
    name = "canaries.json"  # only the registry reads it: no stage of the run would notice
    path = workspace.objects / version.artefacts[name][:2] / version.artefacts[name]
    path.write_bytes(path.read_bytes().replace(b"canary-01", b"canary-99"))
    with pytest.raises(StageError, match=r"canaries\.json"):
        develop(machines(), workspace, registry, author="ada")
    assert registry.versions.get(version.ref).stage == "Refused"
    assert (
        "integration"
        in registry.lifecycle.history("machines")[0].reason + registry.lifecycle.history("machines")[-1].reason
    )


BAD: list[tuple[str, Any, type[Exception], str]] = [
    ("no rows", lambda t: t.head(0), DataError, "no rows"),
    ("constant target", lambda t: t.with_columns(failed=False), DataError, "constant"),
    (
        "empty target",
        lambda t: t.with_columns(failed=pl.lit(None, dtype=pl.Boolean)),
        DataError,
        "missing in every row",
    ),
    ("no target column", lambda t: t.drop("failed"), DataError, "failed"),
    ("missing column", lambda t: t.drop("heat"), DataError, "heat"),
    ("wrong type", lambda t: t.with_columns(heat=pl.lit([1.0])), DataError, "heat"),
    ("all refused", lambda t: t.with_columns(site=pl.lit("moon")), DataError, "refused"),
    ("nothing to hold out", lambda t: t.head(1500), DataError, "part has 0 labelled rows"),
]


@pytest.mark.parametrize(("name", "spoil", "kind", "words"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_data_gets_one_clear_sentence(
    name: str,
    spoil: Any,
    kind: type[Exception],
    words: str,
    workspace: Workspace,
    registry: Registry,
    machines: Machines,
) -> None:
    with pytest.raises(kind, match=words) as caught:
        develop(machines(), workspace, registry, author="ada", data=bg.Data(spoil(machines().load().rows)))
    assert "Way out:" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert registry.versions.list() == ()


def test_an_unknown_family_or_parameter_is_named(workspace: Workspace, registry: Registry, machines: Machines) -> None:
    for name, options, words in (("oracle", {}, "no model family 'oracle'"), ("logistic", {"depth": 3}, "'depth'")):
        system = machines()
        system.models = ()
        system.model(name, **options)
        with pytest.raises(DefinitionError, match=words):
            develop(system, workspace, registry, author="ada", data=machines().load())
