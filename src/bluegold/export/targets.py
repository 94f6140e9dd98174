"""The systems that a pipeline can be exported to: one row each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bluegold.core.errors import UsageError
from bluegold.core.workspace import write_atomic
from bluegold.export import dagster
from bluegold.export.tasks import Task, tasks

__all__ = ["TARGETS", "export"]

TARGETS: dict[str, tuple[str, Callable[[str, tuple[Task, ...]], str]]] = {
    "dagster": (dagster.FILE, dagster.render),
}


def export(target: str, name: str, system: Path, workspace: Path, out: Path) -> Path:
    """Write the pipeline's definition for another system.

    Args:
        target: a key of :data:`TARGETS`.
        name: the system's name.
        system: folder of ``pipeline.py``.
        workspace: folder that the tasks share.
        out: folder to write into.

    Raises:
        UsageError: there is no such target.
    """
    if target not in TARGETS:
        raise UsageError(f"there is no export target '{target}'", way_out=f"choose one of {', '.join(sorted(TARGETS))}")
    file, render = TARGETS[target]
    out.mkdir(parents=True, exist_ok=True)
    path = out / file
    write_atomic(path, render(name, tasks(system.resolve(), workspace.resolve())).encode())
    return path
