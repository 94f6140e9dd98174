"""Phases: the way from the system as it is to the architecture, each with its work and the sign that it is done."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from bluegold.design.blocks import Block, Diagram, Heading, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.diagrams import CLASSES, label
from bluegold.design.sections.as_is import shown_places
from bluegold.design.understand.activities import Activity

__all__ = ["Phase", "phases", "write"]


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One phase as the table holds it."""

    id: str
    title: str
    met: str
    goal: str
    greenfield: str
    work: str
    done: str
    ends: tuple[str, ...]
    replaces: tuple[str, ...]
    fresh_goal: str = ""
    fresh_done: str = ""


@cache
def phases() -> tuple[Phase, ...]:
    """The phases, in order."""
    text = files("bluegold.design").joinpath("phases.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["phase"], tuple[Phase, ...])


def write(brief: Brief) -> Section:
    """Write the section."""
    facts, say = brief.facts, brief.say
    if facts.greenfield:
        text = say(
            "Nothing is there to be replaced, so phase 0 comes first and stays small: a contract, a plan, an "
            "environment that can be built again. Each later phase starts when the one before is done."
        )
    else:
        text = say(
            "Each phase leaves a system that runs, and can be the last one for a while. A phase ends risks of the "
            "system as it is; what it replaces keeps running until the phase is done."
        )
    blocks: list[Block] = [Paragraph(text=text), _diagram(brief), _table(brief)]
    if brief.executive:
        blocks += [Heading(text="Key decisions", anchor="phases-decisions"), _key_decisions(brief)]
    else:
        blocks += [Heading(text="Trade-offs accepted", anchor="phases-tradeoffs"), _tradeoffs(brief)]
    return Section(anchor="phases", label="", title="From here to there", blocks=tuple(blocks))


def _state(brief: Brief, phase: Phase) -> tuple[str, str]:
    """How far a phase is (met, under way, planned), with its evidence: what nobody showed is never called met."""
    facts = brief.facts
    history = facts.history
    if phase.met == "plan" and facts.plan_places and facts.system is not None:
        return "under way", brief.cites.cite("architecture.yaml:1", "the plan of this system")
    if phase.met == "definition" and facts.system is not None:
        parity = [one for reports in history.reports.values() for one in reports if one.gate.endswith("feature")]
        passed = next((one for one in parity if one.verdict == "pass"), None)
        return ("met", brief.report(passed)) if passed else ("under way", brief.definition("contract", "the contract"))
    if phase.met == "version" and history.versions:
        lineage = brief.row("CP-6")
        proven = lineage.verdict in {"objective", "threshold"}
        first = brief.version(history.versions[0])
        return ("met", f"{first} {brief.measured(lineage)}") if proven else ("under way", first)
    if phase.met == "production" and history.production is not None:
        return "under way", brief.version(history.production)
    if phase.met == "release":
        return _stopped(brief)
    return _measured(brief) if phase.met == "measured" else ("planned", "")


def _stopped(brief: Brief) -> tuple[str, str]:
    """Delivery is proven by what it stopped: a candidate at a gate, and another in front of users."""
    history = brief.facts.history
    refused = next((one for one in history.changes if one.to_stage == "Refused"), None)
    others = next((version for version, _ in history.others if version.stage == "Refused"), None)
    back = next((one for one in history.changes if one.to_stage == "RolledBack"), None)
    if back and (refused or others):
        mark = brief.cites.cite(f"registry: rollback of {back.ref}", back.reason)
        return "met", mark + (f" {brief.version(others)}" if others else "")
    promoted = [release for release in history.releases if release.phase == "promoted"]
    if len(promoted) > 1:
        one = promoted[-1]
        return "under way", brief.cites.cite(f"registry: release {one.id}", f"{one.ref} is promoted")
    return "planned", ""


def _measured(brief: Brief) -> tuple[str, str]:
    rows = brief.facts.rows
    known = [row for row in rows if row.evidence is not None]
    if not known:
        return "planned", ""
    whole = all(row.verdict not in {"missed", "needs instrumentation"} for row in rows)
    return ("met" if whole else "under way"), brief.measured(known[0])


def _diagram(brief: Brief) -> Diagram:
    rows = [(phase, _state(brief, phase)[0]) for phase in phases()]
    tones = {"met": "good", "under way": "gate"}
    lines = ["flowchart LR"]
    for number, (phase, state) in enumerate(rows):
        lines.append(f'  p{number}["{number}<br/>{label(brief.say(phase.title))}"]:::{tones.get(state, "stage")}')
    lines += [f"  p{number} --> p{number + 1}" for number in range(len(rows) - 1)]
    lines.append(CLASSES)
    met, begun = (
        ", ".join(str(number) for number, (_, state) in enumerate(rows) if state == wanted) or brief.say("none")
        for wanted in tones
    )
    told = brief.say(
        "{n} phases, one after the other; done: {done}; under way: {begun}.", n=len(rows), done=met, begun=begun
    )
    return Diagram(name="phase-plan", caption="Phases from as-is to to-be", alt=told, source="\n".join(lines))


def _table(brief: Brief) -> Table:
    say = brief.say
    rows: list[tuple[str, ...]] = []
    for number, phase in enumerate(phases()):
        state, mark = _state(brief, phase)
        goal, work, done = (say(text) for text in _told(brief, phase))
        name = f"**{number} {say(phase.title)}** {{{{{state}}}}} {mark}".rstrip()
        if brief.executive:
            rows.append((name, goal, done))
            continue
        ended = ", ".join(_ended(brief, phase)) or "-"
        rows.append((name, f"{goal} {work}", _today(brief, phase), ended, done))
    if brief.executive:
        return Table(caption="Phase plan", head=("Phase", "Goal", "Done when"), rows=tuple(rows), wide=(1, 2))
    head = ("Phase", "Goal and work", "Takes over", "Ends the risk", "Done when")
    return Table(caption="Phase plan", head=head, rows=tuple(rows), wide=(1,))


def _told(brief: Brief, phase: Phase) -> tuple[str, str, str]:
    """Goal, work and sign of a phase: where it takes over nothing of today, they do not speak of it."""
    if _replaced(brief, phase) or _ended(brief, phase):
        return phase.goal, phase.work, phase.done
    return phase.fresh_goal or phase.goal, phase.greenfield, phase.fresh_done or phase.done


def _replaced(brief: Brief, phase: Phase) -> tuple[Activity, ...]:
    as_is = brief.facts.as_is
    return tuple(one for one in (as_is.activities if as_is else ()) if one.id in phase.replaces)


def _today(brief: Brief, phase: Phase) -> str:
    """What a phase takes over from the system as it is."""
    places = tuple(one.places[0] for one in _replaced(brief, phase))
    return shown_places(brief, places, 3) if places else "-"


def _ended(brief: Brief, phase: Phase) -> list[str]:
    as_is = brief.facts.as_is
    return [brief.say(risk.row.title) for risk in (as_is.risks if as_is else ()) if risk.row.id in phase.ends]


def _key_decisions(brief: Brief) -> Table:
    """Every decision in one line, with its reason."""
    rows = tuple(
        (
            f"**{brief.say(item.decision.question)}**",
            f"{brief.say(item.decision.choice)} {brief.ground(item)}",
            brief.say(item.decision.because),
        )
        for item in brief.decisions
    )
    return Table(caption="Key decisions", head=("Decision", "Choice", "Because"), rows=rows, wide=(2,))


def _tradeoffs(brief: Brief) -> Table:
    """What was given up for what, over all decisions."""
    rows = tuple(
        (
            f"**{brief.say(item.decision.question)}**",
            brief.say(item.decision.choice),
            brief.say(item.decision.enables),
            brief.say(item.decision.constrains),
        )
        for item in brief.decisions
    )
    return Table(
        caption="Trade-offs",
        head=("Decision", "Choice", "Gained", "Given up"),
        rows=rows,
    )
