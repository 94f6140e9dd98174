"""`bluegold stream`: answer JSON lines from a file or a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from bluegold.cli.terminal import WorkspaceOption, actor_name, say, workspace_path

__all__ = ["stream"]


def stream(
    source: Annotated[
        Path | None, typer.Argument(metavar="[INPUT]", help="File with one JSON row a line; standard input if none.")
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to append to; standard output if none.")] = None,
    model: Annotated[str, typer.Option("--model", help="Model, when the workspace holds several.")] = "",
    workspace: WorkspaceOption = None,
) -> None:
    """Answer every line, durably and at least once; a file goes on where the last run stopped."""
    from bluegold.core.workspace import Workspace
    from bluegold.production.consumer import stream_desk
    from bluegold.production.selection import model_of
    from bluegold.production.streaming import consume, offset_file
    from bluegold.registry.registry import Registry

    space = Workspace.open(workspace_path(workspace))
    with (
        Registry.open(space, actor=actor_name(None)) as registry,
        _opened(source, "rb") as rows,
        stream_desk(space, registry, model_of(registry, model)) as desk,
        _opened(out, "ab") as answers,
    ):
        done = consume(desk, rows, answers, offsets=offset_file(space, source) if source else None)
    say(f"{done.lines:,} lines answered, {done.refused:,} of them refused, in {done.seconds:.1f} s")


@contextlib.contextmanager
def _opened(path: Path | None, mode: str) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdin.buffer if mode == "rb" else sys.stdout.buffer
        return
    from bluegold.core.errors import DataError

    try:
        file = path.open(mode)
    except OSError as error:
        raise DataError(
            f"'{path}' cannot be opened", why=error.strerror or str(error), way_out="give another path"
        ) from error
    with file:
        yield file  # type: ignore[misc]  # a mode with "b" gives bytes
