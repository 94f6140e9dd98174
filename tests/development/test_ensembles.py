"""Registered versions that answer as one: their weighted mean is a version, and what would not be fair is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn import datasets

import bluegold as bg
from bluegold.core.errors import DefinitionError, RegistryError
from bluegold.core.nouns import ModelVersion
from bluegold.core.plan import Ensemble
from bluegold.core.plan_file import read_plan
from bluegold.core.workspace import Workspace
from bluegold.development import develop
from bluegold.development.pipeline import stages_of
from bluegold.registry import Registry
from bluegold.registry.bundle import load_bundle
from bluegold.registry.predictors import load_predictor
from bluegold.registry.predictors.ensemble import EnsemblePredictor, Member
from bluegold.registry.predictors.linear import LinearPredictor, NumberTerm

SPLIT = bg.by_share(validate=0.25, holdout=0.3, seed=7)


class Cells(bg.Contract):
    """What a microscope sees."""

    radius: float = bg.number()
    texture: float = bg.number()
    smoothness: float = bg.number()


class Bottle(bg.Contract):
    """What a laboratory measures."""

    alcohol: float = bg.number()
    acid: float = bg.number()
    ash: float = bg.number()


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.create(tmp_path_factory.mktemp("ensembles") / "w")


@pytest.fixture(scope="module")
def registry(space: Workspace) -> Iterator[Registry]:
    with Registry.open(space, actor="ada") as opened:
        yield opened


def cells(family: str = "", ensemble: Ensemble | None = None, **params: Any) -> bg.System:
    system = bg.System("cells", contract=Cells, target=pl.col("kind") == 0, split=SPLIT)
    system.use("radius", "texture", "smoothness")
    if family:
        system.model(family, **params)
    system.plan = msgspec.structs.replace(system.plan, ensemble=ensemble)
    return system


def rows_of(cases: int = 569) -> bg.Data:
    found = datasets.load_breast_cancer()
    columns = {"radius": found.data[:, 0], "texture": found.data[:, 1], "smoothness": found.data[:, 4]}
    return bg.Data(pl.DataFrame({**columns, "kind": found.target})[:cases])


@pytest.fixture(scope="module")
def members(space: Workspace, registry: Registry) -> tuple[ModelVersion, ModelVersion]:
    one = develop(cells("lightgbm", num_leaves=7), space, registry, data=rows_of())
    return one, develop(cells("logistic"), space, registry, data=rows_of())


def test_the_mean_of_two_versions_is_a_version_that_serving_loads(
    space: Workspace, registry: Registry, members: tuple[ModelVersion, ModelVersion]
) -> None:
    weights = Ensemble(members=("v1", "cells:v2"), weights=(3.0, 1.0))
    version = develop(cells(ensemble=weights), space, registry, data=rows_of())
    assert version.lineage.parameters["members"] == {"cells:v1": 0.75, "cells:v2": 0.25}
    bundle, parts = load_bundle(registry, version.ref), [load_bundle(registry, one.ref).predictor for one in members]
    matrix = np.array([one.matrix_row() for one in bundle.canaries])
    mean = 0.75 * parts[0].scores(matrix) + 0.25 * parts[1].scores(matrix)
    assert np.array_equal(bundle.predictor.scores(matrix), np.minimum(mean, 1.0))
    assert [bundle.predictor.score_row(row) for row in matrix.tolist()] == mean.tolist()
    joined = {edge.source for edge in registry.lineage.up(version.ref) if edge.relation == "joined"}
    assert joined == {"cells:v1", "cells:v2"}
    assert develop(cells(ensemble=weights), space, registry, data=rows_of()).ref == version.ref, "nothing is new"


def test_fitted_weights_come_from_rows_that_nobody_learned_from(
    space: Workspace, registry: Registry, members: tuple[ModelVersion, ModelVersion]
) -> None:
    said: list[str] = []
    version = develop(
        cells(ensemble=Ensemble(members=("v1", "v2"), weights="fitted")),
        space,
        registry,
        data=rows_of(),
        on_event=lambda event: said.append(str(event)),
    )
    weights = version.lineage.parameters["members"]
    assert set(weights) == {"cells:v1", "cells:v2"}
    assert sum(weights.values()) == pytest.approx(1.0)
    assert any("weighs" in one and "alone log loss" in one for one in said)


def test_a_member_of_other_rows_or_features_is_refused(
    space: Workspace, registry: Registry, members: tuple[ModelVersion, ModelVersion]
) -> None:
    fewer = develop(cells("logistic"), space, registry, data=rows_of(500))
    both = Ensemble(members=("v1", fewer.version))
    with pytest.raises(DefinitionError, match="rows are others"):
        develop(cells(ensemble=both), space, registry, data=rows_of())
    other = cells(ensemble=Ensemble(members=("v1", "v2")))
    other.feature("area", pl.col("radius") ** 2)
    with pytest.raises(DefinitionError, match="are others"):
        develop(other, space, registry, data=rows_of())
    with pytest.raises(RegistryError, match="there is no version"):
        develop(cells(ensemble=Ensemble(members=("v1", "v99"))), space, registry, data=rows_of())


def test_an_ensemble_of_classes(space: Workspace, registry: Registry) -> None:
    found = datasets.load_wine()
    columns = dict(zip(("alcohol", "acid", "ash"), found.data[:, :3].T, strict=True))
    data = bg.Data(pl.DataFrame({**columns, "kind": [f"k{one}" for one in found.target]}))

    def wine(family: str = "", ensemble: Ensemble | None = None) -> bg.System:
        system = bg.System("wine", contract=Bottle, target=pl.col("kind"), task="multiclass", split=SPLIT)
        system.use("alcohol", "acid", "ash")
        if family:
            system.model(family)
        system.plan = msgspec.structs.replace(system.plan, ensemble=ensemble)
        return system

    for family in ("lightgbm", "logistic"):
        develop(wine(family), space, registry, data=data)
    version = develop(wine(ensemble=Ensemble(members=("v1", "v2"))), space, registry, data=data)
    predictor = load_bundle(registry, version.ref).predictor
    assert predictor.outputs == 3
    row = [13.0, 2.0, 2.3]
    assert predictor.score_row(row) == tuple(predictor.scores(np.array([row]))[0].tolist())


def test_a_file_that_does_not_fit_is_refused() -> None:
    def model(terms: int) -> bytes:
        return LinearPredictor(intercept=0.0, terms=(NumberTerm(mean=0.0, scale=1.0, weight=1.0),) * terms).dump()

    def member(weight: float, data: bytes, family: str = "logistic") -> Member:
        return Member(ref=f"m:{family}", digest="", family=family, weight=weight, data=data)

    good = EnsemblePredictor((member(0.5, model(1)), member(0.5, model(1))), load_predictor, probabilities=True)
    for members, said in (
        ((member(0.5, model(1)), member(0.5, model(2))), "does not fit"),
        ((member(0.5, model(1)), member(0.4, model(1))), "do not add up"),
        ((member(0.5, model(1)), member(0.5, good.dump(), "ensemble")), "ensemble itself"),
        ((member(0.5, model(1)), member(0.5, b"cos\nsystem\n(S'echo'\ntR.")), "no linear model"),
    ):
        with pytest.raises(RegistryError, match=said):
            EnsemblePredictor(members, load_predictor, probabilities=True)
    with pytest.raises(RegistryError, match="cannot be read"):
        load_predictor("ensemble", good.dump().replace(b'"weight":0.5', b'"weight":-1', 1))
    pickled = msgspec.json.decode(good.dump())
    pickled["members"][0]["data"] = "Y29zCnN5c3RlbQooUydlY2hvJwp0Ui4="
    with pytest.raises(RegistryError, match="pickle"):
        load_predictor("ensemble", msgspec.json.encode(pickled))


def test_the_plan_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "architecture.yaml"
    for text, said in (
        ("ensemble: {members: [v1, v1]}", "twice"),
        ("ensemble: {members: [v1, v2], weights: [1.0]}", "1 numbers for 2 members"),
        ("ensemble: {members: [v1]}", "length >= 2"),
    ):
        path.write_text(f"system: cells\n{text}\n")
        with pytest.raises(DefinitionError, match=said):
            read_plan(path)
    path.write_text("system: cells\nensemble: {members: [v1, v2], weights: fitted, reason: they err differently}\n")
    names = [stage.contract.name for stage in stages_of(read_plan(path))]
    assert "model_combining" in names
    assert "model_tuning" not in names
