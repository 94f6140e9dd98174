"""Model combining, in place of building and tuning where the plan names an ensemble: registered versions become one.

Every member is learned once more from the training rows alone, so that weights, calibration and thresholds come from
validation rows that nobody has seen; what is combined then are the registered models themselves.

Source: Breiman (1996), Stacked Regressions, Machine Learning 24: weights that are not negative, fitted on rows the
members have not learned from.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl

from bluegold.core.errors import DefinitionError
from bluegold.core.nouns import ModelVersion, Port, StageContract
from bluegold.core.plan import Ensemble
from bluegold.development.calibrating import check_wish
from bluegold.development.families import Training, family
from bluegold.development.model_tuning import calibration_of, choose_rule, told
from bluegold.development.stage import StageContext
from bluegold.development.tables import matrix_of
from bluegold.development.tasks import TaskKind, rule_for, task_of
from bluegold.registry.predictors import FAMILIES, load_predictor
from bluegold.registry.predictors.calibrated import CalibratedPredictor, Calibration
from bluegold.registry.predictors.ensemble import EnsemblePredictor, Member
from bluegold.registry.registry import Registry
from bluegold.registry.source_rows import ROWS, Part, SourceRows

__all__ = ["CONTRACT", "READS", "fitted_weights", "members", "run"]

PARTS: tuple[Part, ...] = ("train", "validate", "holdout")
#: a fitted weight below this is none
LEAST = 1e-3

CONTRACT = StageContract(
    name="model_combining",
    section="S1",
    purpose="Combine registered versions into one: weights, calibration and thresholds from the validation rows.",
    inputs=(
        Port(name="program", kind="model"),
        *(Port(name=part) for part in PARTS),
        Port(name="members", kind="json"),
    ),
    outputs=(
        Port(name="choice", kind="json", description="members, weights, decision rule"),
        Port(name="model", kind="model", description="the members in one file, with their weights"),
    ),
    gate="every member was developed from these rows and features, and none of them alone is the ensemble",
    timeout_s=1800.0,
)
READS: tuple[str, ...] = ("ensemble", "fairness", "calibration")


class _Learned(msgspec.Struct, frozen=True, kw_only=True):
    """A member as registered, and what its like says of the validation rows without having learned from them."""

    version: ModelVersion
    choice: dict[str, Any]
    data: bytes
    unseen: np.ndarray
    loss: float
    quality: float

    @property
    def calibration(self) -> Calibration | None:
        told = self.choice.get("calibration")
        return msgspec.convert(told, Calibration) if told else None


def members(registry: Registry, model: str, ensemble: Ensemble) -> list[dict[str, str]]:
    """The versions that an ensemble names, with their digests.

    Args:
        registry: where they are.
        model: the system; ``v1`` is a version of it.
        ensemble: the plan's entry.

    Raises:
        UnknownVersion: there is no such version.
        DefinitionError: a version of another model is named.
    """
    found = []
    for name in ensemble.members:
        version = registry.versions.verified(name if ":" in name else f"{model}:{name}")
        if version.model != model:
            raise DefinitionError(
                f"{version.ref} cannot be a member of an ensemble of {model}",
                why="it answers another question",
                way_out=f"name versions of {model}",
            )
        found.append({"ref": version.ref, "digest": version.digest})
    return found


def run(ctx: StageContext) -> dict[str, Any]:
    """Weigh the members, choose the decision rule, and put them into one file."""
    ensemble = ctx.system.plan.ensemble
    if ensemble is None:
        raise DefinitionError("the plan names no ensemble", way_out="name its members in architecture.yaml")
    train, validate = ctx.take("train"), ctx.take("validate")
    first = rule_for(pl.concat([train["y"], validate["y"]]))
    task = task_of(first)
    check_wish(ctx.system.calibration, task.name)
    names, kinds = ctx.program().names, ctx.program().kinds
    training = Training(matrix_of(train, names), task.encode(train["y"]), kinds, rule=first)
    seen, held = matrix_of(validate, names), task.encode(validate["y"])
    parts = [_part(ctx, one["ref"], training, seen, held) for one in ctx.take("members")]
    weights = _weights(ensemble, parts, held)
    chosen = [(part, weight) for part, weight in zip(parts, weights, strict=True) if weight > 0.0]
    if len(chosen) < 2:
        raise DefinitionError(
            f"the ensemble is {chosen[0][0].version.ref} alone",
            why="with weights fitted on the validation rows the others add nothing",
            way_out=f"deliver that version, or state weights: equal (members: {', '.join(ensemble.members)})",
        )
    model = EnsemblePredictor(
        tuple(_member(part, weight) for part, weight in chosen),
        load_predictor,
        probabilities=first.task != "regression",
    )
    scores = sum(weight * part.unseen for part, weight in chosen)
    scores, calibration = calibration_of(ctx, first.task, held, np.asarray(scores))
    rule = choose_rule(first, held, scores, validate, ctx.system.plan.fairness)
    found = task.quality(held, scores, validate) if rule == first else task_of(rule).quality(held, scores, validate)
    _tell(ctx, task, chosen, held, scores)
    ctx.note(f"ensemble: {told(rule, found)}")
    return {"choice": _choice(chosen, rule, model, found, len(held)) | calibration, "model": model.dump()}


def _part(ctx: StageContext, ref: str, training: Training, seen: np.ndarray, held: np.ndarray) -> _Learned:
    version = ctx.registry.versions.verified(ref)
    _same_rows(ctx, version)
    choice = msgspec.json.decode(ctx.registry.versions.artefact(ref, "choice.json"))
    data = ctx.registry.versions.artefact(ref, FAMILIES[choice["format"]][0])
    if choice["format"] == "ensemble":
        raise DefinitionError(f"{ref} is an ensemble itself", way_out="name the versions it is made of")
    alike = family(choice["family"]).fit(training, choice["params"], ctx.seed).predictor
    if choice.get("calibration"):
        alike = CalibratedPredictor(alike, msgspec.convert(choice["calibration"], Calibration))
    unseen, task = alike.scores(seen), task_of(training.rule)
    loss, quality = task.loss(held, unseen), task.goodness(held, unseen)
    return _Learned(version=version, choice=choice, data=data, unseen=unseen, loss=loss, quality=quality)


def _same_rows(ctx: StageContext, version: ModelVersion) -> None:
    """A member that learned from rows which judge the ensemble would make it look better than it is."""
    ref, named = version.ref, {"choice.json", "program.json", ROWS}
    if not named <= set(version.artefacts):
        raise DefinitionError(f"{ref} cannot be a member", why="it was not developed here", way_out="leave it out")
    rows = msgspec.json.decode(ctx.registry.versions.artefact(ref, ROWS), type=SourceRows)
    other = [part for part in PARTS if rows.tables.get(part) != ctx.inputs[part]]
    if other or version.lineage.features != ctx.program().digest:
        what = f"its {' and '.join(other)} rows are others" if other else "its features are others"
        raise DefinitionError(
            f"{ref} cannot be a member of this ensemble",
            why=f"{what}, so that no row would judge both fairly",
            way_out="develop it again from the same data and definition, with other models only",
        )


def _weights(ensemble: Ensemble, parts: list[_Learned], held: np.ndarray) -> list[float]:
    if ensemble.weights == "fitted":
        return fitted_weights([part.unseen for part in parts], held)
    given = [1.0] * len(parts) if isinstance(ensemble.weights, str) else list(ensemble.weights)
    return [weight / sum(given) for weight in given]


def fitted_weights(scores: list[np.ndarray], labels: np.ndarray) -> list[float]:
    """Weights that are not negative, add up to 1, and make the squared error of the mean smallest.

    Args:
        scores: of each member, (n,) or (n, classes), on rows it has not learned from.
        labels: (n,) booleans, positions of classes, or numbers.

    Example:
        >>> truth = np.arange(100.0)
        >>> noise = np.random.default_rng(0).normal(0, 10, (2, 100))
        >>> [round(one, 1) for one in fitted_weights([truth + noise[0], truth + noise[1]], truth)]
        [0.5, 0.5]
        >>> fitted_weights([truth, truth[::-1]], truth)
        [1.0, 0.0]
    """
    from scipy.optimize import nnls

    truth = labels.astype(np.float64)
    if scores[0].ndim == 2:
        truth = (labels[:, None] == np.arange(scores[0].shape[1])).astype(np.float64)
    columns, wanted = np.column_stack([one.ravel() for one in scores]), truth.ravel()
    spread = float(np.abs(columns).max()) or 1.0
    sure = 1e3 * spread * np.sqrt(len(wanted))  # the row that holds the sum at 1 outweighs all others
    rows = np.vstack([columns, np.full(columns.shape[1], sure)])
    weights: np.ndarray = nnls(rows, np.append(wanted, sure))[0]
    weights[weights < LEAST] = 0.0
    return [float(weight) for weight in weights / weights.sum()]


def _member(part: _Learned, weight: float) -> Member:
    return Member(
        ref=part.version.ref,
        digest=part.version.digest,
        family=part.choice["format"],
        weight=weight,
        data=part.data,
        calibration=part.calibration,
    )


def _tell(
    ctx: StageContext, task: TaskKind, chosen: list[tuple[_Learned, float]], held: np.ndarray, scores: Any
) -> None:
    loss, quality = task.words
    for part, weight in chosen:
        ctx.note(f"{part.version.ref} weighs {weight:.2f}: alone {loss} {part.loss:.4f}, {quality} {part.quality:.4f}")
    together, best = task.loss(held, scores), min(part.loss for part, _ in chosen)
    if together >= best:
        ctx.note(f"together they are no better than the best of them ({loss} {together:.4f}, {best:.4f} alone)")


def _choice(
    chosen: list[tuple[_Learned, float]], rule: Any, model: EnsemblePredictor, found: dict[str, Any], rows: int
) -> dict[str, Any]:
    facts = [
        {
            "ref": part.version.ref,
            "digest": part.version.digest,
            "family": part.choice["family"],
            "weight": weight,
            "loss": part.loss,
            "quality": part.quality,
        }
        for part, weight in chosen
    ]
    return {
        "family": "ensemble",
        "params": {"members": {part.version.ref: weight for part, weight in chosen}},
        "rule": msgspec.to_builtins(rule),
        "trials": [],
        "calls": "shared by rows that wait together" if model.shares else "one a row",
        "format": model.family,
        "facts": {"members": facts},
        "validation": found,
        "refit_rows": rows,
    }
