"""Answers to what goes wrong: failure modes, edge cases, runtime scenarios, risks."""

from __future__ import annotations

from bluegold.design.blocks import Block, Bullets, Diagram, Heading, Paragraph, Section
from bluegold.design.brief import Brief
from bluegold.design.diagrams import label
from bluegold.design.sections.edges import edges
from bluegold.design.sections.failures import failures, stopped

__all__ = ["risks", "write"]


def write(brief: Brief) -> Section:
    """Write the section."""
    blocks: list[Block] = [
        Heading(text="Failure modes", anchor="answers-failures"),
        failures(brief),
        Heading(text="Edge cases", anchor="answers-edges"),
        edges(brief),
        Heading(text="Runtime scenarios", anchor="answers-scenarios"),
        *_scenarios(brief),
        Heading(text="Risks", anchor="answers-risks"),
        Bullets(items=risks(brief)),
    ]
    return Section(anchor="answers", label="", title="Failures, edge cases, scenarios", blocks=tuple(blocks))


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


def _rollback_text(brief: Brief) -> str:
    version, reason, mark = stopped(brief)
    if version:
        return brief.say("A canary that fails, as it happened here to {v}: {why}", v=version, why=reason) + f" {mark}"
    return brief.say("A canary that fails on model quality, while every technical signal is green:")


def _rollback_diagram(brief: Brief) -> Diagram:
    version, _, _ = stopped(brief)
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
