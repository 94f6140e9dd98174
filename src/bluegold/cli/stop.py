"""`bluegold stop`: stop the running server, whichever of its supervisors leads it."""

from __future__ import annotations

from bluegold.cli.identity import permitted
from bluegold.cli.terminal import WorkspaceOption, say, workspace_path

__all__ = ["stop"]


def stop(*, workspace: WorkspaceOption = None) -> None:
    """Let the running server answer what has begun, and stop it."""
    from bluegold.core.errors import ServingError
    from bluegold.production.kept import served
    from bluegold.production.operations import supervisor

    space = served(workspace_path(workspace))
    permitted(space, "serve", "restore")
    if supervisor.running(space) is None:
        raise ServingError(f"workspace '{space.root}' is not served", way_out="start it with 'bluegold up'")
    if not supervisor.stop(space):
        raise ServingError(
            "the server did not drain in time and was ended",
            why="a worker may hang",
            way_out="look at run/worker-*.log in the workspace",
        )
    say("bluegold: stopped; every answered decision is recorded.")
