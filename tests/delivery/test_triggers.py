"""Retraining triggers open candidates by themselves, and stop at the gates."""

from __future__ import annotations

import asyncio
import datetime as dt

import msgspec
import numpy as np
import pytest

from bluegold.core.errors import UsageError
from bluegold.core.nouns import ModelVersion, now
from bluegold.core.plan import Plan, Retraining
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Subject
from bluegold.delivery.triggers import due, open_candidate
from bluegold.production.results.decision_log import DecisionLog
from bluegold.production.results.records import DecisionRecord, OutcomeRecord, microseconds
from bluegold.registry import Registry

MODEL = "pumps"


def plan(**triggers: float) -> Plan:
    return Plan(system=MODEL, retraining=msgspec.convert(triggers, Retraining))


def live(workspace: Workspace, registry: Registry, count: int, shift: float) -> None:
    """Decisions of Blue on hold-out rows, moved by ``shift``, each with its outcome."""
    blue = Subject(registry, registry.versions.get("pumps:v1"))
    rows = blue.holdout.select(f"f:{name}" for name in blue.program.names).to_numpy()[:count]

    async def write() -> None:
        log = DecisionLog(workspace.decisions, 0)
        records = [
            DecisionRecord(
                at=microseconds(),
                model=MODEL,
                version="v1",
                color="blue",
                value=True,
                score=0.5,
                vector=[float(one) + shift for one in row],
                features_digest=blue.program.digest,
            )
            for row in np.nan_to_num(rows)
        ]
        await log.write(records)
        await log.write([OutcomeRecord(id=one.id, value=True, at=microseconds()) for one in records])
        log.close()

    asyncio.run(write())


def test_the_schedule_and_the_labels(registry: Registry, workspace: Workspace, blue: ModelVersion) -> None:
    with pytest.raises(UsageError, match="no retraining trigger"):
        due(MODEL, plan(), registry, workspace)
    week = plan(every_days=7)
    assert not due(MODEL, week, registry, workspace).fired
    assert due(MODEL, week, registry, workspace, at=now() + dt.timedelta(days=8)).fired
    live(workspace, registry, 300, shift=0.0)
    assert not due(MODEL, plan(labels=301), registry, workspace).fired
    assert "300 outcomes" in due(MODEL, plan(labels=300), registry, workspace).reasons[0]


def test_drift_is_judged_on_what_was_really_served(
    registry: Registry, workspace: Workspace, blue: ModelVersion
) -> None:
    live(workspace, registry, 400, shift=30.0)
    assert not due(MODEL, plan(drift_psi=0.3), registry, workspace).fired, "400 rows are too few"
    live(workspace, registry, 700, shift=30.0)
    assert "drifted" in due(MODEL, plan(drift_psi=0.3), registry, workspace).reasons[0]


def test_a_candidate_stops_at_the_gates(registry: Registry, workspace: Workspace, blue: ModelVersion) -> None:
    version, reports = open_candidate(lambda: registry.versions.get("pumps:v4"), registry, workspace, ("labels",))
    assert len(reports) == 6
    assert "fail" in {report.verdict for report in reports}
    assert registry.releases.active(MODEL) is None
    assert registry.versions.get(version.ref).stage == "Registered"
    assert registry.lifecycle.production(MODEL).ref == "pumps:v1"
    assert any(event.who == "automatic:retraining" for event in registry.audit.events(subject="pumps:v4"))
