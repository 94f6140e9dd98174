"""CP-7: governance review workflow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec

from bluegold.core.errors import AccessDenied, ForbiddenTransition
from bluegold.core.nouns import Evidence
from bluegold.core.plan import Governance, Plan
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import ACTOR
from bluegold.registry.registry import Registry

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "CP-7"
ROLES = {
    ACTOR: ["operator", "developer", "validator"],
    "author": ["developer", "validator", "operator"],
    "first": ["validator"],
    "second": ["compliance officer"],
    "operator": ["operator"],
    "reader": ["reader"],
}
_FORGED = (
    "INSERT INTO approvals (model, version, actor, body, audit) "
    "SELECT model, version, 'forger', replace(body, '\"first\"', '\"forger\"'), -1 FROM approvals WHERE actor = 'first'"
)


def measure(bench: Bench) -> Evidence:
    """Try every way round the review of a regulated version in a copy of the registry, then go the right way.

    Raises:
        NotMeasured: no version is registered.
    """
    with bench.copy() as space:
        write_atomic(space.root / "access.json", msgspec.json.encode(ROLES))
        with Registry.open(space, actor=ACTOR) as registry:
            tried, passed = _attempts(bench, registry)
            done = _rightly(registry, passed)
        forgery_seen = _forgery_seen(space)
    problems = list(passed)
    problems += ["two approvals by others and a person did not promote it"] * (not done)
    problems += ["a forged approval was not found by verification"] * (not forgery_seen)
    said = f"not held: {problems[0]}" if problems else "all refused or found; with two approvals by others it passed"
    return bench.evidence(
        REQUIREMENT,
        not problems,
        samples=tried + 2,
        method=f"{tried} ways round the review of a regulated copy of {bench.newest.ref} (own approval under three "
        "spellings, no role, too few, one person twice, another version's, the automatic actor, a skipped stage) and "
        f"one forged approval: {said}",
        artefact="bluegold.db",
    )


def _candidate(bench: Bench, registry: Registry, name: str) -> str:
    """A regulated version of the newest one's artefacts, up to the stage before production."""
    plan = Plan(system=bench.model, regulated=True, governance=Governance(approval="human", approvals=2))
    artefacts = registry.versions.artefacts(bench.newest.ref) | {"plan.json": msgspec.json.encode(plan)}
    lineage = msgspec.structs.replace(bench.newest.lineage, parent=bench.newest.ref, run_id=f"probe-{name}")
    return registry.versions.register(bench.model, artefacts, lineage, bench.newest.metrics, author="author").ref


def _attempts(bench: Bench, registry: Registry) -> tuple[int, list[str]]:
    """How many ways round were tried, and those that were open."""
    ref, other = _candidate(bench, registry, "one"), _candidate(bench, registry, "other")
    approve, promote = registry.approvals.approve, registry.promote
    passed: list[str] = []
    tried = 0

    def refused(what: str, attempt: Callable[..., Any], *arguments: Any) -> None:
        nonlocal tried
        tried += 1
        try:
            attempt(*arguments)
        except (AccessDenied, ForbiddenTransition):
            return
        passed.append(what)

    for actor in ("author", " Author ", "AUTHOR"):
        refused(f"'{actor}' approved a version of 'author'", approve, ref, actor)
    refused("the automatic actor approved", approve, ref, "automatic:probe")
    refused("somebody without the role approved", approve, ref, "reader")
    for step in ("Staging", "Canary"):
        refused("a stage was skipped", registry.lifecycle.transition, ref, "Production", "operator")
        registry.lifecycle.transition(ref, step, "operator", "probe of CP-7")
        registry.lifecycle.transition(other, step, "operator", "probe of CP-7")
    refused("promoted without approval", promote, ref, "operator")
    approve(ref, "first")
    approve(ref, "first")
    refused("promoted with one approval of two", promote, ref, "operator")
    approve(ref, "second")
    refused("another version was promoted on these approvals", promote, other, "operator")
    refused("somebody without the role promoted", promote, ref, "first")
    refused("the automatic actor promoted a regulated version", promote, ref, "automatic:delivery")
    return tried, passed


def _rightly(registry: Registry, passed: list[str]) -> bool:
    """Whether the review, gone through as it should be, ends in production with its reviewers on record."""
    if passed:
        return True  # a way round was open, which is the finding
    [ref] = {one.ref for one in registry.versions.list(stage="Canary") if len(registry.approvals.list(one.ref)) == 2}
    registry.promote(ref, "operator", "probe of CP-7")
    now = registry.lifecycle.production(ref.rpartition(":")[0])
    return now is not None and now.ref == ref and now.actor == "operator" and registry.audit.verify().ok


def _forgery_seen(space: Workspace) -> bool:
    with closing(sqlite3.connect(space.database)) as connection:
        connection.execute(_FORGED)
        connection.commit()
    with Registry.open(space, actor=ACTOR) as registry:
        return not registry.audit.verify().ok
