"""Contradictions: facts and statements that cannot both be meant, told in one sentence with their places."""

from __future__ import annotations

from collections.abc import Callable

from bluegold.core.errors import DefinitionError
from bluegold.design.facts import Facts
from bluegold.design.workload import sentence_latency, workload

__all__ = ["refuse_contradictions"]

_MINUTE_MS = 60_000
_HOUR_S = 3_600


def refuse_contradictions(facts: Facts) -> None:
    """Nothing when what was stated fits together.

    Raises:
        DefinitionError: the first contradiction, naming both places and the way out.

    Example:
        >>> from bluegold.core.plan import Plan, Workload
        >>> from bluegold.design.facts import gather
        >>> plan = Plan(system="x", topology="batch", workload=Workload(latency_ms=50))
        >>> text = "topology: batch" + chr(10) + "workload: {latency_ms: 50}"
        >>> refuse_contradictions(gather(plan, None, (), plan_text=text))
        Traceback (most recent call last):
            ...
        bluegold.core.errors.DefinitionError: architecture.yaml:1 says batch, but architecture.yaml:2 needs an answer \
within 50 ms: runs cannot give that. Way out: choose hybrid, or drop the latency.
    """
    for check in _CHECKS:
        found = check(facts)
        if found:
            what, way_out = found
            raise DefinitionError(what, way_out=way_out)


_Found = tuple[str, str] | None


def _topology(facts: Facts) -> tuple[str, str]:
    """The topology that was stated and where, or two empty texts."""
    for key, value in (
        ("decisions.topology", facts.plan.decisions.get("topology", "")),
        ("topology", facts.plan.topology),
    ):
        if key in facts.plan_places and value:
            return value, facts.plan_places[key]
    return "", ""


def _too_slow(facts: Facts) -> _Found:
    topology, place = _topology(facts)
    need = workload(facts)["latency_ms"]
    if topology != "batch" or need.value is None or need.value >= _MINUTE_MS:
        return None
    what = f"{place} says batch, but {need.place} needs an answer within {need.value:g} ms: runs cannot give that"
    return what, "choose hybrid, or drop the latency"


def _too_much(facts: Facts) -> _Found:
    topology, place = _topology(facts)
    need, age = workload(facts)["latency_ms"], workload(facts)["freshness_s"]
    if topology != "streaming":
        return None
    way_out = "choose batch, or state the latency that needs it"
    if need.value is not None:
        if need.value < _MINUTE_MS:
            return None
        return f"{place} says streaming, but {need.place} lets an answer take {_time(need.value)}", way_out
    if age.value is not None and age.value >= _HOUR_S:
        return f"{place} says streaming, but {age.place} lets an answer be {_time(age.value * 1000)} old", way_out
    return None


def _time(milliseconds: float) -> str:
    """A time in the largest unit that fits.

    Example:
        >>> _time(90_000), _time(28_800_000), _time(172_800_000)
        ('1.5 minutes', '8 hours', '2 days')
    """
    for unit, size in (("days", 86_400_000), ("hours", 3_600_000), ("minutes", _MINUTE_MS)):
        if milliseconds >= size and (unit != "days" or milliseconds >= 2 * size):
            return f"{milliseconds / size:g} {unit}"
    return f"{milliseconds:g} ms"


def _two_topologies(facts: Facts) -> _Found:
    places, stated = facts.plan_places, facts.plan.decisions.get("topology", "")
    if "topology" not in places or not stated or stated == facts.plan.topology:
        return None
    place = places.get("decisions.topology", "decisions.topology")
    what = f"{places['topology']} says {facts.plan.topology}, {place} says {stated}"
    return what, "keep one of the two"


def _two_latencies(facts: Facts) -> _Found:
    stated, said = facts.plan.workload.latency_ms, sentence_latency(facts.plan.latency_need)
    if stated is None or said is None or stated == said:
        return None
    places = facts.plan_places
    first = places.get("workload.latency_ms", "workload.latency_ms")
    second = places.get("latency_need", "latency_need")
    return f"{first} says {stated:g} ms, but {second} says {said:g} ms", "keep one of the two"


def _nobody_approves(facts: Facts) -> _Found:
    automatic = facts.plan.decisions.get("approval") == "automatic" or facts.plan.governance.approval == "automatic"
    stated = {"decisions.approval", "governance.approval"} & facts.plan_places.keys()
    if not (facts.plan.regulated and automatic and stated):
        return None
    place = facts.plan_places[min(stated)]
    what = f"{place} promotes automatically, but {facts.plan_places.get('regulated', 'regulated')} says regulated"
    return what, "a regulated system needs a person: approval: human"


def _alone_but_divided(facts: Facts) -> _Found:
    shape = facts.plan.decisions.get("registry_shape", "")
    teams = facts.plan.workload.teams
    if not shape.startswith("a registry for each team") or teams is None or teams > 1:
        return None
    places = facts.plan_places
    first = places.get("decisions.registry_shape", "decisions.registry_shape")
    second = places.get("workload.teams", "workload.teams")
    what = f"{first} asks for a registry for each team, but {second} says one team"
    return what, "keep a single registry, or name the teams"


_CHECKS: tuple[Callable[[Facts], _Found], ...] = (
    _two_topologies,
    _two_latencies,
    _too_slow,
    _too_much,
    _nobody_approves,
    _alone_but_divided,
)
