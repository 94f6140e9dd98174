"""Answers to what goes wrong: failure modes, edge cases, runtime scenarios, risks."""

from __future__ import annotations

from bluegold.design.blocks import Block, Bullets, Diagram, Heading, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.diagrams import label
from bluegold.design.places import module_place
from bluegold.design.workload import workload

__all__ = ["risks", "write"]

#: symptom, cause, structural answer, the module that is the answer
_FAILURES = (
    (
        "online measures far below offline",
        "training-serving skew",
        "features are written once; parity is proven bit by bit for every version and re-checked in gate 2",
        ("bluegold.features.parity", "parity"),
    ),
    (
        "slow loss of accuracy",
        "undetected drift",
        "each version carries a profile, feature values and outcomes are kept with every decision; an alarm is NF-8",
        ("bluegold.features.profile", "Profile"),
    ),
    (
        "broken deployment with no way back",
        "rollback never rehearsed",
        "each release walks to Gold and back before users see it, timed and with known answers",
        ("bluegold.delivery.release", "STEPS"),
    ),
    (
        "decisions that cannot be audited",
        "lineage broken between stores",
        "one id leads from a decision to version, features, data and run; the log is hash-chained",
        ("bluegold.production.results.decision_log", "DecisionLog"),
    ),
    (
        "green pipeline, useless output",
        "technical gates only",
        "the canary watches quality against Blue, agreement and slices, and rolls back on them",
        ("bluegold.delivery.watch", "Watch"),
    ),
    (
        "inference cost explodes",
        "streaming without a need",
        "no streaming without a stated latency need; the topology decision is checked against it",
        ("bluegold.design.decide", "decide"),
    ),
)


def write(brief: Brief) -> Section:
    """Write the section."""
    blocks: list[Block] = [
        Heading(text="Failure modes", anchor="answers-failures"),
        Table(
            caption="Symptom, cause, structural answer",
            head=("Symptom", "Cause", "Answer", "Evidence"),
            rows=tuple(
                (f"**{symptom}**", cause, _honest(brief, answer), brief.cites.cite(module_place(*place), answer))
                for symptom, cause, answer, place in _FAILURES
            ),
        ),
        Heading(text="Edge cases", anchor="answers-edges"),
        _edges(brief),
        Heading(text="Runtime scenarios", anchor="answers-scenarios"),
        *_scenarios(brief),
        Heading(text="Risks", anchor="answers-risks"),
        Bullets(items=risks(brief)),
    ]
    return Section(anchor="answers", label="", title="Failures, edge cases, scenarios", blocks=tuple(blocks))


def _honest(brief: Brief, answer: str) -> str:
    """An answer that leans on a requirement nobody measured says so."""
    return f"{answer} {{{{needs instrumentation}}}}" if "NF-8" in answer and not brief.row("NF-8").evidence else answer


def _edges(brief: Brief) -> Table:
    facts, plan = brief.facts, brief.facts.plan
    notebooks = [found for found in facts.findings if found.path.endswith(".ipynb")]
    known = workload(facts)
    topology = brief.decision("topology")
    cold = bool(known["cold_start"].value)
    teams = known["teams"]
    first = next((change for change in facts.history.changes if change.to_stage == "Production"), None)
    owners = {stage.contract.owner for stage in (*facts.development, *facts.production)}
    cold_mark = (
        brief.cites.cite(f"registry: first promotion of {facts.name}", f"{first.ref} by {first.actor}")
        if first
        else brief.cites.cite("registry: no version in production", "there is no Blue yet", "inferred")
    )
    note = (
        brief.cites.cite(f"{notebooks[0].path}:{notebooks[0].line}", "a notebook does part of the work")
        if notebooks
        else ""
    )
    cases = (
        ("Notebook to production", bool(notebooks), f"notebooks become stages; feature code first {note}"),
        (
            "Several teams own stages",
            None if teams.value is None else teams.value > 1,
            f"contracts name an owner for each stage ({', '.join(sorted(owners))}); feature code is where they meet "
            + brief.cites.cite(module_place("bluegold.production.contracts", "STAGES"), "owners of the stages"),
        ),
        (
            "Real-time and batch hybrid",
            topology.option == "hybrid",
            "one definition drives requests, batches and streams " + brief.ground(topology),
        ),
        (
            "Regulated",
            plan.regulated,
            "a person other than the author approves; artefacts and lineage of every stage are kept "
            + brief.plan("regulated", "regulated or not"),
        ),
        (
            "Cold start",
            cold,
            "with no Blue the first version is promoted after six gates and known answers; the next one is compared "
            + cold_mark,
        ),
        ("Greenfield", facts.greenfield, "phase 0 writes contract and plan first; the built-in runner is enough"),
    )
    shown = {True: "{{applies}}", False: "{{does not apply}}", None: "{{open}}"}
    rows = tuple((f"**{name}**", shown[applies], answer) for name, applies, answer in cases)
    return Table(caption="Edge cases of the method", head=("Case", "Here", "Answer"), rows=rows)


def _scenarios(brief: Brief) -> list[Block]:
    return [
        Paragraph(text=brief.say("A request, as it normally goes:")),
        _request_diagram(),
        Paragraph(text=_rollback_text(brief)),
        _rollback_diagram(brief),
        Paragraph(
            text=brief.say("A worker dies under load: the supervisor sees it in")
            + f" {brief.shown('NF-5')}, "
            + brief.say("and full capacity is back in")
            + f" {brief.shown('NF-2')}."
        ),
        _worker_diagram(),
    ]


def _request_diagram() -> Diagram:
    return Diagram(
        name="scenario-request",
        caption="A governed prediction",
        alt="The client posts a row; the worker decodes, cleanses, computes features, routes and scores it, writes "
        "the decision record, and answers only after the record is on disk.",
        source="\n".join(
            (
                "sequenceDiagram",
                "  participant C as Client",
                "  participant W as Worker",
                "  participant O as Online store",
                "  participant L as Decision log",
                "  C->>W: POST /v1/predict",
                "  W->>W: decode, cleanse",
                "  W->>O: histories and look-ups",
                "  O-->>W: values",
                "  W->>W: route, score",
                "  W->>L: decision record",
                "  L-->>W: on disk, in the chain",
                "  W-->>C: value, version, colour, flags",
            )
        ),
    )


def _worker_diagram() -> Diagram:
    return Diagram(
        name="scenario-worker",
        caption="A worker is killed",
        alt="A worker dies; the supervisor is told by the kernel, marks the loss, starts a replacement that "
        "verifies and loads the version in force, and the other worker answers meanwhile.",
        source="\n".join(
            (
                "sequenceDiagram",
                "  participant C as Client",
                "  participant A as Worker A",
                "  participant B as Worker B",
                "  participant S as Supervisor",
                "  A--xS: killed",
                "  S->>S: loss recorded",
                "  C->>B: POST /v1/predict",
                "  B-->>C: answer",
                "  S->>A: start again",
                "  A->>A: verify signature, load",
                "  A-->>S: pulse, revision applied",
            )
        ),
    )


def _rolled_back(brief: Brief) -> tuple[str, str, str]:
    """(version, reason, citation) of the newest rollback on record."""
    for change in reversed(brief.facts.history.changes):
        if change.to_stage == "RolledBack":
            mark = brief.cites.cite(f"registry: rollback of {change.ref}", change.reason)
            return change.ref.rpartition(":")[2], change.reason, mark
    return "", "", ""


def _rollback_text(brief: Brief) -> str:
    version, reason, mark = _rolled_back(brief)
    if version:
        return brief.say("A canary that fails, as it happened here to {v}: {why}", v=version, why=reason) + f" {mark}"
    return brief.say("A canary that fails on model quality, while every technical signal is green:")


def _rollback_diagram(brief: Brief) -> Diagram:
    version, _, _ = _rolled_back(brief)
    gold = label(f"Gold {version}".strip())
    return Diagram(
        name="scenario-rollback",
        caption="A canary is rolled back on model quality",
        alt="Gold answers a small share; outcomes arrive and join their decisions; the watch's confidence bound "
        "passes the guardrail; delivery restores Blue in one step, records why, and every worker applies it.",
        source="\n".join(
            (
                "sequenceDiagram",
                "  participant D as Delivery",
                "  participant R as Registry",
                "  participant W as Workers",
                "  participant L as Decision log",
                f"  D->>R: canary share for {gold}",
                "  R-->>W: traffic revision",
                "  W->>L: decisions of both colours",
                "  L-->>D: outcomes joined by id",
                "  D->>D: guardrail broken",
                "  D->>R: restore Blue, with evidence",
                "  R-->>W: next revision",
                "  W-->>D: applied by all",
            )
        ),
    )


def risks(brief: Brief) -> tuple[str, ...]:
    """What the reader should know before signing."""
    facts, say = brief.facts, brief.say
    found = []
    missed = [row for row in facts.rows if row.verdict == "missed"]
    if missed:
        names = ", ".join(f"{row.requirement.id} {brief.measured(row)}" for row in missed)
        found.append(say("Requirements missed:") + f" {names}")
    open_rows = [row.requirement.id for row in facts.rows if row.verdict == "needs instrumentation"]
    if open_rows:
        mark = brief.cites.cite("evidence.jsonl", f"no entry for {len(open_rows)} requirements", "open")
        found.append(say("Not measured here:") + f" {', '.join(open_rows)} {mark}")
    if facts.plan.stores.relational == "sqlite":
        mark = brief.plan("stores.relational", "relational store: sqlite")
        found.append(
            say("Registry and decision log live on one host: its loss stops the system until a backup is restored.")
            + f" {mark}"
        )
    if facts.plan.topology == "streaming" and not facts.plan.latency_need:
        mark = brief.plan("topology", "topology: streaming")
        found.append(say("Streaming was chosen without a latency need that demands it.") + f" {mark}")
    if facts.plan.fairness.thresholds_by:
        mark = brief.plan("fairness.thresholds_by", "thresholds by group")
        found.append(say("Thresholds differ by group: a governed choice that has to be reviewed.") + f" {mark}")
    if facts.plan.governance.approval == "automatic":
        mark = brief.plan("governance", "automatic approval")
        found.append(say("No person looks before users do: gates and guardrails must be right.") + f" {mark}")
    return tuple(found)
