"""`bluegold retrain`: develop a candidate when schedule, labels or drift say so, and stop at the gates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit, say

if TYPE_CHECKING:
    from bluegold.core.nouns import ModelVersion

__all__ = ["retrain"]


def retrain(
    *,
    system: Annotated[
        Path, typer.Option("--system", "-s", help="Folder with pipeline.py and architecture.yaml (or the Python file).")
    ] = Path(),
    now: Annotated[bool, typer.Option("--now", help="Develop a candidate whatever the triggers say.")] = False,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at the triggers; when one has fired, develop a candidate and run its gates.  Run it from a scheduler."""
    from bluegold.delivery.triggers import due, open_candidate
    from bluegold.development import develop
    from bluegold.features.loader import load_system

    definition = load_system(system)
    with governed(workspace, actor) as (registry, space, author):

        def fresh() -> ModelVersion:
            return develop(definition, space, registry, author=author, folder=system)

        reasons: tuple[str, ...] = ("asked for by hand",)
        if not now:
            found = due(definition.name, definition.plan, registry, space)
            if not found.fired:
                emit(found, as_json=as_json, text=lambda: "no trigger has fired; nothing was developed")
                return
            reasons = found.reasons
        say(f"retraining: {'; '.join(reasons)}")
        version, reports = open_candidate(fresh, registry, space, reasons)
    told = {
        "version": version.ref,
        "reasons": reasons,
        "gates": {report.gate: report.verdict for report in reports},
        "reported": {report.gate: report.reason for report in reports if report.verdict != "pass"},
    }
    emit(told, as_json=as_json, text=lambda: _told(version.ref, told["gates"]))


def _told(ref: str, gates: object) -> str:
    lines = [f"{ref} is a candidate; it stops here until somebody runs 'bluegold deliver {ref}'"]
    if isinstance(gates, dict):
        lines += [f"  gate {name:<16} {verdict}" for name, verdict in gates.items()]
    return "\n".join(lines)
