"""NF-8: drift detection delay."""

from __future__ import annotations

import asyncio

import numpy as np

from bluegold.core.nouns import Evidence
from bluegold.core.workspace import Workspace
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.decisions import records
from bluegold.probes.scratch import NotMeasured
from bluegold.production.drift_monitor import DriftAlert, DriftMonitor, Watched
from bluegold.production.results.decision_log import DecisionLog
from bluegold.production.results.records import DecisionRecord, OutcomeRecord, microseconds

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-8"
BEFORE, AFTER = 2_000, 1_000
RATE = 60.0
"""Labelled decisions a minute that the delay is told for."""


def measure(bench: Bench) -> Evidence:
    """Let the outcomes of a copied stream of decisions turn wrong, and count labelled decisions until the alert.

    Raises:
        NotMeasured: nothing is in production, or the monitor does not see the change.
    """
    rule = bench.bundle.decision
    if rule.task != "binary":
        raise NotMeasured("the change is made by turning yes into no, and this model decides something else")
    made = records(bench, BEFORE + AFTER)
    draw = np.random.default_rng(7)
    with bench.folder() as folder:
        space = Workspace.create(folder / "drift")
        monitor = DriftMonitor(space, lambda _: Watched(profile=None, rule=rule))
        outcomes = []
        for place, record in enumerate(made):
            wrong = draw.random() < (0.08 if place < BEFORE else 0.4)
            outcomes.append(bool(record.value) != wrong)
        asyncio.run(_write(space, made, outcomes))
        alerts = monitor.look()
    places = [_place(made, alert) for alert in alerts if alert.kind == "errors"]
    early, late = [one for one in places if one < BEFORE], [one for one in places if one >= BEFORE]
    if not late:
        raise NotMeasured("the monitor did not see the change")
    delay = late[0] - BEFORE
    return bench.evidence(
        REQUIREMENT,
        delay / RATE,
        samples=len(made),
        method=f"error rate from 8 % to 40 % after {BEFORE:,} decisions: alert after {delay} labelled decisions, "
        f"{len(early)} false alarms before; told for {RATE:.0f} labelled decisions a minute",
        artefact="production/drift_monitor.py",
    )


async def _write(space: Workspace, made: list[DecisionRecord], outcomes: list[bool]) -> None:
    log = DecisionLog(space.decisions, worker=0)
    try:
        await log.write(made)
        at = microseconds()
        await log.write(
            [OutcomeRecord(id=record.id, value=value, at=at) for record, value in zip(made, outcomes, strict=True)]
        )
    finally:
        log.close()


def _place(made: list[DecisionRecord], alert: DriftAlert) -> int:
    return next(place for place, record in enumerate(made) if record.id == alert.decision)
