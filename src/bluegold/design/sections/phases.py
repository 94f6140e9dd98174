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


def _state(brief: Brief, phase: Phase) -> str:
    """Evidence that a phase is done, or nothing."""
    facts = brief.facts
    history = facts.history
    if phase.met == "plan" and facts.plan_places and facts.system is not None:
        return brief.cites.cite("architecture.yaml:1", "the plan of this system")
    if phase.met == "definition" and facts.system is not None:
        return brief.definition("contract", "the contract")
    if phase.met == "version" and history.versions:
        return brief.version(history.versions[0])
    if phase.met == "production" and history.production is not None:
        return brief.version(history.production)
    promoted = [release for release in history.releases if release.phase == "promoted"]
    if phase.met == "release" and len(promoted) > 1:
        return brief.cites.cite(f"registry: release {promoted[-1].id}", f"{promoted[-1].ref} is promoted")
    return ""


def _diagram(brief: Brief) -> Diagram:
    rows = phases()
    lines = ["flowchart LR"]
    for number, phase in enumerate(rows):
        tone = "good" if _state(brief, phase) else "stage"
        lines.append(f'  p{number}["{number}<br/>{label(brief.say(phase.title))}"]:::{tone}')
    lines += [f"  p{number} --> p{number + 1}" for number in range(len(rows) - 1)]
    lines.append(CLASSES)
    done = [str(number) for number, phase in enumerate(rows) if _state(brief, phase)]
    told = brief.say("{n} phases, one after the other; done: {done}.", n=len(rows), done=", ".join(done) or "none")
    return Diagram(name="phase-plan", caption="Phases from as-is to to-be", alt=told, source="\n".join(lines))


def _table(brief: Brief) -> Table:
    say = brief.say
    rows: list[tuple[str, ...]] = []
    for number, phase in enumerate(phases()):
        mark = _state(brief, phase)
        state = f"{{{{met}}}} {mark}" if mark else "{{planned}}"
        work = say(phase.greenfield if brief.facts.greenfield else phase.work)
        name = f"**{number} {say(phase.title)}** {state}"
        if brief.executive:
            rows.append((name, say(phase.goal), say(phase.done)))
            continue
        ended = ", ".join(_ended(brief, phase)) or "-"
        rows.append((name, f"{say(phase.goal)} {work}", _today(brief, phase), ended, say(phase.done)))
    if brief.executive:
        return Table(caption="Phase plan", head=("Phase", "Goal", "Done when"), rows=tuple(rows), wide=(1, 2))
    head = ("Phase", "Goal and work", "Takes over", "Ends the risk", "Done when")
    return Table(caption="Phase plan", head=head, rows=tuple(rows), wide=(1,))


def _today(brief: Brief, phase: Phase) -> str:
    """What a phase takes over from the system as it is."""
    as_is = brief.facts.as_is
    found = [one for one in (as_is.activities if as_is else ()) if one.id in phase.replaces]
    places = tuple(one.places[0] for one in found)
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
