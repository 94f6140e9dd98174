"""Numbers, classes, texts and images: each developed, judged by all six gates, and served over HTTP."""

from __future__ import annotations

import http.client
import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

import bluegold as bg
from bluegold.core.errors import DataError, DefinitionError
from bluegold.core.nouns import ModelVersion
from bluegold.core.plan import Fairness, Override, Plan, Regression
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.gating import GATES
from bluegold.development import develop
from bluegold.development.folds import places
from bluegold.production.canary import canary_token
from bluegold.production.operations.known_answers import ask as known_answers
from bluegold.production.operations.processes import pinned
from bluegold.registry import Registry

JUDGES = [name for name in GATES if not name.startswith("4")]


class Patient(bg.Contract):
    """A patient at the first visit (Efron et al. 2004)."""

    age: float = bg.number(ge=0, le=120, unit="years")
    group: str = bg.category("a", "b")
    bmi: float = bg.number(ge=10, le=80)
    pressure: float = bg.number(ge=0)
    s5: float = bg.number()


class Digit(bg.Contract):
    """A written digit, eight by eight grey values."""

    pixels: list[float] = bg.array(shape=(8, 8), ge=0, le=16)


class Note(bg.Contract):
    """What a technician wrote."""

    text: str = bg.text(max_length=400, missing="flag")


def patients() -> bg.System:
    values, progression = datasets.load_diabetes(return_X_y=True, scaled=False)
    frame = pl.DataFrame(
        {"age": values[:, 0], "bmi": values[:, 2], "pressure": values[:, 3], "s5": values[:, 8]}
        | {"group": np.where(values[:, 1] > 1, "a", "b").tolist(), "progression": progression}
    )
    split = bg.by_share(validate=0.25, holdout=0.3, seed=3)
    made = bg.System("patients", contract=Patient, target=pl.col("progression"), protected=("group",), split=split)
    made.use("age", "group", "bmi", "pressure", "s5")
    made.model("linear", search={"alpha": (0.1, 10.0)})
    made.model("lightgbm", num_leaves=7)
    made.source(lambda: bg.Data(frame))
    made.plan = Plan(
        system="patients",
        fairness=Fairness(min_group=20),
        regression=Regression(coverage=0.15),
        requirements={"AP-11": Override(reason="sixty patients a group", threshold=60.0)},
    )
    return made


def digits() -> bg.System:
    found = datasets.load_digits()
    frame = pl.DataFrame({"pixels": found.data.tolist(), "digit": found.target})
    made = bg.System("digits", contract=Digit, target=pl.col("digit"), task="multiclass")
    made.use("pixels")
    made.model("logistic", C=0.1)
    made.plan = Plan(
        system="digits", requirements={"AP-12": Override(reason="32 leaves for ten digits", threshold=0.5)}
    )
    made.source(lambda: bg.Data(frame))
    return made


def notes() -> bg.System:
    draw = np.random.default_rng(5)
    words = np.array(["pump", "valve", "motor", "leak", "noise", "hot", "cold", "oil", "dry", "loose", "old", "new"])
    rows = [draw.choice(words, draw.integers(3, 12)).tolist() for _ in range(1500)]
    urgent = [("leak" in row or "hot" in row) != bool(draw.random() < 0.03) for row in rows]
    frame = pl.DataFrame({"text": [" ".join(row).upper() + "!" for row in rows], "urgent": urgent})
    made = bg.System("notes", contract=Note, target=pl.col("urgent"))
    made.words("text", most=12)
    made.model("lightgbm", num_leaves=7, num_iterations=40)
    made.source(lambda: bg.Data(frame))
    return made


Developed = tuple[Workspace, Registry, ModelVersion]


def judged(system: bg.System, workspace: Workspace, registry: Registry) -> tuple[ModelVersion, dict[str, str]]:
    """The version, as Blue of itself developed with another seed, and what every gate but the timed one says."""
    for seed in (7, 8):
        version = develop(system, workspace, registry, author="ada", seed=seed)
        if seed == 7:
            for stage in ("Staging", "Canary"):
                registry.lifecycle.transition(version.ref, stage, reason="test")
            registry.promote(version.ref, reason="test")
    candidate = Candidate.open(registry, workspace, version.ref)
    reports = {name: GATES[name](candidate) for name in JUDGES}
    return version, {name: f"{report.verdict} {report.reason}" for name, report in reports.items()}


def ask(workspace: Workspace, ref: str, row: dict[str, Any]) -> Any:
    """The answer of a real worker."""
    with pinned(workspace, ref) as endpoint:
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=60)
        connection.request("POST", "/v1/predict", json.dumps(row), {"content-type": "application/json"})
        response = connection.getresponse()
        body = json.loads(response.read())
        connection.close()
    assert response.status == 200, body
    return body


def test_a_number(workspace: Workspace, registry: Registry) -> None:
    version, gates = judged(patients(), workspace, registry)
    assert all(said.startswith("pass") for said in gates.values()), gates
    assert version.metrics["r2"] > 0.4
    assert version.metrics["mae"] < 0.75 * version.metrics["naive_mae"]
    assert version.metrics["coverage"] == pytest.approx(0.8, abs=0.15)
    row = {"age": 50, "group": "a", "bmi": 30.0, "pressure": 100.0, "s5": 4.5}
    answer = ask(workspace, version.ref, row)
    assert answer["value"] == answer["score"] > 100
    assert "scores" not in answer


def test_an_image(workspace: Workspace, registry: Registry) -> None:
    version, gates = judged(digits(), workspace, registry)
    assert all(said.startswith("pass") for said in gates.values()), gates
    assert version.metrics["accuracy"] > 0.94
    image = datasets.load_digits().images[7].tolist()
    answer = ask(workspace, version.ref, {"pixels": image})
    assert answer["value"] == "7"
    assert answer["score"] == max(answer["scores"]) == answer["scores"][7]
    records = Candidate.open(registry, workspace, version.ref).bundle.canaries
    with pinned(workspace, version.ref) as endpoint:
        known = known_answers(endpoint, canary_token(workspace.keys), records, "blue")
    assert known.ok, known.wrong
    assert known.correct == len(records) == 20


def test_a_text(workspace: Workspace, registry: Registry) -> None:
    version, gates = judged(notes(), workspace, registry)
    assert all(said.startswith("pass") for said in gates.values()), gates
    assert version.metrics["accuracy"] > 0.94
    assert ask(workspace, version.ref, {"text": "Old pump, LEAK found"})["value"] is True
    assert ask(workspace, version.ref, {"text": None})["value"] is False


def test_a_model_without_skill_is_refused(workspace: Workspace, registry: Registry) -> None:
    system = patients()
    shuffled = system.load().rows.with_columns(pl.col("progression").shuffle(seed=1))
    version = develop(system, workspace, registry, author="ada", data=bg.Data(shuffled))
    report = GATES["1 model"](Candidate.open(registry, workspace, version.ref))
    assert report.verdict == "fail"
    assert {"skill", "R2"} <= {
        measure.name.partition(":")[0] for measure in report.measures if measure.verdict == "fail"
    }


def test_a_target_of_two_meanings_and_a_family_that_cannot_are_refused(
    workspace: Workspace, registry: Registry
) -> None:
    system = digits()
    system.task = ""
    with pytest.raises(DataError, match="a class or a number"):
        system.load()
    wrong = patients()
    wrong.models = ()
    wrong.model("logistic")
    with pytest.raises(DefinitionError, match="does not learn a regression target"):
        develop(wrong, workspace, registry, author="ada")


def test_folds_judge_every_configuration_several_times(workspace: Workspace, registry: Registry) -> None:
    system = patients()
    system.folds = 4
    version = develop(system, workspace, registry, author="ada")
    choice = json.loads(registry.versions.artefact(version.ref, "choice.json"))
    assert {trial["folds"] for trial in choice["trials"]} == {4}
    assert all(trial["spread"] > 0 for trial in choice["trials"])
    assert version.metrics["r2"] > 0.4


def test_a_fold_in_time_never_learns_from_the_future() -> None:
    moments = np.random.default_rng(1).permutation(50)
    for learn, judge in places(50, 4, np.argsort(moments), 7):
        assert moments[learn].max() < moments[judge].min()
