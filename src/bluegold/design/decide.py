"""Decide: every key decision of S1-S5 by rule; what is stated goes before what is in use, that before a rule."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from bluegold.core.errors import DefinitionError
from bluegold.core.nouns import Decision, Finding, Section
from bluegold.core.plan import Plan
from bluegold.design.facts import Facts
from bluegold.design.workload import QUESTIONS, Fact, workload

__all__ = ["Decided", "Option", "Question", "decide", "missing", "questions"]

Source = Literal["explicit", "detected", "rule", "default"]


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: why, what it enables and constrains, what would change it, and tools that show it was taken."""

    name: str
    because: str
    enables: str
    constrains: str
    changes: str
    detects: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One key decision and its options; ``default`` is taken when nothing speaks for another."""

    id: str
    section: Section
    question: str
    default: str
    option: tuple[Option, ...]

    def named(self, name: str) -> Option:
        """An option by its name."""
        return next(option for option in self.option if option.name == name)


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    question: str
    choice: str
    when: tuple[str, ...]
    because: str
    over: tuple[str, ...] = ()


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, its id, its option and the place that shows it (empty for a default).

    ``how`` says what it rests on; ``changes`` what would change it; ``rests_on`` the facts that a rule weighed.
    """

    id: str
    decision: Decision
    how: Source
    option: str
    changes: str
    place: str = ""
    rests_on: tuple[Fact, ...] = ()


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    option: str
    source: Source
    place: str = ""
    shown: str = ""
    because: str = ""
    facts: tuple[Fact, ...] = ()


@cache
def questions() -> tuple[Question, ...]:
    """Every key decision of the method, in the order of its sections."""
    text = files("bluegold.design").joinpath("options.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["question"], tuple[Question, ...])


@cache
def _rules() -> tuple[_Rule, ...]:
    text = files("bluegold.design").joinpath("rules.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["rule"], tuple[_Rule, ...])


def missing(facts: Facts) -> tuple[str, ...]:
    """Facts that nobody stated and no code shows, and that could change a decision that rests on neither."""
    settled = {item.id for item in decide(facts) if item.how in {"explicit", "detected"}}
    weighed = {name for rule in _rules() if rule.question not in settled for name in _names(rule)}
    known = workload(facts)
    return tuple(name for name in QUESTIONS if name in weighed and known[name].tag == "open")


def decide(facts: Facts) -> tuple[Decided, ...]:
    """All decisions of a system, in the order of its sections.

    Explicit values are never overwritten; a tool counts as detected only when it is used; a default says so.

    Raises:
        DefinitionError: an answer to a decision, or an option, that does not exist.

    Source: trade-off matrix after Avila & Ahmad (2025), Architecting AI Software Systems, chapters 5-6.
    """
    known = {question.id for question in questions()}
    for name in facts.plan.decisions:
        if name not in known:
            raise DefinitionError(
                f"{_place(facts, f'decisions.{name}')}: there is no decision '{name}'",
                way_out=f"use one of {', '.join(sorted(known))}",
            )
    weighed = workload(facts)
    return tuple(_decided(question, facts, weighed) for question in questions())


def _place(facts: Facts, key: str) -> str:
    return facts.plan_places.get(key, f"architecture.yaml, {key}")


def _decided(question: Question, facts: Facts, weighed: Mapping[str, Fact]) -> Decided:
    choice = (
        _explicit(question, facts)
        or _detected(question, facts, weighed)
        or _ruled(question, facts, weighed)
        or _default(question, facts)
    )
    option = question.named(choice.option)
    reason = facts.plan.why.get(question.id, "") if choice.source == "explicit" else choice.because
    return Decided(
        id=question.id,
        how=choice.source,
        option=option.name,
        changes=option.changes,
        place=choice.place,
        rests_on=choice.facts,
        decision=Decision(
            question=question.question,
            choice=choice.shown or option.name,
            options=tuple(other.name for other in question.option),
            because=reason or option.because,
            enables=option.enables,
            constrains=option.constrains,
            source="default" if choice.source == "rule" else choice.source,
            section=question.section,
        ),
    )


def _explicit(question: Question, facts: Facts) -> _Choice | None:
    plan, places = facts.plan, facts.plan_places
    answer = plan.decisions.get(question.id)
    if answer is not None:
        found = [option for option in question.option if _same(answer, option.name)]
        if not found:
            raise DefinitionError(
                f"{_place(facts, f'decisions.{question.id}')}: '{answer}' is no answer to '{question.question}'",
                way_out=f"use one of: {'; '.join(option.name for option in question.option)}",
            )
        return _Choice(option=found[0].name, source="explicit", place=_place(facts, f"decisions.{question.id}"))
    stated = {
        "topology": ("topology", plan.topology, ""),
        "approval": ("governance", plan.governance.approval, _approval(plan)),
        "rollout": ("rollout", "by evidence, in rising shares", _shares(plan)),
        "triggers": ("rollout.guardrails", "model quality and technical signals", ""),
    }.get(question.id)
    if stated is not None and stated[0] in places:
        return _Choice(option=stated[1], source="explicit", place=places[stated[0]], shown=stated[2])
    return _stored(question, facts)


def _same(answer: str, name: str) -> bool:
    return answer.strip().lower() in {name.lower(), name.partition(",")[0].lower(), name.partition(" (")[0].lower()}


def _stored(question: Question, facts: Facts) -> _Choice | None:
    """A store that the plan names."""
    key = f"stores.{question.id}"
    if question.section != "S3" or key not in facts.plan_places:
        return None
    value = str(getattr(facts.plan.stores, question.id)).split("://", 1)[0].partition("+")[0].lower()
    names = {
        "sqlite": "SQLite", "postgresql": "PostgreSQL", "postgres": "PostgreSQL", "mysql": "MySQL",
        "files": "content-addressed files", "s3": "an object store (S3)", "gs": "an object store (S3)",
        "lmdb": "LMDB", "redis": "Redis", "rediss": "Redis", "dynamodb": "DynamoDB",
        "none": "none", "": "none", "pgvector": "pgvector", "relational": "edges in the relational store",
    }  # fmt: skip
    name = names.get(value, "")
    if not any(option.name == name for option in question.option):
        other = next((option.name for option in question.option if option.name.endswith("in use")), question.default)
        return _Choice(option=other, source="explicit", place=facts.plan_places[key], shown=value)
    return _Choice(option=name, source="explicit", place=facts.plan_places[key])


def _detected(question: Question, facts: Facts, weighed: Mapping[str, Fact]) -> _Choice | None:
    if facts.system is not None:
        return None  # what runs is described by its definition; tools used beside it are findings, not decisions
    for option in question.option:
        found = _seen(option, facts)
        if not found:
            continue
        for rule in _rules():
            if rule.question == question.id and option.name in rule.over and _holds(rule, weighed):
                return _by(rule, weighed)
        named = found[0].technology if option.name.endswith("in use") else option.name
        place = f"{found[0].path}:{found[0].line}"
        return _Choice(option=option.name, source="detected", place=place, shown=named)
    return None


def _seen(option: Option, facts: Facts) -> tuple[Finding, ...]:
    """Findings in use that show an option; ``kind:technology`` asks for that kind of it."""
    wanted = {tuple(one.split(":")) if ":" in one else ("", one) for one in option.detects}
    return tuple(
        found
        for found in facts.findings
        if found.usage == "used" and {("", found.technology), (found.kind, found.technology)} & wanted
    )


def _ruled(question: Question, facts: Facts, weighed: Mapping[str, Fact]) -> _Choice | None:
    if facts.system is not None and question.section == "S3":
        return _stored_by_default(question, facts)
    for rule in _rules():
        if rule.question == question.id and not rule.over and _holds(rule, weighed):
            return _by(rule, weighed)
    return None


def _stored_by_default(question: Question, facts: Facts) -> _Choice | None:
    """A running system keeps the stores its plan has, stated or not."""
    names = {"sqlite": "SQLite", "files": "content-addressed files", "lmdb": "LMDB", "none": "none"}
    value = str(getattr(facts.plan.stores, question.id))
    return _Choice(option=names[value], source="default") if value in names else None


def _by(rule: _Rule, weighed: Mapping[str, Fact]) -> _Choice:
    facts = tuple(weighed[name] for name in _names(rule) if name in weighed)
    values = {name: fact.value for name, fact in weighed.items() if fact.value is not None}
    place = next((fact.place for fact in facts if fact.place), "")
    return _Choice(option=rule.choice, source="rule", place=place, because=rule.because.format(**values), facts=facts)


def _names(rule: _Rule) -> list[str]:
    return [condition.removeprefix("not ").split()[0] for condition in rule.when]


def _holds(rule: _Rule, weighed: Mapping[str, Fact]) -> bool:
    return all(_condition(condition, weighed) for condition in rule.when)


def _condition(text: str, weighed: Mapping[str, Fact]) -> bool:
    """Whether one condition holds: ``name``, ``not name`` or ``name OPERATOR number``."""
    if text.startswith("not "):
        return not weighed[text[4:]].value
    name, *rest = text.split()
    value = weighed[name].value
    if value is None or not rest:
        return bool(value)
    limit = float(rest[1])
    return {"<": value < limit, ">": value > limit, ">=": value >= limit, "<=": value <= limit}[rest[0]]


def _default(question: Question, facts: Facts) -> _Choice:
    shown = _shares(facts.plan) if question.id == "rollout" else ""
    return _Choice(option=question.default, source="default", shown=shown)


def _shares(plan: Plan) -> str:
    shares = ", ".join(f"{share:.0%}" for share in plan.rollout.shares)
    return f"by evidence, in rising shares: {shares}, at least {plan.rollout.min_requests:,} requests each"


def _approval(plan: Plan) -> str:
    if plan.governance.approval == "automatic":
        return "automatic"
    count = plan.governance.approvals
    return f"human: {count} approval{'s' if count > 1 else ''} by others than the author"
