"""Streaming: JSON lines in, decisions as JSON lines out, at least once, by the same flow as over HTTP.

The offset of the input is written only after its decisions are durable and its answers are flushed, so a
killed consumer repeats its last lines and never skips one.  A line that cannot be answered (a poison message)
is answered with its problem instead of stopping the stream.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec

from bluegold.core.errors import BluegoldError, DataError
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.production.desk import Desk
from bluegold.production.flow import predict
from bluegold.production.messages import Call, Reply, problem_of

__all__ = ["Streamed", "consume", "offset_file", "read_offset"]

BATCH = 256
LONGEST_LINE = 1024 * 1024


class Streamed(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer did.  ``offset`` is the byte behind the last line that was answered."""

    lines: int
    refused: int
    offset: int
    seconds: float


def consume(
    desk: Desk,
    source: BinaryIO,
    sink: BinaryIO,
    *,
    offsets: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Streamed:
    """Answer every line of ``source`` until it ends.

    Args:
        desk: with the lanes that answer and the log that makes decisions durable.
        source: JSON lines; a regular file is continued at the stored offset, a pipe is read as it comes.
        sink: one answer a line, in order; a problem where a line was refused.
        offsets: file that remembers how far a regular file was read.
        stop: asked between batches whether to end early.

    Raises:
        DataError: the file is shorter than the stored offset: it is not the file that was read before.
        WorkspaceError: decisions cannot be made durable; the offset stays where it was.
    """
    began = time.perf_counter()
    seekable = offsets is not None and source.seekable()
    offset = _resume(source, offsets) if seekable and offsets is not None else 0
    lines = refused = 0
    with asyncio.Runner() as runner:
        for batch, size in _batches(source):
            replies = runner.run(_answer(desk, batch))
            _write(sink, replies)
            offset += size
            if seekable and offsets is not None:
                write_atomic(offsets, str(offset).encode())
            lines += len(replies)
            refused += sum(reply.status != 200 for reply in replies)
            if stop():
                break
    return Streamed(lines=lines, refused=refused, offset=offset, seconds=time.perf_counter() - began)


def offset_file(workspace: Workspace, source: Path) -> Path:
    """Where the offset of an input file is remembered."""
    name = sha256(str(source.resolve()).encode()).hexdigest()[:16]
    folder = workspace.run / "offsets"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def read_offset(offsets: Path) -> int:
    """How far a file was read, 0 when it was not."""
    try:
        return int(offsets.read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise DataError(
            f"the offset in '{offsets}' cannot be read", why=str(error), way_out="remove the file to begin anew"
        ) from error


def _write(sink: BinaryIO, replies: list[Reply]) -> None:
    sink.write(b"".join(reply.body + b"\n" for reply in replies))
    sink.flush()
    if sink.seekable():
        os.fsync(sink.fileno())


def _resume(source: BinaryIO, offsets: Path) -> int:
    offset = read_offset(offsets)
    end = source.seek(0, os.SEEK_END)
    if offset > end:
        raise DataError(
            f"'{offsets}' says {offset} bytes were read, the input has {end}",
            why="it is not the file that was read before",
            way_out="remove the offset file to begin anew",
        )
    return source.seek(offset)


def _batches(source: BinaryIO) -> Iterator[tuple[list[bytes], int]]:
    """Lines in small batches with the bytes they take; what comes through a pipe is answered line by line."""
    most = BATCH if source.seekable() else 1
    batch: list[bytes] = []
    size = 0
    while line := source.readline(LONGEST_LINE + 1):
        while not line.endswith(b"\n") and len(line) > LONGEST_LINE:  # skip what cannot be one row
            rest = source.readline(LONGEST_LINE)
            size += len(rest)
            if not rest or rest.endswith(b"\n"):
                break
        size += len(line)
        if line.strip():
            batch.append(line)
        if len(batch) >= most:
            yield batch, size
            batch, size = [], 0
    if size:
        yield batch, size


async def _answer(desk: Desk, lines: list[bytes]) -> list[Reply]:
    return await asyncio.gather(*[_answer_one(desk, line) for line in lines])


async def _answer_one(desk: Desk, line: bytes) -> Reply:
    try:
        return await predict(desk, Call(line, time.perf_counter_ns(), caller="stream"))
    except BluegoldError as error:
        reply = problem_of(error)
        if reply.status >= 500:
            raise
        return reply
