"""Stated: facts that somebody gives on the command line, laid over the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bluegold.core.errors import UsageError
from bluegold.core.plan import Plan, Workload

__all__ = ["SCALARS", "parse_facts", "stated"]

#: facts that stand at the top of a plan; all others are its ``workload``
SCALARS = ("domain", "risk", "regulated", "topology", "latency_need")


def parse_facts(words: tuple[str, ...]) -> dict[str, Any]:
    """Facts given as ``NAME=VALUE`` on a command line.

    Example:
        >>> parse_facts(("latency_ms=50", "regulated=true", "domain=banking"))
        {'latency_ms': 50, 'regulated': True, 'domain': 'banking'}

    Raises:
        UsageError: a word that is no such pair, or a name that is no fact.
    """
    import yaml

    known = (*(field.name for field in msgspec.structs.fields(Workload)), *SCALARS)
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name.strip() not in known:
            raise UsageError(
                f"'{word[:80]}' is no fact", way_out=f"write NAME=VALUE with a name of {', '.join(sorted(known))}"
            )
        found[name.strip()] = yaml.safe_load(value)
    return found


def stated(plan: Plan, given: Mapping[str, Any]) -> Plan:
    """The plan with facts that somebody stated elsewhere; they go before what the file says.

    Raises:
        UsageError: a value that the fact cannot have.
    """
    if not given:
        return plan
    work = {name: value for name, value in given.items() if name not in SCALARS and name != "decisions"}
    whole = msgspec.to_builtins(plan)
    whole["decisions"] = {**whole["decisions"], **given.get("decisions", {})}
    whole["workload"] = {**whole["workload"], **work}
    whole |= {name: value for name, value in given.items() if name in SCALARS}
    try:
        return msgspec.convert(whole, Plan, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"a fact has a value it cannot have: {' '.join(str(error).split())}", way_out="correct that value"
        ) from error
