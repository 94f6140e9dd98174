"""Adopt: a first plan for a code base that exists, with what was found and decided, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bluegold.core.nouns import Finding
from bluegold.core.plan import Plan
from bluegold.design.decide import Decided, decide
from bluegold.design.facts import gather
from bluegold.design.scan.summary import Seen, technologies

__all__ = ["adopted_plan"]

_SHOWN = 80
_HEAD = """# What was found for {name}, and what follows from it; `path:line` says where each thing stands.
# Every key may be left out; what is written here is explicit and goes before whatever a later scan finds.
system: {name}
risk: medium      # [Needs input: what a wrong decision costs: low, medium or high]
regulated: false  # [Needs input: whether a law or an auditor asks for a person's approval]
topology: {topology}  # {because}
rollout: {{canary: 0.05, shares: [0.05, 0.25, 0.5, 1.0], shadow_s: 60, hold_s: 300, min_requests: 1000}}
governance: {{approval: automatic}}
why:
  topology: {because}
{decisions}"""


def adopted_plan(name: str, findings: Iterable[Finding], notes: Sequence[str] = ()) -> str:
    """The text of an ``architecture.yaml`` for a code base that was scanned.

    Args:
        name: the system's name.
        findings: what the scan found.
        notes: further lines that a reader needs, for example which notebooks became stages.

    Example:
        >>> print(adopted_plan("churn", ()).splitlines()[2])
        system: churn
    """
    found = tuple(findings)
    decisions = decide(gather(Plan(system=name), None, found))
    topology = next((item for item in decisions if item.id == "topology"), None)
    choice = topology.decision.choice if topology and topology.decision.choice in _TOPOLOGIES else "hybrid"
    because = _plain(topology.decision.because if topology else "online and batch share one definition")
    parts = [_HEAD.format(name=name, topology=choice, because=because, decisions=_kept(decisions))]
    parts.extend(_block("Notes", notes))
    seen = technologies(found)
    for usage, title in (("used", "In use"), ("declared", "Declared, not seen in use")):
        parts.extend(_block(title, [_seen(item) for item in seen if item.usage == usage]))
    parts.extend(_block("Decisions that follow", [_decided(item) for item in decisions]))
    return "".join(parts)


def _kept(decisions: Sequence[Decided]) -> str:
    """Tools that the code base uses already, stated so that they are kept; each with its place."""
    lines = [
        f"  {item.id}: {_plain(item.decision.choice)}  # {_flat(item.place)}"
        for item in decisions
        if item.decision.source == "detected" and item.id not in _ELSEWHERE
    ]
    return "\n".join(["decisions:", *lines, ""]) if lines else ""


#: decisions that have a key of their own in the plan
_ELSEWHERE = frozenset({"topology", "approval", "rollout", "triggers"})
_TOPOLOGIES = ("batch", "streaming", "hybrid")


def _block(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = [f"#   ... and {len(lines) - _SHOWN} more: `bluegold scan`\n"] if len(lines) > _SHOWN else []
    return [f"\n# {title}:\n", *(f"#   {_flat(line)}\n" for line in lines[:_SHOWN]), *more]


def _seen(item: Seen) -> str:
    return f"{item.section} {item.technology} ({item.kind}): {item.best.path}:{item.best.line}"


def _decided(item: Decided) -> str:
    made = item.decision
    place = f" ({item.place})" if item.place else ""
    return f"{made.section} {item.id}: {made.choice}, {made.source}{place}: {made.because}"


def _flat(text: str) -> str:
    """One printable line, whatever a repository's names hold."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _plain(text: str) -> str:
    """One line that YAML reads as plain text."""
    flat = _flat(text).replace(": ", " - ").replace(" #", " no. ")
    return flat.rstrip(":").lstrip("-?[]{}&*!|>%@`'\" ") or "none"
