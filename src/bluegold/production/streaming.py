"""Streaming: events in, decisions out, each effectively once, by the same flow as over HTTP.

Delivery is at least once: the offset is kept only after the decisions are durable and the answers are on the disk.
Results are idempotent: a decision carries the event's identity (source and offset), and a consumer that comes back
first looks up what was decided behind its last offset, so that an event is decided once however often it is killed.
Answers and dead letters beyond the last offset are cut off and written again.

A poison message (no JSON, a wrong field) is answered with its problem and kept, with its reason, in the dead letters.
An event is answered at its own moment with what is known when it arrives; one that comes late or out of order changes
no answer that was given, and corrects the histories that later events see.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from bluegold.core.errors import BluegoldError, DataError
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.production.consumer import WORKER
from bluegold.production.desk import Desk
from bluegold.production.flow import predict
from bluegold.production.messages import Call, Reply, answer, problem_of
from bluegold.production.results.records import DecisionRecord, decode_record, microseconds
from bluegold.production.results.segments import lines, parse_line, segment_path, segments
from bluegold.production.sources.protocol import Event, EventSource

__all__ = ["Kept", "Streamed", "consume", "kept_file"]

BATCH = 256
IDLE_S = 0.05


class Streamed(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer did.  ``offset`` is the place behind the last event, ``repeated`` were decided before."""

    lines: int
    refused: int
    offset: int
    seconds: float
    repeated: int = 0


class Kept(msgspec.Struct, kw_only=True):
    """What a consumer keeps: the offset, how long its outputs and the decision log were then."""

    offset: int = 0
    sink: int = 0
    sink_name: str = ""
    dead: int = 0
    log: dict[int, int] = {}


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One event that cannot be answered, and why."""

    id: str
    at: int
    status: int
    reason: str
    body: str


def consume(
    desk: Desk,
    source: EventSource,
    sink: BinaryIO,
    *,
    kept: Path | None = None,
    dead: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Streamed:
    """Answer every event of a source until it ends.

    Args:
        desk: with the lanes that answer and the log that makes decisions durable.
        source: where events come from.
        sink: one answer a line, in order; a problem where an event was refused.
        kept: file that remembers how far the source was read; None for a pipe, which cannot come again.
        dead: file of dead letters, one JSON object a line.
        stop: asked between batches whether to end early.

    Raises:
        DataError: what is kept does not belong to this source.
        StoreError: a broker failed.
        WorkspaceError: decisions cannot be made durable; the offset stays where it was.
    """
    return asyncio.run(_Consumer(desk, source, sink, kept, dead).run(stop))


def kept_file(workspace: Workspace, source: EventSource) -> Path:
    """Where a consumer of a source keeps how far it is."""
    folder = workspace.run / "offsets"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{source.name}.json"


class _Consumer:
    """One run over one source."""

    def __init__(self, desk: Desk, source: EventSource, sink: BinaryIO, kept: Path | None, dead: Path | None) -> None:
        self._desk, self._source, self._sink, self._path, self._dead = desk, source, sink, kept, dead
        self._kept = _read(kept)
        self._decided: dict[str, list[DecisionRecord]] = {}
        self._lines = self._refused = self._repeated = 0

    async def run(self, stop: Callable[[], bool]) -> Streamed:
        """Until the source ends or ``stop`` says so."""
        began = time.perf_counter()
        self._recover()
        try:
            while not stop():
                events = await self._source.fetch(self._kept.offset, BATCH)
                if events is None:
                    break
                if not events:
                    await asyncio.sleep(IDLE_S)
                    continue
                replies = await asyncio.gather(*[self._answer(event) for event in events])
                self._write(events, replies)
                await self._source.commit(self._kept.offset)
        finally:
            await self._source.close()
        return Streamed(
            lines=self._lines,
            refused=self._refused,
            offset=self._kept.offset,
            seconds=time.perf_counter() - began,
            repeated=self._repeated,
        )

    async def _answer(self, event: Event) -> Reply:
        identity = f"{self._source.name}:{event.offset}"
        call = Call(event.body, time.perf_counter_ns(), request=identity, caller="stream")
        known = self._decided.pop(identity, None)
        if known is not None:
            self._repeated += 1
            return answer(known, 0, many=len(known) != 1 or b'"rows"' in event.body)
        try:
            return await predict(self._desk, call)
        except BluegoldError as error:
            reply = problem_of(error)
            if reply.status >= 500:
                raise
            return reply

    def _write(self, events: list[Event], replies: list[Reply]) -> None:
        """Answers and dead letters to the disk, then the offset."""
        self._sink.write(b"".join(reply.body + b"\n" for reply in replies))
        self._sink.flush()
        if self._sink.seekable():
            os.fsync(self._sink.fileno())
            self._kept.sink, self._kept.sink_name = self._sink.tell(), _name(self._sink)
        poison = [(event, reply) for event, reply in zip(events, replies, strict=True) if reply.status != 200]
        if poison and self._dead is not None:
            lanes = self._desk.lanes
            hide = None if lanes.blue.veil is None else partial(lanes.blue.veil.hidden, model=lanes.split.model)
            self._kept.dead = _append(self._dead, [_letter(self._source.name, *one, hide) for one in poison])
        self._lines += len(replies)
        self._refused += len(poison)
        self._kept.offset = events[-1].offset
        self._kept.log = _ends(self._desk)
        if self._path is not None:
            write_atomic(self._path, msgspec.json.encode(self._kept))

    def _recover(self) -> None:
        """Cut off what stands beyond the last offset, and look up what was decided beyond it."""
        if self._path is None:
            return
        fresh = not self._path.is_file()
        if self._sink.seekable():
            name, end = _name(self._sink), self._sink.seek(0, os.SEEK_END)
            if name and name == self._kept.sink_name and end > self._kept.sink:
                self._sink.truncate(self._kept.sink)
                self._sink.seek(0, os.SEEK_END)
            elif name != self._kept.sink_name:
                self._kept.sink, self._kept.sink_name = end, name
        if self._dead is not None and self._dead.is_file():
            if fresh:
                self._kept.dead = self._dead.stat().st_size
            os.truncate(self._dead, self._kept.dead)
        if fresh:
            self._kept.log = _ends(self._desk)
        write_atomic(self._path, msgspec.json.encode(self._kept))
        begin = f"{self._source.name}:"
        for record in _records(self._desk, self._kept.log):
            if record.request.startswith(begin) and int(record.request[len(begin) :]) > self._kept.offset:
                self._decided.setdefault(record.request, []).append(record)


def _read(path: Path | None) -> Kept:
    if path is None or not path.is_file():
        return Kept()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except msgspec.MsgspecError as error:
        raise DataError(
            f"the offset in '{path}' cannot be read", why=str(error), way_out="remove the file to begin anew"
        ) from error


def _ends(desk: Desk) -> dict[int, int]:
    """How long this consumer's part of the decision log is, by segment."""
    root, worker = desk.reader.root, WORKER
    return {one: segment_path(root, worker, one).stat().st_size for one in segments(root, worker)[-2:]}


def _records(desk: Desk, ends: dict[int, int]) -> list[DecisionRecord]:
    """Decisions of this consumer's part of the log behind where it ended."""
    root, worker = desk.reader.root, WORKER
    found = []
    for segment in segments(root, worker):
        if segment < min(ends, default=0):
            continue
        with segment_path(root, worker, segment).open("rb") as file:
            file.seek(ends.get(segment, 0))
            raw = file.read()
        for _, line in lines(raw):
            parsed = parse_line(line)
            record = decode_record(parsed[1]) if parsed else None
            if isinstance(record, DecisionRecord):
                found.append(record)
    return found


def _name(sink: BinaryIO) -> str:
    """The path of a file that was opened by its name."""
    return str(Path(sink.name).resolve()) if isinstance(getattr(sink, "name", None), str) else ""


def _append(path: Path, letters: list[DeadLetter]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(letter) + b"\n" for letter in letters))
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _letter(name: str, event: Event, reply: Reply, hide: Callable[[bytes], str] | None) -> DeadLetter:
    """A refused event; its body is sealed where the contract marks personal fields."""
    return DeadLetter(
        id=f"{name}:{event.offset}",
        at=microseconds(),
        status=reply.status,
        reason=str(msgspec.json.decode(reply.body).get("detail", "")),
        body=hide(event.body) if hide else event.body.decode("utf-8", "replace")[:100_000],
    )
