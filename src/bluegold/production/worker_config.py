"""What a worker process is told, and the command line that tells it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

__all__ = ["WorkerConfig"]


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told.  ``fd`` is its listening socket, ``pin`` a version to serve without the traffic table."""

    workspace: Path
    model: str
    worker: int
    fd: int
    board: Path
    decisions: Path
    pin: str = ""

    def arguments(self) -> list[str]:
        """The command line that gives this configuration to a new process."""
        given = {name: str(getattr(self, name)) for name in self.__struct_fields__}
        return [sys.executable, "-m", "bluegold.production.worker"] + [
            part for name, value in given.items() if value for part in (f"--{name}", value)
        ]
