"""Code commit: model, features, decisions and their whole lineage become one registered, signed version."""

from __future__ import annotations

import io
import math
from typing import Any

import msgspec
import numpy as np
import polars as pl

from bluegold.core.errors import RegistryError
from bluegold.core.nouns import Lineage, Port, StageContract
from bluegold.development.digests import environment
from bluegold.development.stage import StageContext
from bluegold.development.tables import matrix_of, model_of, rule_of
from bluegold.registry.bundle import CanaryRecord
from bluegold.registry.predictors import FAMILIES, Predictor
from bluegold.registry.source_rows import ROWS, Part, SourceRows

__all__ = ["CANARIES", "CONTRACT", "READS", "canary_rows", "run", "still_holds", "verification"]

CANARIES = 20
#: measures of the hold-out that a version is known by, whatever its task
MEASURES = (
    "accuracy",
    "auc",
    "balanced_accuracy",
    "majority_class",
    "calibration_error",
    "rmse",
    "mae",
    "r2",
    "naive_mae",
    "skill",
    "bias",
    "coverage",
)
REPORTS = ("quality_holdout", "fairness", "robustness", "explainability", "production_sample")

CONTRACT = StageContract(
    name="code_commit",
    section="S1",
    purpose="Register artefacts, code and configuration with data hash, commit, environment, seeds and parameters.",
    inputs=(
        *(Port(name=name) for name in ("rows", "valid", "quarantine", "train", "validate", "holdout")),
        Port(name="program", kind="model"),
        Port(name="parity", kind="report"),
        Port(name="summary", kind="report"),
        Port(name="profile", kind="model"),
        Port(name="figures", kind="figure"),
        Port(name="choice", kind="json"),
        Port(name="model", kind="model"),
        Port(name="figures_holdout", kind="figure"),
        *(Port(name=name, kind="report") for name in REPORTS),
    ),
    outputs=(Port(name="version", kind="json", description="name and digest of the registered version"),),
    gate="the registry accepts every artefact by content and signs the version",
    requirements=("CP-6",),
)
READS: tuple[str, ...] = ("name", "plan", "source_text", "contract")


def run(ctx: StageContext) -> dict[str, Any]:
    """Register the version; the same content registered again is the version it already is."""
    choice, measures = ctx.take("choice"), verification({name: ctx.take(name) for name in REPORTS})
    numbers = {k: float(v) for k, v in measures.items() if isinstance(v, int | float)}
    version = ctx.registry.versions.register(
        ctx.system.name, _artefacts(ctx, choice, measures), _lineage(ctx, choice), numbers, ctx.origin.author
    )
    ctx.note(f"registered {version.ref}")
    return {"version": {"ref": version.ref, "digest": version.digest}}


def still_holds(ctx: StageContext, outputs: dict[str, Any]) -> bool:
    """Whether the registry (still) holds the version that an earlier run registered."""
    try:
        kept = ctx.registry.versions.get(outputs["version"]["ref"])
        return kept.digest == str(outputs["version"]["digest"])
    except RegistryError:
        return False


def verification(reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The measures that gate 1 reads, under their agreed names, with every report below ``details``.

    Args:
        reports: the outputs of the five verification stages.

    Example:
        >>> held = {"accuracy": 0.9, "auc": 0.95, "balanced_accuracy": 0.8, "majority_class": 0.7,
        ...         "calibration_error": 0.01, "n": 10}
        >>> found = verification({"quality_holdout": held, "fairness": {"fairness_parity": 97.0},
        ...     "robustness": {"robustness_change": 0.1}, "explainability": {"explainability": 0.9},
        ...     "production_sample": {"verdict": "hold"}})
        >>> found["accuracy"], found["fairness_parity"]
        (0.9, 97.0)
    """
    held = reports["quality_holdout"]
    return {
        "task": held.get("task", "binary"),
        **{name: held[name] for name in MEASURES if name in held},
        "fairness_parity": reports["fairness"]["fairness_parity"],
        "robustness_change": reports["robustness"]["robustness_change"],
        "explainability": reports["explainability"]["explainability"],
        "n": held["n"],
        "details": {
            "holdout": held,
            **{name: report for name, report in reports.items() if name != "quality_holdout"},
        },
    }


def canary_rows(scores: np.ndarray, count: int = CANARIES) -> list[int]:
    """Rows whose scores are spread evenly from the lowest to the highest.

    Example:
        >>> canary_rows(np.array([0.9, 0.1, 0.5, 0.3]), 2)
        [1, 0]
    """
    order = np.argsort(scores, kind="stable")
    return [int(order[i]) for i in np.unique(np.linspace(0, order.size - 1, min(count, order.size)).astype(int))]


def _artefacts(ctx: StageContext, choice: dict[str, Any], measures: dict[str, Any]) -> dict[str, bytes]:
    model: bytes = ctx.take("model")
    buffer = io.BytesIO()
    ctx.take("holdout").write_parquet(buffer, compression="zstd")
    lines, _ = environment()
    facts = {
        "decision.json": {
            "family": choice["format"],
            "rule": choice["rule"],
            **({"calibration": choice["calibration"]} if choice.get("calibration") else {}),
        },
        "choice.json": choice,
        "canaries.json": _canaries(ctx, model_of(choice, model)),
        "parity.json": ctx.take("parity"),
        "verification.json": measures,
        "summary.json": ctx.take("summary"),
        "figures.json": ctx.take("figures") | ctx.take("figures_holdout"),
        "plan.json": ctx.system.plan,
        ROWS: _source_rows(ctx),
    }
    return {
        **{name: msgspec.json.encode(value, order="deterministic") for name, value in facts.items()},
        "program.json": ctx.take("program"),
        "profile.json": ctx.take("profile"),
        FAMILIES[choice["format"]][0]: model,
        "holdout.parquet": buffer.getvalue(),
        "environment.txt": lines.encode(),
        **{name: text.encode() for name, text in ctx.system.source_text.items()},
    }


def _source_rows(ctx: StageContext) -> SourceRows:
    """What became of the source rows: the stored tables that hold them, by part, with how many rows each has."""
    tables: tuple[Part, ...] = ("valid", "quarantine", "train", "validate", "holdout")
    return SourceRows(
        source=ctx.inputs["rows"],
        rows=ctx.take("rows").height,
        tables={name: ctx.inputs[name] for name in tables},
        counts={name: ctx.take(name).height for name in tables},
    )


def _canaries(ctx: StageContext, model: Predictor) -> list[CanaryRecord]:
    holdout: pl.DataFrame = ctx.take("holdout")
    names = ctx.program().names
    matrix = matrix_of(holdout, names)
    found = []
    behind = rule_of(ctx.take("choice")).answers(model.scores(matrix), [""] * len(matrix))[1]
    for number, row in enumerate(canary_rows(behind), start=1):
        vector = matrix[row].tolist()
        payload = {name: _plain(holdout[name][row]) for name in ctx.system.contract.names}
        found.append(
            CanaryRecord(
                id=f"canary-{number:02d}",
                payload=payload,
                vector=tuple(None if math.isnan(value) else value for value in vector),
                score=model.score_row(vector),
            )
        )
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, pl.Series):
        return value.to_list()
    return value.isoformat() if hasattr(value, "isoformat") else value


def _lineage(ctx: StageContext, choice: dict[str, Any]) -> Lineage:
    origin = ctx.origin
    parent = ctx.registry.lifecycle.production(ctx.system.name)
    return Lineage(
        code=origin.code,
        data=origin.data,
        features=ctx.program().digest,
        parameters={"family": choice["family"], **choice["params"]},
        environment=origin.environment,
        seeds={"run": origin.seed},
        parent=parent.ref if parent else "",
        run_id=origin.run_id,
    )
