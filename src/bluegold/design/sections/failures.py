"""Failure modes: what goes wrong, the structural answer to it, and what this system has shown of that answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bluegold.design.blocks import Table
from bluegold.design.brief import Brief
from bluegold.design.places import module_place

__all__ = ["failures", "stopped"]


class _Failure(NamedTuple):
    """Symptom, cause, structural answer, the module that is the answer, and what stands here for it."""

    symptom: str
    cause: str
    answer: str
    place: tuple[str, str]
    here: Callable[[Brief], str]


def failures(brief: Brief) -> Table:
    """Every failure mode of the method with its answer, and the evidence of this system where there is some."""
    return Table(
        caption="Symptom, cause, structural answer",
        head=("Symptom", "Cause", "Answer", "Shown here by", "Evidence"),
        rows=tuple(
            (
                f"**{one.symptom}**",
                one.cause,
                one.answer,
                one.here(brief),
                brief.cites.cite(module_place(*one.place), one.answer),
            )
            for one in _FAILURES
        ),
        wide=(2,),
    )


def stopped(brief: Brief) -> tuple[str, str, str]:
    """(version, reason, citation) of the newest rollback on record; empty where there was none."""
    for change in reversed(brief.facts.history.changes):
        if change.to_stage == "RolledBack":
            mark = brief.cites.cite(f"registry: rollback of {change.ref}", change.reason)
            return change.ref.rpartition(":")[2], change.reason, mark
    return "", "", ""


def _parity(brief: Brief) -> str:
    """The rows that gate 2 compared for the version in production, else for the newest one."""
    history = brief.facts.history
    version = history.production or (history.versions[-1] if history.versions else None)
    for report in history.reports.get(version.ref, ()) if version else ():
        for measure in report.measures:
            if measure.name == "parity rows compared" and measure.value is not None and version is not None:
                return brief.say(
                    "{n} rows of {version} compared: {verdict}",
                    n=f"{measure.value:,.0f}",
                    version=version.version,
                    verdict=f"{{{{{report.verdict}}}}} {brief.report(report)}",
                )
    return brief.say("no version passed gate 2 yet")


def _drift(brief: Brief) -> str:
    return f"NF-8 {brief.shown('NF-8')}"


def _way_back(brief: Brief) -> str:
    steps = brief.facts.history.steps
    walked = sum(any(step.phase == "rehearsal" for step in release) for release in steps.values())
    told = brief.say("{n} releases rehearsed it; back in:", n=walked)
    return f"{told} AP-10 {brief.shown('AP-10')}"


def _audit(brief: Brief) -> str:
    return f"CP-5 {brief.shown('CP-5')}"


def _green(brief: Brief) -> str:
    """What stopped a release after its gates had passed."""
    version, reason, mark = stopped(brief)
    if version:
        return f"{version}: {reason} {mark}"
    for release in reversed(brief.facts.history.releases):
        if release.phase == "paused":
            mark = brief.cites.cite(f"registry: release {release.id}", f"{release.ref} is {release.phase}")
            return f"{release.ref.rpartition(':')[2]} {{{{paused}}}} {mark}"
    return brief.say("no release was stopped after its gates yet")


def _cost(brief: Brief) -> str:
    topology = brief.decision("topology")
    need = brief.facts.plan.latency_need
    stated = f'"{need}" {brief.plan("latency_need", "why this topology")}' if need else brief.say("no latency need")
    return f"{brief.say(topology.option)}: {stated} {brief.ground(topology)}"


_FAILURES = (
    _Failure(
        "online measures far below offline",
        "training-serving skew",
        "features are written once; parity is proven bit by bit for every version and re-checked in gate 2",
        ("bluegold.features.parity", "parity"),
        _parity,
    ),
    _Failure(
        "slow loss of accuracy",
        "undetected drift",
        "each version carries a profile, feature values and outcomes are kept with every decision; an alarm is NF-8",
        ("bluegold.features.profile", "Profile"),
        _drift,
    ),
    _Failure(
        "broken deployment with no way back",
        "rollback never rehearsed",
        "each release walks to Gold and back before users see it, timed and with known answers",
        ("bluegold.delivery.release", "STEPS"),
        _way_back,
    ),
    _Failure(
        "decisions that cannot be audited",
        "lineage broken between stores",
        "one id leads from a decision to version, features, data and run; the log is hash-chained",
        ("bluegold.production.results.decision_log", "DecisionLog"),
        _audit,
    ),
    _Failure(
        "green pipeline, useless output",
        "technical gates only",
        "the canary watches quality against Blue, agreement and slices, and rolls back on them",
        ("bluegold.delivery.watch", "Watch"),
        _green,
    ),
    _Failure(
        "inference cost explodes",
        "streaming without a need",
        "no streaming without a stated latency need; the topology decision is checked against it",
        ("bluegold.design.decide", "decide"),
        _cost,
    ),
)
