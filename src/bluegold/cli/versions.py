"""`bluegold versions`: find versions by name, stage, metric, author, time and text."""

from __future__ import annotations

from typing import Annotated

import typer

from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, workspace_path

__all__ = ["versions"]


def versions(
    terms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TERM]...",
            help="model:flight* stage:canary author:ada since:2026-01-31 until:2026-02-28 'auc>=0.8', or words that "
            "occur in it (parameters, digests, run).",
        ),
    ] = None,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most this many, newest first.")] = 30,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find registered versions; all terms must hold."""
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry
    from bluegold.registry.search import parse

    wanted = parse(terms or [])
    with Registry.open(Workspace.open(workspace_path(workspace))) as registry:
        found = registry.versions.search(wanted, limit)
    lines = []
    for one in found:
        measures = "  ".join(f"{name}={value:.4g}" for name, value in list(one.metrics.items())[:3])
        lines.append(f"{one.ref:<28} {one.stage:<11} {one.created_at:%Y-%m-%d %H:%M}  {one.author:<16} {measures}")
    emit({"versions": found}, as_json=as_json, text="\n".join(lines) or "no version meets that")
