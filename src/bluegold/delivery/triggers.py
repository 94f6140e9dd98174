"""Retraining triggers: the schedule, new labels, or drift say that a new candidate is due.

A trigger never decides about production: what it opens is a candidate that runs the six gates and stops there.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable

import msgspec
import numpy as np

from bluegold.core.errors import UsageError
from bluegold.core.nouns import GateReport, ModelVersion, now
from bluegold.core.plan import Plan, Retraining
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Candidate, Subject
from bluegold.delivery.gating import run_gates, verdict_of
from bluegold.features.profile import Profile, drift
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.registry.registry import Registry

__all__ = ["Due", "due", "open_candidate"]

#: Live rows that drift is judged on, and the fewest that may be judged.
_ROWS, _LEAST = 10_000, 500


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Which trigger fired, why, and what was looked at."""

    fired: bool
    reasons: tuple[str, ...]
    looked_at: dict[str, float]


def due(model: str, plan: Plan, registry: Registry, workspace: Workspace, at: dt.datetime | None = None) -> Due:
    """Whether a new candidate is due by the plan.

    Args:
        model: the model.
        plan: with its ``retraining``.
        registry: where its versions are.
        workspace: where decisions and outcomes are.
        at: the moment; now when not given.

    Raises:
        UsageError: the plan names no trigger, or nothing was ever registered.
    """
    wanted = plan.retraining
    if wanted == Retraining():
        raise UsageError(
            f"the plan of '{model}' names no retraining trigger",
            way_out="set retraining.every_days, labels or drift_psi in architecture.yaml",
        )
    versions = registry.versions.list(model)
    if not versions:
        raise UsageError(f"'{model}' has no version yet", way_out="run 'bluegold develop' first")
    newest = max(versions, key=lambda one: one.created_at)
    looked_at = {"days": ((at or now()) - newest.created_at) / dt.timedelta(days=1)}
    reasons = []
    if wanted.every_days and looked_at["days"] >= wanted.every_days:
        reasons.append(f"{newest.ref} is {looked_at['days']:.1f} days old (limit {wanted.every_days:g})")
    if wanted.labels or wanted.drift_psi:
        labels, rows = _live(model, workspace, newest.created_at)
        looked_at["labels"] = float(labels)
        if wanted.labels and labels >= wanted.labels:
            reasons.append(f"{labels} outcomes came in since {newest.ref} (limit {wanted.labels})")
        worst = _drift(model, registry, rows) if wanted.drift_psi else None
        if worst is not None:
            name, value, limit = worst
            looked_at["drift"] = value
            if value > max(limit, wanted.drift_psi):
                reasons.append(f"feature '{name}' drifted: PSI {value:.2f} (limit {max(limit, wanted.drift_psi):.2f})")
    return Due(fired=bool(reasons), reasons=tuple(reasons), looked_at=looked_at)


def open_candidate(
    develop: Callable[[], ModelVersion], registry: Registry, workspace: Workspace, reasons: tuple[str, ...]
) -> tuple[ModelVersion, tuple[GateReport, ...]]:
    """Develop a candidate and run its six gates; what comes after them is for ``bluegold deliver``.

    Args:
        develop: develops and registers a version.
        registry: where reports are recorded.
        workspace: the registry's workspace.
        reasons: why; they go into the audit chain.

    Returns:
        the version, and its gate reports.
    """
    version = develop()
    registry.audit.append("automatic:retraining", "retrain", version.ref, "developed", {"reasons": list(reasons)})

    def keep(report: GateReport) -> None:
        registry.gates.record(report, registry.actor)

    reports = run_gates(Candidate.open(registry, workspace, version.ref), keep)
    registry.audit.append(
        "automatic:retraining", "retrain", version.ref, f"stopped at the gates: {verdict_of(reports)}", {}
    )
    return version, reports


def _live(model: str, workspace: Workspace, since: dt.datetime) -> tuple[int, list[DecisionRecord]]:
    """Outcomes since a moment, and the latest decisions of users."""
    start = since.timestamp() * 1e6
    labels, latest = 0, deque[DecisionRecord](maxlen=_ROWS)
    for record in DecisionReader(workspace.decisions).records():
        if isinstance(record, OutcomeRecord):
            labels += record.at >= start
        elif record.model == model and not record.canary and record.vector:
            latest.append(record)
    return labels, list(latest)


def _drift(model: str, registry: Registry, rows: list[DecisionRecord]) -> tuple[str, float, float] | None:
    """The feature that drifted furthest beyond its placebo limit: name, index, limit."""
    change = registry.lifecycle.production(model)
    if change is None:
        return None
    blue = Subject(registry, registry.versions.get(change.ref))
    if not blue.has("profile.json"):
        return None
    mine = [row.matrix_row() for row in rows if row.features_digest == blue.program.digest]
    if len(mine) < _LEAST:
        return None
    profile = blue.facts("profile.json", Profile)
    found = drift(profile, np.array(mine))
    name = max(found, key=lambda one: found[one] / max(profile.limits.get(one, 0.2), 0.2))
    return name, found[name], profile.limits.get(name, 0.2)
