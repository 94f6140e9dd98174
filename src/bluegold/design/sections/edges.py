"""Edge cases of the method: which of them this system is, how it is answered, and why the others are not it."""

from __future__ import annotations

from typing import NamedTuple

from bluegold.design.blocks import Table
from bluegold.design.brief import Brief
from bluegold.design.places import module_place
from bluegold.design.workload import workload

__all__ = ["edges"]


class _Case(NamedTuple):
    """One case: whether it applies (nothing: nobody knows), what is done then, and why it does not."""

    name: str
    applies: bool | None
    answer: str
    otherwise: str


def edges(brief: Brief) -> Table:
    """Every edge case of the method, with its answer or the fact that rules it out."""
    shown = {True: "{{applies}}", False: "{{does not apply}}", None: "{{open}}"}
    cases = (_notebook(brief), _teams(brief), _hybrid(brief), _regulated(brief), _cold(brief), _greenfield(brief))
    return Table(
        caption="Edge cases of the method",
        head=("Case", "Here", "Answer"),
        rows=tuple(
            (f"**{one.name}**", shown[one.applies], one.otherwise if one.applies is False else one.answer)
            for one in cases
        ),
        wide=(2,),
    )


def _notebook(brief: Brief) -> _Case:
    facts = brief.facts
    notebooks = [found for found in facts.findings if found.path.endswith(".ipynb")]
    mark = (
        brief.cites.cite(f"{notebooks[0].path}:{notebooks[0].line}", "a notebook does part of the work")
        if notebooks
        else ""
    )
    none = "no notebook takes part" if facts.as_is else "no code base was given"
    return _Case("Notebook to production", bool(notebooks), f"notebooks become stages; feature code first {mark}", none)


def _teams(brief: Brief) -> _Case:
    facts = brief.facts
    teams = workload(facts)["teams"]
    owners = {stage.contract.owner for stage in (*facts.development, *facts.production)}
    return _Case(
        "Several teams own stages",
        None if teams.value is None else teams.value > 1,
        f"contracts name an owner for each stage ({', '.join(sorted(owners))}); feature code is where they meet "
        + brief.cites.cite(module_place("bluegold.production.contracts", "STAGES"), "owners of the stages"),
        "one team owns every stage " + (brief.cites.cite(teams.place, teams.says, teams.tag) if teams.place else ""),
    )


def _hybrid(brief: Brief) -> _Case:
    topology = brief.decision("topology")
    return _Case(
        "Real-time and batch hybrid",
        topology.option == "hybrid",
        "one definition drives requests, batches and streams " + brief.ground(topology),
        f"the topology: {topology.option} " + brief.ground(topology),
    )


def _regulated(brief: Brief) -> _Case:
    mark = brief.plan("regulated", "regulated or not")
    return _Case(
        "Regulated",
        brief.facts.plan.regulated,
        f"a person other than the author approves; artefacts and lineage of every stage are kept {mark}",
        f"the plan does not call it regulated {mark}",
    )


def _cold(brief: Brief) -> _Case:
    facts = brief.facts
    first = next((change for change in facts.history.changes if change.to_stage == "Production"), None)
    mark = (
        brief.cites.cite(f"registry: first promotion of {facts.name}", f"{first.ref} by {first.actor}")
        if first
        else brief.cites.cite("registry: no version in production", "there is no Blue yet", "inferred")
    )
    since = (
        f"a version has been in production since {first.at:%Y-%m-%d} {mark}" if first else f"a model is in use {mark}"
    )
    return _Case(
        "Cold start",
        bool(workload(facts)["cold_start"].value),
        "with no Blue the first version is promoted after six gates and known answers; the next one is compared "
        + mark,
        f"{since} {mark}" if first else since,
    )


def _greenfield(brief: Brief) -> _Case:
    facts = brief.facts
    there = "versions are registered" if facts.history.versions else "a definition stands in its pipeline.py"
    if facts.system is None and not facts.history.versions:
        there = "the code base works with models today"
    return _Case(
        "Greenfield",
        facts.greenfield,
        "phase 0 writes contract and plan first; the built-in runner is enough",
        there,
    )
