"""Validate: the eleven items a delivered design is held against, checked on what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bluegold.design.blocks import Diagram, Document, Table, texts
from bluegold.design.citations import Citations

__all__ = ["Check", "Written", "validate"]

_DEVELOPMENT = 8
_PRODUCTION = 6
_GATES = {"model_validation", "feature_validation", "data_quality", "performance", "security", "regression"}


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What is held against the items: the document, its packet and the evidence behind both."""

    document: Document
    packet: dict[str, Any]
    cites: Citations

    def section(self, anchor: str) -> str:
        """All text of one section; empty when the document has none of that name."""
        return "\n".join(
            text
            for section in self.document.sections
            if section.anchor == anchor
            for block in section.blocks
            for text in texts(block)
        )

    def tables(self, anchor: str) -> tuple[Table, ...]:
        """The tables of one section."""
        return tuple(
            block
            for section in self.document.sections
            if section.anchor == anchor
            for block in section.blocks
            if isinstance(block, Table)
        )

    def cited(self, *ids: str) -> bool:
        """Whether there is at least one id and all of them exist."""
        known = {item.id for item in self.cites.all}
        return bool(ids) and all(one in known for one in ids)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One item: what it says, whether it holds, what shows it."""

    number: int
    statement: str
    ok: bool
    because: str
    evidence: tuple[str, ...]


_Result = tuple[bool, str, tuple[str, ...]]


def validate(written: Written) -> tuple[Check, ...]:
    """Check all eleven items."""
    checks = []
    for number, (statement, check) in enumerate(_ITEMS, start=1):
        ok, because, evidence = check(written)
        found = tuple(dict.fromkeys(evidence))[:8]
        checks.append(
            Check(
                number=number,
                statement=statement,
                ok=ok and written.cited(*found),
                because=because,
                evidence=found,
            )
        )
    return tuple(checks)


def _of(entries: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(one for entry in entries for one in entry["evidence_ids"])


def _separate(written: Written) -> _Result:
    stages = written.packet["pipeline_stages"]
    sides = {side: [s for s in stages if s["pipeline"] == side] for side in ("development", "production")}
    shared = {s["stage"] for s in sides["development"]} & {s["stage"] for s in sides["production"]}
    joined = "Registry" in written.section("overview")
    ok = bool(sides["development"]) and bool(sides["production"]) and not shared and joined
    because = (
        f"{len(sides['development'])} development and {len(sides['production'])} production stages share "
        f"{len(shared) or 'no'} stage; the overview joins them by the registry"
    )
    return ok, because, tuple(written.packet["model_registry"]["evidence_ids"])


def _contracts(written: Written) -> _Result:
    stages = written.packet["pipeline_stages"]
    bare = [s["stage"] for s in stages if not (s["inputs"] and s["outputs"] and s["gates"] and all(s["gates"]))]
    counts = [sum(s["pipeline"] == side for s in stages) for side in ("development", "production")]
    ok = not bare and counts == [_DEVELOPMENT, _PRODUCTION]
    because = f"{counts[0]} + {counts[1]} stages, {len(stages) - len(bare)} of them with inputs, outputs and a gate"
    return ok, because, _of(stages)


def _stores(written: Written) -> _Result:
    stores = written.packet["data_stores"]
    selection = next((table for table in written.tables("s3") if table.caption.startswith("Store selection")), None)
    rows = selection.rows if selection else ()
    lacking = [row[0] for row in rows if not row[2].strip()]
    ok = bool(rows) and not lacking and all(store["purpose"] for store in stores)
    return ok, f"{len(stores)} kinds in use, {len(rows) - len(lacking)} of {len(rows)} with a workload", _of(stores)


def _registry(written: Written) -> _Result:
    registry = written.packet["model_registry"]
    needed = {"artifact_versioning", "lineage", "stage_management", "rollback"}
    drawn = _drawn(written, "s4", "registry-workflow")
    ok = needed <= set(registry["capabilities"]) and drawn
    return (
        ok,
        f"{len(registry['capabilities'])} capabilities, stages drawn from the table",
        tuple(registry["evidence_ids"]),
    )


def _staged(written: Written) -> _Result:
    text = written.section("s5")
    ok = all(word in text for word in ("shadow", "canary", "rolled back")) and _drawn(written, "s5", "blue-gold-flow")
    because = "shadow, canary, rising shares and rollback, drawn from the release table"
    return ok, because, tuple(written.packet["cicd"]["evidence_ids"])


def _gates(written: Written) -> _Result:
    found = set(written.packet["cicd"]["gates"])
    because = f"{len(found & _GATES)} of {len(_GATES)} gates: {', '.join(sorted(found))}"
    return found >= _GATES, because, tuple(written.packet["cicd"]["evidence_ids"])


def _categories(written: Written) -> _Result:
    rows = written.packet["requirements"]
    counts = {name: sum(row["category"] == name for row in rows) for name in ("AP", "NF", "SEC", "CP")}
    ok = all(counts.values()) and all(row["threshold"] not in {"", "-"} for row in rows)
    return ok, ", ".join(f"{count} {name}" for name, count in counts.items()) + ", each with a threshold", _of(rows)


def _skew(written: Written) -> _Result:
    text = written.section("answers")
    ids = written.cites.ids("\n".join(line for line in text.splitlines() if line.startswith("[E-")))
    ok = "training-serving skew" in text
    parity = next((item.id for item in written.cites.all if "features/parity.py" in item.source), "")
    return ok, "features are written once, parity is proven for each version", (parity,) if parity else ids


def _monitored(written: Written) -> _Result:
    table = next((t for t in written.tables("s2") if "watched" in t.caption), None)
    rows = table.rows if table else ()
    stages = {s["stage"] for s in written.packet["pipeline_stages"] if s["pipeline"] == "production"}
    seen = {row[0].strip("*") for row in rows}
    evidence = written.cites.ids(" ".join(cell for row in rows for cell in row))
    return stages <= seen, f"{len(stages & seen)} of {len(stages)} production stages have signals", evidence


def _deployable(written: Written) -> _Result:
    drawings = [b for s in written.document.sections for b in s.blocks if isinstance(b, Diagram)]
    stages = written.packet["pipeline_stages"]
    ran = [item.id for item in written.cites.all if item.source.startswith(("registry: version", "evidence.jsonl:"))]
    code = [item.id for item in written.cites.all if item.source.startswith("bluegold/")]
    because = f"{len(stages)} stages are code that runs, {len(ran)} records of real runs, {len(drawings)} drawings"
    return bool(code) and bool(drawings), because, (*ran[:4], *code[:4])


def _evidence(written: Written) -> _Result:
    packet = written.packet
    entries = [*packet["pipeline_stages"], *packet["data_stores"], *packet["requirements"]]
    entries += [packet["model_registry"], packet["cicd"]]
    lacking = [entry for entry in entries if not written.cited(*entry["evidence_ids"])]
    decisions = [
        row
        for anchor in ("s1", "s2", "s4", "s5")
        for t in written.tables(anchor)
        if t.caption == "Decisions"
        for row in t.rows
    ]
    bare = [row for row in decisions if not written.cites.ids(row[1])]
    ok = not lacking and bool(decisions) and not bare
    cited = f"{len(entries) - len(lacking)} of {len(entries)} entries"
    because = f"{cited} and {len(decisions) - len(bare)} of {len(decisions)} decisions cited"
    return ok, because, tuple(item.id for item in written.cites.all)


def _drawn(written: Written, anchor: str, name: str) -> bool:
    return any(
        isinstance(block, Diagram) and block.name == name
        for section in written.document.sections
        if section.anchor == anchor
        for block in section.blocks
    )


_ITEMS: tuple[tuple[str, Callable[[Written], _Result]], ...] = (
    ("development and production are separate systems joined by the registry", _separate),
    ("every stage has inputs, outputs and a gate", _contracts),
    ("stores are justified by workload", _stores),
    ("the registry covers versions, lineage, stages, rollback", _registry),
    ("deployment is staged", _staged),
    ("gates cover model, features, data, performance, security, regression", _gates),
    ("all four requirement categories have thresholds", _categories),
    ("training-serving skew is addressed", _skew),
    ("monitoring covers every stage", _monitored),
    ("the design is deployable, not just theoretical", _deployable),
    ("every stage, store, decision, gate and requirement points to evidence", _evidence),
)
