"""`bluegold demo`: the main job end to end, on real flights."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer

from bluegold.cli.terminal import JsonOption, emit

__all__ = ["demo"]


def demo(
    workspace: Annotated[
        Path | None, typer.Option("--workspace", "-w", help="An empty or new folder (default: ./demo, ./demo-2, ...).")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Work on every fourth flight, all else the same.")] = False,
    json: JsonOption = False,
) -> None:
    """See the whole story on real flights: develop, deliver, serve, refuse, roll back, prove, document."""
    from bluegold.cli.story.screen import Screen
    from bluegold.cli.story.story import Story
    from bluegold.core.errors import WorkspaceError
    from bluegold.core.workspace import Workspace

    workspace = workspace or _fresh()
    if workspace.is_dir() and any(workspace.iterdir()):
        raise WorkspaceError(
            f"'{workspace}' is not empty",
            why="the demo begins with an empty workspace, and nothing is overwritten",
            way_out=f"give another folder with --workspace, or remove it: rm -r {workspace}",
        )
    with Screen() as screen:
        summary = Story(Workspace.create(workspace), screen, fast=fast).run()
    lines = (
        f"document   {summary.document}",
        f"evidence   {summary.evidence}",
        f"workspace  {summary.workspace}",
        f"look       bluegold history -w {workspace} · bluegold prove -w {workspace} · bluegold up -w {workspace}",
    )
    emit(summary, as_json=json, text="\n".join(lines))


def _fresh() -> Path:
    """The first of ./demo, ./demo-2, ./demo-3, ... that does not exist."""
    names = ("demo" if number == 1 else f"demo-{number}" for number in itertools.count(1))
    return next(path for path in map(Path, names) if not path.exists())
