"""The development pipeline: the stages in order, and the one call that runs them all."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, Unpack

import polars as pl

from bluegold.core.errors import UsageError
from bluegold.core.nouns import ModelVersion
from bluegold.core.plan import Plan
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.development import (
    code_commit,
    continuous_integration,
    data_quality_checks,
    data_summary,
    data_transforms,
    model_building,
    model_combining,
    model_tuning,
)
from bluegold.development.artefacts import Artefacts
from bluegold.development.definition import definition
from bluegold.development.digests import environment, frame_digest, sha256_json
from bluegold.development.publishing import publish
from bluegold.development.runner import Runner
from bluegold.development.stage import Origin, Stage, StageContext, StageEvent, stage_of
from bluegold.development.verification import explainability, fairness, holdout, production_sample, robustness
from bluegold.engine import LocalEngine
from bluegold.features.masking import masked
from bluegold.features.program import FeatureProgram
from bluegold.features.system import Data, System
from bluegold.registry import Registry
from bluegold.stores import connect

__all__ = ["STAGES", "TITLES", "develop", "develop_through", "stages_of"]

#: the stages in order; the five checks of model verification are stages of their own
STAGES: tuple[Stage, ...] = (
    stage_of("Data Quality Checks", data_quality_checks),
    stage_of("Data Transforms", data_transforms),
    stage_of("Data Summary", data_summary),
    stage_of("Model Building", model_building),
    stage_of("Model Tuning", model_tuning),
    stage_of("Model Verification", holdout),
    stage_of("Model Verification", fairness),
    stage_of("Model Verification", robustness),
    stage_of("Model Verification", explainability),
    stage_of("Model Verification", production_sample),
    stage_of("Code Commit", code_commit),
    stage_of("CI/CD Dev Ops", continuous_integration),
)

#: the stages of an ensemble: its members are built and tuned already
COMBINING: tuple[Stage, ...] = (
    *STAGES[:3],
    stage_of("Model Tuning", model_combining),
    *STAGES[5:],
)

#: the method's eight stage names in order
TITLES: tuple[str, ...] = tuple(dict.fromkeys(stage.title for stage in STAGES))


def stages_of(plan: Plan) -> tuple[Stage, ...]:
    """The stages that a plan asks for: an ensemble combines instead of training.

    Args:
        plan: of the system.
    """
    return STAGES if plan.ensemble is None else COMBINING


class Options(TypedDict, total=False):
    """What a run may be told beyond definition, workspace and registry.

    Attributes:
        author: who develops the version; the registry's actor by default.
        seed: the one seed of the run, 7 by default.
        data: rows and tables instead of what the system's source loads.
        production: recent decisions with outcomes for the second check (``f:<feature>``, ``y``, group column).
        folder: where the definition lies; its git commit goes into the lineage when it is committed.
        resume: False runs every stage again.
        on_event: told about every stage's start, reuse, end and failure.
        history_until: events at or after this moment are not put into the online store (a replay sends them again).
    """

    author: str
    seed: int
    data: Data | None
    production: pl.DataFrame | None
    folder: Path | None
    resume: bool
    on_event: Callable[[StageEvent], None] | None
    history_until: dt.datetime | None


def develop(system: System, workspace: Workspace, registry: Registry, **options: Unpack[Options]) -> ModelVersion:
    """Run S1: data -> registered version.

    Finished stages are reused: a run killed at any moment goes on where it was, and an unchanged run
    gives the version it gave before.

    Args:
        system: the definition.
        workspace: where artefacts and records are kept.
        registry: where the version is registered.
        options: see :class:`Options`.

    Returns:
        The registered version, in the stage it has now.

    Raises:
        DataError: the data cannot be used; one sentence says why.
        DefinitionError: the definition cannot mean what it says.
        StageError: a stage failed.
        RegistryError: the registry refuses the version.
    """
    data = masked(system.contract, options.get("data") or system.load(), workspace.keys)
    found = _run(_at_level(system, registry), data, workspace, registry, options)
    version = registry.versions.get(found["integration"]["ref"])
    program = FeatureProgram.from_json(registry.versions.artefact(version.ref, "program.json"))
    where, until = system.plan.stores.online, options.get("history_until")
    publish(program, data, workspace, digest=version.lineage.data, until=until, online=where)
    return version


def develop_through(
    stage: str, system: System, workspace: Workspace, registry: Registry, **options: Unpack[Options]
) -> None:
    """Run S1 up to one stage, as a scheduler does that gives every stage a task of its own.

    Args:
        stage: name of the last stage to run; finished ones before it are reused.
        system: the definition.
        workspace: the workspace that the tasks share.
        registry: where a version is registered when the stage is far enough.
        options: see :class:`Options`.

    Raises:
        UsageError: there is no such stage.
        BluegoldError: as :func:`develop`.
    """
    stages = stages_of(system.plan)
    names = [one.contract.name for one in stages]
    if stage not in names:
        raise UsageError(f"there is no stage '{stage}'", way_out=f"use one of {', '.join(names)}")
    if stage == names[-1]:
        develop(system, workspace, registry, **options)
        return
    data = masked(system.contract, options.get("data") or system.load(), workspace.keys)
    _run(_at_level(system, registry), data, workspace, registry, options, stages[: names.index(stage) + 1])


def _at_level(system: System, registry: Registry) -> System:
    """The system with production's feature program, where its plan lets a release change the model only."""
    change = registry.lifecycle.production(system.name) if system.plan.rollout.level == "model" else None
    if change is None:
        return system
    return system.with_program(registry.versions.artefact(change.ref, "program.json").decode())


def _run(
    system: System,
    data: Data,
    workspace: Workspace,
    registry: Registry,
    options: Options,
    stages: tuple[Stage, ...] = (),
) -> dict[str, Any]:
    parts = definition(system)
    artefacts = Artefacts(connect(settings().object_url or "files", "object", workspace))
    given = _given(data, options.get("production"), artefacts)
    ensemble = system.plan.ensemble
    if ensemble is not None:
        joined = model_combining.members(registry, system.name, ensemble)
        given["members"] = sha256_json(joined)
        artefacts.warm(given["members"], joined)
    origin = _origin(system, sha256_json([given["rows"], given["tables"]]), parts, options, registry)
    runner = Runner(
        workspace.runs, artefacts, LocalEngine(), options.get("on_event"), resume=options.get("resume", True)
    )

    def context(take: Callable[[str], Any], note: Callable[[str], None]) -> StageContext:
        return StageContext(system, workspace, registry, origin, take, note)

    return runner.run(stages or stages_of(system.plan), context, given, parts, origin)


def _given(data: Data, production: pl.DataFrame | None, artefacts: Artefacts) -> dict[str, str]:
    """What comes from outside, by digest: it is kept in memory only."""
    values: dict[str, Any] = {
        "rows": data.rows,
        "tables": data.tables,
        "notes": list(data.notes),
        "production": pl.DataFrame() if production is None else production,
    }
    digests = {
        "rows": frame_digest(data.rows),
        "tables": sha256_json({name: frame_digest(table) for name, table in data.tables.items()}),
        "notes": sha256_json(values["notes"]),
        "production": frame_digest(values["production"]),
    }
    for port, digest in digests.items():
        artefacts.warm(digest, values[port])
    return digests


def _origin(system: System, data: str, parts: dict[str, str], options: Options, registry: Registry) -> Origin:
    seed = options.get("seed", 7)
    return Origin(
        run_id=sha256_json([system.name, data, parts, seed])[:16],
        data=data,
        code=_code(system, parts, options.get("folder")),
        environment=environment()[1],
        seed=seed,
        author=options.get("author") or registry.actor,
    )


def _code(system: System, parts: dict[str, str], folder: Path | None) -> str:
    """The git commit of a definition that is committed as it is, else the digest of its source."""
    source = f"source:{sha256_json(system.source_text or parts)}"
    if folder is None:
        return source
    home = folder if folder.is_dir() else folder.parent
    commit, changes = _git(home, "rev-parse", "HEAD"), _git(home, "status", "--porcelain", "--", ".")
    return f"git:{commit}" if commit and changes == "" else source


def _git(folder: Path, *words: str) -> str | None:
    try:
        command = ["git", "-C", str(folder), *words]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
