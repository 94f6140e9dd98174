"""Drift: a committed design compared with the code base today, by what it says is there and what was decided."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bluegold.core.errors import DataError

__all__ = ["State", "changes", "read_packet", "state"]

_SUBJECT = "code base: "
_DECISION = "decision: "
_GIVEN = "command line: "


_STATED = re.compile(r"(?:.*/)?(?:pipeline\.py|architecture\.ya?ml):\d+")
"""Where a definition or a plan says something; the line itself may move."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a design rests on: kind and name -> where or what; decisions by id; the facts it was given.

    ``stated`` is what definition and plan say, by what it is about.

    ``mode`` is that of the packet: an ``audit`` knows versions, and so whether anything answers users yet.
    """

    parts: dict[tuple[str, str], str]
    decisions: dict[str, str]
    given: dict[str, Any]
    stated: dict[str, str] = {}
    name: str
    mode: str = "modernization"


def read_packet(document: Path) -> dict[str, Any]:
    """The packet of a written design, from ``architecture.json``, its folder, or a document beside it.

    Raises:
        DataError: there is no packet there, or it cannot be read.
    """
    path = document / "architecture.json" if document.is_dir() else document
    if path.suffix in {".html", ".md"}:
        path = path.parent / "architecture.json"
    try:
        found = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"'{path}' cannot be read",
            why=error.strerror or str(error),
            way_out="give the architecture.json of a design, its folder, or a document beside it",
        ) from error
    except msgspec.DecodeError as error:
        raise DataError(f"'{path}' is no packet", why=str(error), way_out="write the design again") from error
    if not isinstance(found, dict) or "evidence" not in found or "system" not in found:
        raise DataError(f"'{path}' is no packet of a design", way_out="give the architecture.json of a design")
    return found


def state(packet: dict[str, Any]) -> State:
    """What a packet says about the code base.

    Example:
        >>> evidence = [{"source": "code base: risk no-seed", "summary": "train.py:3"},
        ...             {"source": "decision: topology", "summary": "batch"}]
        >>> found = state({"evidence": evidence, "system": {"name": "x"}})
        >>> found.parts, found.decisions
        ({('risk', 'no-seed'): 'train.py:3'}, {'topology': 'batch'})
    """
    parts: dict[tuple[str, str], str] = {}
    decisions: dict[str, str] = {}
    given: dict[str, Any] = {}
    stated: dict[str, str] = {}
    for item in packet["evidence"]:
        source, summary = str(item["source"]), str(item["summary"])
        if source.startswith(_SUBJECT):
            kind, _, name = source.removeprefix(_SUBJECT).partition(" ")
            parts[kind, name] = summary
        elif source.startswith(_DECISION):
            decisions[source.removeprefix(_DECISION)] = summary
        elif source.startswith(_GIVEN):
            given[source.removeprefix(_GIVEN)] = yaml.safe_load(summary.partition(": ")[2])
        elif _STATED.fullmatch(source):
            for part in summary.split("; "):
                subject, _, said = part.partition(": ")
                if said:
                    stated[subject] = f"{stated[subject]}, {said}" if subject in stated else said
    system = packet["system"]
    return State(
        parts=parts,
        decisions=decisions,
        given=given,
        stated=stated,
        name=str(system["name"]),
        mode=str(system.get("mode", "modernization")),
    )


def changes(before: State, now: State) -> tuple[str, ...]:
    """What is new, what is gone, and which answers changed; a line that only moved is no change.

    Whether a version answers users is known only beside a registry, so a check without one does not judge by it.

    Raises:
        DataError: the design was written without reading a code base, so there is nothing to compare.

    Example:
        >>> empty = State(parts={}, decisions={"topology": "batch"}, given={}, name="x", mode="greenfield")
        >>> other = State(parts={("store", "redis"): "app.py:2"}, decisions={"topology": "hybrid"}, given={}, name="x")
        >>> changes(empty, other)
        ('new store: redis (app.py:2)', 'decision topology: batch -> hybrid')
    """
    if not before.parts and before.mode != "greenfield":
        raise DataError(
            f"the design of '{before.name}' was written without reading a code base",
            way_out="write it again with --repo",
        )
    found = [
        f"new {kind}: {name} ({now.parts[kind, name]})" for kind, name in sorted(now.parts.keys() - before.parts.keys())
    ]
    found += [
        f"{kind} gone: {name} (was {before.parts[kind, name]})"
        for kind, name in sorted(before.parts.keys() - now.parts.keys())
    ]
    for subject in sorted(before.stated.keys() | now.stated.keys()):
        was, says = before.stated.get(subject), now.stated.get(subject)
        if was is None or says is None:
            found.append(f"{subject}: {'new, ' + says if says else 'gone, was ' + str(was)}")
        elif was != says:
            found.append(f"{subject}: {was} -> {says}")
    blind = {"rollout"} if (before.mode == "audit") != (now.mode == "audit") else set()
    for identifier in sorted((before.decisions.keys() | now.decisions.keys()) - blind):
        first, second = before.decisions.get(identifier, "none"), now.decisions.get(identifier, "none")
        if first != second:
            found.append(f"decision {identifier}: {first} -> {second}")
    return tuple(found)
