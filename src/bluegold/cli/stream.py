"""`bluegold stream`: answer events from a file, a pipe, the embedded log or a NATS JetStream."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, WorkspaceOption, say

if TYPE_CHECKING:
    from bluegold.core.workspace import Workspace
    from bluegold.production.sources.protocol import EventSource

__all__ = ["stream"]


def stream(
    source: Annotated[
        str, typer.Argument(metavar="[INPUT]", help="File of JSON lines, log://NAME, nats://HOST:PORT/STREAM, or -.")
    ] = "-",
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to append to; standard output if none.")] = None,
    into: Annotated[str, typer.Option("--into", help="Only append INPUT's lines to the embedded log of a name.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more events at the end of a log.")] = False,
    model: Annotated[str, typer.Option("--model", help="Model, when the workspace holds several.")] = "",
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
) -> None:
    """Answer every event, durably and effectively once; a consumer goes on where the last one stopped."""
    if into:
        with governed(workspace, actor, may=("predict",)) as (_, space, _):
            return _append(space, source, into)
    from bluegold.production.consumer import stream_desk
    from bluegold.production.selection import model_of
    from bluegold.production.streaming import consume, kept_file

    with (
        governed(workspace, actor, may=("predict",)) as (registry, space, _),
        _events(space, source, follow=follow) as events,
        stream_desk(space, registry, model_of(registry, model)) as desk,
        _opened(out, "ab") as answers,
    ):
        kept = kept_file(space, events) if events.name != "pipe" else None
        dead = space.root / "dead-letters" / f"{events.name}.jsonl"
        done = consume(desk, events, answers, kept=kept, dead=dead)
    text = f"{done.lines:,} lines answered, {done.refused:,} of them refused, in {done.seconds:.1f} s"
    say(text + (f"; {done.refused:,} dead letters -> {dead}" if done.refused else ""))
    return None


def _append(space: Workspace, source: str, name: str) -> None:
    from bluegold.production.sources.event_log import EventLog

    log, count = EventLog(space.root / "streams", name), 0
    with _opened(None if source == "-" else Path(source), "rb") as rows:
        while lines := rows.readlines(1024 * 1024):
            bodies = [line.strip() for line in lines if line.strip()]
            count += len(bodies)
            log.append(bodies)
    say(f"{count:,} events appended to log://{name}")


@contextlib.contextmanager
def _events(space: Workspace, source: str, *, follow: bool) -> Iterator[EventSource]:
    scheme, found, rest = source.partition("://")
    if not found:
        from bluegold.production.sources.lines import LineSource

        path = None if source == "-" else Path(source)
        with _opened(path, "rb") as file:
            yield LineSource(file, path)
    elif scheme == "log":
        from bluegold.production.sources.event_log import EventLog

        yield EventLog(space.root / "streams", rest, follow=follow)
    elif scheme == "nats":
        from bluegold.production.sources.nats import NatsSource

        yield NatsSource(source, follow=follow)
    else:
        from bluegold.core.errors import UsageError

        raise UsageError(f"there is no source of events called '{scheme}'", way_out="choose log:// or nats://")


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
