"""Images, texts and predicted numbers go through the same gates, with their own measures; their leaks do not."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn import datasets

import bluegold as bg
from bluegold.core.nouns import GateReport, ModelVersion
from bluegold.core.plan import Override
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.gating import GATES
from bluegold.development import develop
from bluegold.registry import Registry

SPLIT = bg.by_share(validate=0.2, holdout=0.3, seed=7)
JUDGED = [name for name in sorted(GATES) if not name.startswith("4")]


class Picture(bg.Contract):
    """A hand-written digit."""

    pixels: list[float] = bg.array(shape=(8, 8), ge=0, le=16)


class Patient(bg.Contract):
    """What was measured at the beginning, and what somebody wrote down a year later."""

    bmi: float = bg.number()
    pressure: float = bg.number()
    sugar: float = bg.number()
    lipids: float = bg.number()
    bill: float = bg.number()


class Sentence(bg.Contract):
    """The first words of a docstring."""

    text: str = bg.text(max_length=400)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.create(tmp_path_factory.mktemp("tasks") / "w")


@pytest.fixture(scope="module")
def registry(space: Workspace) -> Iterator[Registry]:
    with Registry.open(space, actor="ada") as opened:
        yield opened


def made(system: bg.System, space: Workspace, registry: Registry, rows: pl.DataFrame) -> ModelVersion:
    return develop(system, space, registry, author="ada", data=bg.Data(rows))


def gates(space: Workspace, registry: Registry, ref: str, *names: str) -> dict[str, GateReport]:
    return {name: GATES[name](Candidate.open(registry, space, ref)) for name in names or JUDGED}


def patients(space: Workspace, registry: Registry, *used: str) -> tuple[bg.System, Workspace, Registry, pl.DataFrame]:
    system = bg.System("patients", contract=Patient, target=pl.col("progress"), split=SPLIT)
    system.use(*used)
    system.model("linear")
    found = datasets.load_diabetes()
    numbers = {name: found.data[:, place] for name, place in zip(used, (2, 3, 9, 8), strict=False)}
    bill = found.target * 12.5 + np.random.default_rng(0).normal(0, 20, len(found.target))
    blank = dict.fromkeys(Patient.spec.names, np.zeros(len(found.target)))
    rows = pl.DataFrame({**blank, **numbers, "bill": bill, "progress": found.target})
    return system, space, registry, rows


def test_a_predicted_number_passes_and_its_leak_on_a_scale_is_refused(space: Workspace, registry: Registry) -> None:
    honest = made(*patients(space, registry, "bmi", "pressure", "sugar", "lipids"))
    found = gates(space, registry, honest.ref)
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(JUDGED, "pass")
    assert any("R2" in measure.name for measure in found["1 model"].measures)
    leaking = made(*patients(space, registry, "bmi", "pressure", "sugar", "bill"))
    refused = gates(space, registry, leaking.ref, "6 regression")["6 regression"]
    assert refused.verdict == "fail"
    assert "'bill' alone tells the outcome with an R2" in refused.reason
    assert "known='at decision'" in refused.reason


def test_an_image_passes_and_a_class_that_is_lost_is_refused(space: Workspace, registry: Registry) -> None:
    system = bg.System("digits", contract=Picture, target=pl.col("digit"), task="multiclass", split=SPLIT)
    system.use("pixels")
    system.model("logistic")
    reason = "32 leaves for ten digits: nobody reads pixels as rules"
    system.plan = msgspec.structs.replace(system.plan, requirements={"AP-12": Override(threshold=0.5, reason=reason)})
    images = datasets.load_digits()
    rows = pl.DataFrame({"pixels": images.data.tolist(), "digit": [f"d{one}" for one in images.target]})
    blue = made(system, space, registry, rows)
    found = gates(space, registry, blue.ref)
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(JUDGED, "pass"), found
    assert reason in next(one.note for one in found["1 model"].measures if one.name.startswith("AP-12"))
    [lowest] = [one for one in found["1 model"].measures if one.name == "lowest recall of a class"]
    assert lowest.note.startswith("d")
    for stage in ("Staging", "Canary"):
        registry.lifecycle.transition(blue.ref, stage, reason="test")
    registry.promote(blue.ref, reason="test")
    artefacts = registry.versions.artefacts(blue.ref)
    decision = msgspec.json.decode(artefacts["decision.json"])
    labels = decision["rule"]["labels"]
    labels[8], labels[9] = labels[9], labels[8]
    plan = msgspec.json.decode(artefacts["plan.json"]) | {"fairness": {"min_group": 30}}
    changed = artefacts | {"decision.json": msgspec.json.encode(decision), "plan.json": msgspec.json.encode(plan)}
    gold = registry.versions.register(blue.model, changed, blue.lineage, blue.metrics, "ada")
    report = gates(space, registry, gold.ref, "6 regression")["6 regression"]
    lost = {one.name for one in report.measures if one.verdict == "fail" and "where" in one.name}
    assert lost == {"accuracy where outcome is d8", "accuracy where outcome is d9"}


def test_a_text_passes(space: Workspace, registry: Registry) -> None:
    """Docstrings of two installed libraries: which one are they from?"""
    system = bg.System("docs", contract=Sentence, target=pl.col("frames"), split=SPLIT)
    system.words("text", most=150)
    system.model("logistic")
    found = {
        (" ".join(text.split())[:380].replace("numpy", "it").replace("polars", "it"), source is not np)
        for source in (np, pl)
        for owner in (source, pl.Expr if source is pl else np.ndarray, pl.DataFrame if source is pl else np.ma)
        for one in vars(owner).values()
        if callable(one) and not isinstance(one, types.ModuleType)
        for text in (inspect.getdoc(one) or "",)
        if len(text) > 60
    }
    rows = pl.DataFrame({"text": [one[0] for one in sorted(found)], "frames": [one[1] for one in sorted(found)]})
    version = made(system, space, registry, rows)
    verdicts = {name: (one.verdict, one.reason) for name, one in gates(space, registry, version.ref).items()}
    assert {name: verdict for name, (verdict, _) in verdicts.items()} == dict.fromkeys(JUDGED, "pass"), verdicts
