"""`bluegold up`: serve a model with supervised workers, and show the console."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.terminal import WorkspaceOption, actor_name, say, workspace_path

if TYPE_CHECKING:
    from bluegold.core.workspace import Workspace

__all__ = ["up"]

SENTINEL_S = 4.0
"""Seconds between two rounds of known answers, and at most the age of the health view on the disk."""


def up(
    *,
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="Port; 0 takes any free one.")] = 8080,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Serving processes.")] = 2,
    host: Annotated[str, typer.Option("--host", help="Address; loopback unless you decide.")] = "127.0.0.1",
    model: Annotated[str, typer.Option("--model", help="Model to serve, when the workspace holds several.")] = "",
    console: Annotated[
        int, typer.Option("--console", min=-1, max=65535, help="Port of the console; 0 any free one, -1 no console.")
    ] = 0,
    edge: Annotated[
        bool, typer.Option("--edge", help="A process before the workers that repeats requests whose worker died.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Serve over HTTP until Ctrl-C; workers that die or hang are replaced."""
    from bluegold.core.settings import settings
    from bluegold.core.workspace import Workspace
    from bluegold.production.operations.server_config import ServerConfig
    from bluegold.production.operations.supervisor import run, sockets
    from bluegold.production.selection import model_of
    from bluegold.registry.registry import Registry

    space = Workspace.open(workspace_path(workspace))
    with Registry.open(space, actor=actor_name(None)) as registry:
        name = model_of(registry, model)
    listeners, front = sockets(host, port, workers, edge=edge)
    page = _console(space, console) if console >= 0 else None
    try:
        server = ServerConfig(workspace=space.root, model=name, sentinel=SENTINEL_S, patience=settings().patience)
        run(server, listeners, front=front, on_start=lambda at: say(f"{name} answers at {at.url}/v1/predict"))
    finally:
        if page is not None:
            page.terminate()
            page.wait()
    say("bluegold: stopped; every answered decision is recorded.")


def _console(space: Workspace, port: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "bluegold.console",
        "--workspace",
        str(Path(space.root)),
        "--port",
        str(port),
        "--follow",
    ]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
