"""`bluegold reload`: replace the running server's workers, without a gap."""

from __future__ import annotations

from bluegold.cli.identity import permitted
from bluegold.cli.terminal import WorkspaceOption, say, workspace_path

__all__ = ["reload"]


def reload(*, workspace: WorkspaceOption = None) -> None:
    """Replace every worker of the running server by one started from the code on the disk, without a gap."""
    from bluegold.production.kept import served
    from bluegold.production.operations import supervisor

    space = served(workspace_path(workspace))
    permitted(space, "serve")
    seconds = supervisor.reload(space)
    say(f"bluegold: every worker replaced in {seconds:.1f} s.")
