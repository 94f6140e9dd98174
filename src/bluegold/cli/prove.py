"""`bluegold prove`: measure the requirements on the running system and print the checklist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, say, workspace_path

if TYPE_CHECKING:
    from bluegold.core.nouns import Evidence
    from bluegold.features.system import System
    from bluegold.registry import Registry
    from bluegold.requirements.checklist import Row
    from bluegold.requirements.ledger import Ledger

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
    as_json: JsonOption = False,
) -> None:
    """Run the probes, write what they measured into the ledger, and print the checklist."""
    from bluegold.core.workspace import Workspace
    from bluegold.probes.bench import Bench
    from bluegold.probes.table import prove as run
    from bluegold.production.operations.supervisor import running
    from bluegold.registry import Registry
    from bluegold.requirements.catalog import catalog, requirement
    from bluegold.requirements.ledger import Ledger

    for one in ids or ():
        requirement(one)  # a wrong id is said before anything is started
    space = Workspace.open(workspace_path(workspace))
    with Registry.open(space) as registry:
        bench = Bench(space, registry, _definition(system, registry), running(space))
        found = run(bench, ids, _progress)
        plan = bench.plan
    rows = _rows(catalog(plan), found, Ledger(space.evidence))
    value = {"checklist": rows, "totals": _totals(rows), "ledger": str(space.evidence)}
    emit(value, as_json=as_json, text=lambda: _told(rows, space.evidence, detailed=bool(ids)))


def _definition(folder: Path | None, registry: Registry) -> System | None:
    """The definition that is meant: named, here, or the signed one of the only model in production."""
    from bluegold.cli.subject import registered_system, system_of

    if folder is not None or Path("pipeline.py").is_file():
        return system_of(folder, registry)
    models = {version.model for version in registry.versions.list(stage="Production", limit=1000)}
    return registered_system(registry, models.pop()) if len(models) == 1 else None


def _progress(evidence: Evidence) -> None:
    if evidence.value is not None:
        say(f"{evidence.requirement:<6} {evidence.verdict}")


def _rows(catalogue: tuple[Requirement, ...], found: tuple[Evidence, ...], ledger: Ledger) -> tuple[Row, ...]:
    """The checklist of what was asked; what could not be measured now shows why, unless it was measured before."""
    from bluegold.requirements.checklist import Row, checklist

    new = {evidence.requirement: evidence for evidence in found}
    rows = []
    for row in checklist(tuple(item for item in catalogue if item.id in new), ledger):
        first = row.evidence is None
        rows.append(Row(requirement=row.requirement, verdict=row.verdict, evidence=new[row.requirement.id])) if first else rows.append(row)
    return tuple(rows)
