"""Workload: the facts that decisions rest on, each with where it comes from: stated, read from the code, or open."""

from __future__ import annotations

import re

import msgspec

from bluegold.core.plan import Workload
from bluegold.design.citations import Tag
from bluegold.design.facts import Facts

__all__ = ["QUESTIONS", "Fact", "sentence_latency", "workload"]

#: facts worth asking a person for: name -> the question
QUESTIONS: dict[str, str] = {
    "latency_ms": "how long may an answer take, in milliseconds",
    "requests_per_second": "how many requests come in a second, at the peak",
    "data_gb": "how many gigabytes does one training run read",
    "teams": "how many teams own stages",
    "models": "how many models share features",
    "label_delay_hours": "how many hours pass until an outcome is known",
}
_LATENCY = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(milliseconds?|milisegundos?|ms|seconds?|segundos?|s|minutes?|minutos?|min|hours?|horas?|h"
    r"|days?|días?|d)\b",
    re.IGNORECASE,
)
_FACTORS = {"m": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}
_HOUR_MS = 3_600_000.0
#: words that say how long an answer may take without a number, English and Spanish
_WORDS: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(rf"\b(?:{words})", re.IGNORECASE), hours * _HOUR_MS)
    for words, hours in (
        ("hourly|every hour|cada hora", 1.0),
        ("overnight|nightly|next morning|nocturn|por la noche|durante la noche|a la mañana siguiente", 8.0),
        ("daily|every day|next day|once a day|diari|cada día|al día siguiente", 24.0),
        ("weekly|every week|semanal|cada semana", 168.0),
        ("monthly|every month|mensual|cada mes", 720.0),
    )
)
_STREAMS = frozenset({"streaming", "queue"})


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One fact: its value (None when nobody said it), how sure it is, and where it stands."""

    name: str
    value: float | bool | None
    tag: Tag
    place: str
    says: str


def sentence_latency(text: str) -> float | None:
    """The milliseconds that a sentence speaks of.

    Example:
        >>> sentence_latency("an answer within 0.2 s"), sentence_latency("overnight"), sentence_latency("5 minutos")
        (200.0, 28800000.0, 300000.0)
        >>> sentence_latency("while the driver waits") is None
        True
    """
    said = _LATENCY.search(text)
    if said is None:
        return next((milliseconds for words, milliseconds in _WORDS if words.search(text)), None)
    unit = said[2].lower()
    kind = "m" if unit.startswith(("ms", "mil")) else "min" if unit.startswith("min") else unit[0]
    return float(said[1].replace(",", ".")) * _FACTORS[kind]


def workload(facts: Facts) -> dict[str, Fact]:
    """Every fact by name, what is stated before what the code shows.

    Example:
        >>> from bluegold.core.plan import Plan
        >>> from bluegold.design.facts import gather
        >>> found = workload(gather(Plan(system="x", latency_need="50 ms at the gate"), None, ()))
        >>> found["latency_ms"].value, found["latency_ms"].tag, found["teams"].tag
        (50.0, 'inferred', 'open')
    """
    found = {fact.name: fact for fact in (*_numbers(facts), *_conditions(facts))}
    return dict(sorted(found.items()))


def _numbers(facts: Facts) -> list[Fact]:
    shown = _shown(facts)
    found = []
    for field in msgspec.structs.fields(Workload):
        name = field.name
        value = getattr(facts.plan.workload, name)
        place = facts.plan_places.get(f"workload.{name}", "architecture.yaml")
        if value is not None:
            found.append(Fact(name=name, value=value, tag="explicit", place=place, says=f"{name}: {_text(value)}"))
        elif name in shown:
            found.append(shown[name])
        else:
            found.append(Fact(name=name, value=None, tag="open", place="", says=QUESTIONS.get(name, name)))
    return found


def _shown(facts: Facts) -> dict[str, Fact]:
    """Numbers that the code base or a sentence of the plan shows."""
    found: dict[str, Fact] = {}
    value = sentence_latency(facts.plan.latency_need)
    if value is not None:
        place = facts.plan_places.get("latency_need", "architecture.yaml")
        found["latency_ms"] = Fact(
            name="latency_ms", value=value, tag="inferred", place=place, says=f"latency need: {facts.plan.latency_need}"
        )
    as_is = facts.as_is
    if as_is is None:
        return found
    if len(as_is.teams) > 1:
        says = f"owners of the code: {', '.join(as_is.teams)}"
        found["teams"] = Fact(name="teams", value=len(as_is.teams), tag="inferred", place="CODEOWNERS", says=says)
    score = as_is.activity("score")
    if score is not None:
        place, shows = score.places[0].cited, score.places[0].shows
        found["offline_scoring"] = Fact(
            name="offline_scoring", value=True, tag="inferred", place=place, says=f"scored in batches: {shows}"
        )
    return found


def _conditions(facts: Facts) -> list[Fact]:
    plan, as_is = facts.plan, facts.as_is
    books = as_is.notebooks if as_is else ()
    serve = as_is.activity("serve") if as_is else None
    streams = next((f for f in facts.findings if f.usage == "used" and f.kind in _STREAMS), None)
    llm = next((f for f in facts.findings if f.usage == "used" and f.kind == "llm"), None)
    risks = {risk.row.id: risk for risk in as_is.risks} if as_is else {}
    nb = risks.get("notebook-production")
    twice = risks.get("training-serving-duplication")
    regulated = facts.plan_places.get("regulated", "")
    risk = facts.plan_places.get("risk", "")
    cold = facts.history.production is None and serve is None and not (as_is and as_is.does("score"))
    rows: tuple[tuple[str, bool, str, str], ...] = (
        ("regulated", plan.regulated, regulated, "the system is regulated" if plan.regulated else "not regulated"),
        ("risk_high", plan.risk == "high", risk, f"risk: {plan.risk}"),
        ("risk_low", plan.risk == "low", risk, f"risk: {plan.risk}"),
        ("waiting", bool(plan.latency_need), facts.plan_places.get("latency_need", ""), plan.latency_need),
        ("greenfield", facts.greenfield, "", "nothing is in use yet"),
        ("cold_start", cold, "", "no version answers users yet"),
        ("online", serve is not None, serve.places[0].cited if serve else "", "requests are answered today"),
        ("streams", streams is not None, f"{streams.path}:{streams.line}" if streams else "", "a stream is in use"),
        ("llm", llm is not None, f"{llm.path}:{llm.line}" if llm else "", "a language model is in use"),
        ("notebooks", bool(books), books[0] if books else "", "notebooks hold code"),
        ("notebook_production", nb is not None, nb.places[0].cited if nb else "", "a notebook does production work"),
        ("duplicated", twice is not None, twice.places[0].cited if twice else "", "a transform is written twice"),
    )  # fmt: skip
    return [
        Fact(
            name=name,
            value=value,
            tag="explicit" if place and name in {"regulated", "risk_high", "risk_low", "waiting"} else "inferred",
            place=place,
            says=says,
        )
        for name, value, place, says in rows
    ]


def _text(value: float | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}"
