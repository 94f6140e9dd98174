"""Decide: every key decision of S1-S5 by rule; what was stated goes before what was found, that before defaults."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from bluegold.core.nouns import Decision, Section
from bluegold.core.plan import Plan
from bluegold.design.facts import Facts

__all__ = ["Decided", "decide"]


class _Option(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    because: str
    enables: str
    constrains: str
    detects: tuple[str, ...] = ()


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    section: Section
    question: str
    default: str
    option: tuple[_Option, ...]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, its id and the place that shows it (empty for a default)."""

    id: str
    decision: Decision
    place: str = ""


class _Choice(msgspec.Struct, frozen=True):
    option: str
    source: Literal["explicit", "detected", "default"]
    place: str = ""
    shown: str = ""


@cache
def _questions() -> tuple[_Question, ...]:
    text = files("bluegold.design").joinpath("options.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["question"], tuple[_Question, ...])


def decide(facts: Facts) -> tuple[Decided, ...]:
    """All decisions of a system, in the order of its sections.

    Explicit values are never overwritten; a tool counts as detected only when it is used; a default says so.

    Source: trade-off matrix after Avila & Ahmad (2025), Architecting AI Software Systems, chapters 5-6.
    """
    return tuple(_decided(question, facts) for question in _questions())


def _decided(question: _Question, facts: Facts) -> Decided:
    choice = _explicit(question, facts) or _detected(question, facts) or _default(question, facts)
    option = next(option for option in question.option if option.name == choice.option)
    reason = facts.plan.why.get(question.id, "") if choice.source == "explicit" else ""
    return Decided(
        id=question.id,
        place=choice.place,
        decision=Decision(
            question=question.question,
            choice=choice.shown or option.name,
            options=tuple(other.name for other in question.option),
            because=reason or option.because,
            enables=option.enables,
            constrains=option.constrains,
            source=choice.source,
            section=question.section,
        ),
    )


def _explicit(question: _Question, facts: Facts) -> _Choice | None:
    plan, places = facts.plan, facts.plan_places
    stated = {
        "topology": ("topology", plan.topology, ""),
        "approval": ("governance", plan.governance.approval, _approval(plan)),
        "rollout": ("rollout", "by evidence, in rising shares", _shares(plan)),
        "triggers": ("rollout.guardrails", "model quality and technical signals", ""),
    }.get(question.id)
    if stated is None or stated[0] not in places:
        return None
    return _Choice(stated[1], "explicit", places[stated[0]], stated[2])


def _detected(question: _Question, facts: Facts) -> _Choice | None:
    if facts.system is not None:
        return None  # what runs is described by its definition; tools used beside it are findings, not decisions
    for option in question.option:
        found = facts.used(*option.detects)
        if found:
            named = option.name if len(option.detects) == 1 or "another" not in option.name else found[0].technology
            return _Choice(option.name, "detected", f"{found[0].path}:{found[0].line}", named)
    return None


def _default(question: _Question, facts: Facts) -> _Choice:
    if question.id == "topology" and facts.plan.latency_need:
        return _Choice("hybrid", "default", facts.plan_places.get("latency_need", ""))
    if question.id == "approval" and (facts.plan.regulated or facts.plan.risk == "high"):
        return _Choice("human", "default", facts.plan_places.get("regulated", facts.plan_places.get("risk", "")))
    if question.id == "rollout":
        return _Choice(question.default, "default", "", _shares(facts.plan))
    return _Choice(question.default, "default")


def _shares(plan: Plan) -> str:
    shares = ", ".join(f"{share:.0%}" for share in plan.rollout.shares)
    return f"by evidence, in rising shares: {shares}, at least {plan.rollout.min_requests:,} requests each"


def _approval(plan: Plan) -> str:
    if plan.governance.approval == "automatic":
        return "automatic"
    count = plan.governance.approvals
    return f"human: {count} approval{'s' if count > 1 else ''} by others than the author"
