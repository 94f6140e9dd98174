"""`bluegold prove`: measure the requirements on the running system and print the checklist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit, say

if TYPE_CHECKING:
    from bluegold.core.nouns import Evidence
    from bluegold.features.system import System
    from bluegold.registry import Registry
    from bluegold.requirements.checklist import Row

__all__ = ["prove"]


def prove(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Only these requirements, such as AP-7 NF-5.")
    ] = None,
    *,
    system: Annotated[
        Path | None,
        typer.Option("--system", "-s", help="Folder of the definition (default: here, else production's own)."),
    ] = None,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the probes, write what they measured into the ledger, and print the checklist."""
    from bluegold.probes.bench import Bench
    from bluegold.probes.table import prove as run
    from bluegold.production.operations.supervisor import running
    from bluegold.requirements.catalog import catalog, requirement
    from bluegold.requirements.checklist import checklist, totals
    from bluegold.requirements.ledger import LEDGER, Ledger

    for one in ids or ():
        requirement(one)  # a wrong id is said before anything is started
    with governed(workspace, actor, may=("gate", "review")) as (registry, space, who):
        bench = Bench(space, registry, _definition(system, registry), running(space))
        found = {evidence.requirement: evidence for evidence in run(bench, ids, _progress)}
        asked = tuple(row for row in catalog(bench.plan) if row.id in found)
        size, digest = Ledger(space.evidence).digest()  # from now on the chain shows when a line of it was changed
        registry.audit.append(who, "prove", LEDGER, " ".join(found)[:300], {"bytes": size, "sha256": digest})
    rows = checklist(asked, Ledger(space.evidence))
    value = {
        "checklist": rows,
        "evidence": tuple(found.values()),
        "totals": totals(rows),
        "ledger": str(space.evidence),
    }
    emit(value, as_json=as_json, text=lambda: _told(rows, found, detailed=bool(ids)) + f"\nevidence: {space.evidence}")


def _definition(folder: Path | None, registry: Registry) -> System | None:
    """The definition that is meant: named, here, or the signed one of the only model in production."""
    from bluegold.cli.subject import registered_system
    from bluegold.features.loader import load_system

    if folder is not None or Path("pipeline.py").is_file():
        return load_system(folder or Path())
    models = {version.model for version in registry.versions.list(stage="Production", limit=1000)}
    return registered_system(registry, models.pop()) if len(models) == 1 else None


def _progress(evidence: Evidence) -> None:
    if evidence.value is not None:
        say(f"{evidence.requirement:<6} {evidence.verdict}")


def _told(rows: tuple[Row, ...], found: dict[str, Evidence], *, detailed: bool) -> str:
    """Threshold -> objective, value and verdict of each requirement; how it was taken, where somebody asks or must."""
    from bluegold.requirements.checklist import shown_limit, shown_value, totals

    lines = []
    for row in rows:
        item, now = row.requirement, found[row.requirement.id]
        limits = shown_limit(item, item.threshold)
        if item.direction != "holds":
            limits += f" -> {shown_limit(item, item.objective)}"
        value = shown_value(item, row.evidence.value) if row.evidence else "-"
        lines.append(f"{item.id:<6} {row.verdict:<21}  {value:<26} {limits:<52} {item.title}")
        if now.value is None:
            old = row.evidence
            earlier = f"; the value is of {old.at:%Y-%m-%d %H:%M} ({old.version})" if old else ""
            lines.append(f"{'':<7}{now.method}{earlier}")
        elif detailed or row.verdict == "missed":
            lines.append(f"{'':<7}{now.method} (n = {now.samples:,})")
    return "\n".join([*lines, ", ".join(f"{number} {grade}" for grade, number in totals(rows).items())])
