"""`bluegold prove`: measure the requirements on the running system and print the checklist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, say, workspace_path

if TYPE_CHECKING:
    from bluegold.core.nouns import Evidence
    from bluegold.requirements.checklist import Row

__all__ = ["prove"]


def prove(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Requirements, such as AP-7 NF-5.")] = None,
    *,
    system: Annotated[
        Path | None,
        typer.Option("--system", "-s", help="Folder of the definition (default: here, else the registry's)."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the probes, write what they measured into the ledger, and print the checklist."""
    from bluegold.cli.subject import system_of
    from bluegold.core.workspace import Workspace
    from bluegold.probes.bench import Bench
    from bluegold.probes.table import prove as run
    from bluegold.production.operations.supervisor import running
    from bluegold.registry import Registry
    from bluegold.requirements.catalog import catalog
    from bluegold.requirements.checklist import checklist
    from bluegold.requirements.ledger import Ledger

    space = Workspace.open(workspace_path(workspace))
    with Registry.open(space) as registry:
        definition = system_of(system, registry)
        found = run(Bench(space, registry, definition, running(space)), ids or (), None if as_json else _progress)
    asked = {evidence.requirement for evidence in found}
    rows = tuple(
        row for row in checklist(catalog(definition.plan), Ledger(space.evidence)) if row.requirement.id in asked
    )
    emit({"evidence": found, "ledger": str(space.evidence)}, as_json=as_json, text=lambda: _told(rows, space.evidence))


def _progress(evidence: Evidence) -> None:
    if evidence.value is not None:
        say(f"{evidence.requirement:<6} {evidence.verdict}")


def _told(rows: tuple[Row, ...], ledger: Path) -> str:
    from bluegold.requirements.checklist import shown_limit, shown_value, totals

    lines = []
    for row in rows:
        item = row.requirement
        value = shown_value(item, row.evidence.value) if row.evidence else ""
        limits = shown_limit(item, item.threshold)
        if item.direction != "holds":
            limits += f", objective {shown_limit(item, item.objective)}"
        lines.append(f"{item.id:<6} {row.verdict:<22} {value:<24} {item.title} ({limits})")
    count = totals(rows)
    lines.append(", ".join(f"{number} {grade}" for grade, number in count.items()) + f" · evidence: {ledger}")
    return "\n".join(lines)
