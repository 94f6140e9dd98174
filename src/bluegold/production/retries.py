"""Requests that were sent again: a decision that was recorded but not answered any more is answered now.

The edge gives every request a name and sends it again under that name when its worker died.  The dead worker may
have recorded its decision already: then that one counts, and none is made a second time.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bluegold.production.desk import Desk
from bluegold.production.flow import decode, elapsed_us, predict
from bluegold.production.messages import Call, Reply, answer
from bluegold.production.operations.board import Cell
from bluegold.production.results.records import DecisionRecord, decode_record
from bluegold.production.results.segments import lines, parse_line, segment_path, segments, workers

__all__ = ["ATTEMPT", "PEER", "RETRY", "recorded", "repeated"]

ATTEMPT, RETRY, PEER = "x-bluegold-attempt", "x-bluegold-retry", "x-bluegold-peer"
"""What the edge adds to a request: its name for it, that it was sent before, and the client's address."""

TAIL_BYTES = 4 * 1024 * 1024
RECENT = 3
"""How far back each log is searched, in bytes of a segment and in segments: a worker's successor begins a new one.  A
retry follows its first attempt within fractions of a second."""


async def repeated(desk: Desk, call: Call) -> Reply:
    """Answer a request that another worker may have decided already; raises as :func:`predict`."""
    found = await asyncio.to_thread(recorded, desk.reader.root, call.attempt)
    rows, many = decode(desk.lanes, call.body)
    if len(found) != len(rows):
        return await predict(desk, call)
    desk.slot.add(Cell.RETRIED)
    return answer(found, elapsed_us(call), many=many)


def recorded(root: Path, attempt: str) -> list[DecisionRecord]:
    """The decisions that were recorded under a name, in order; searched at the end of every worker's log.

    Args:
        root: the folder of all decisions.
        attempt: the edge's name for the request.

    Example:
        >>> recorded(Path("/no/such/folder"), "a-1")
        []
    """
    wanted = f'"attempt":"{attempt}"'.encode()
    for worker in workers(root):
        for segment in segments(root, worker)[-RECENT:]:
            raw = _tail(segment_path(root, worker, segment), wanted)
            if raw:
                bodies = [parsed[1] for _, one in lines(raw) if wanted in one and (parsed := parse_line(one))]
                records = [decode_record(body) for body in bodies]
                return [one for one in records if isinstance(one, DecisionRecord) and one.attempt == attempt]
    return []


def _tail(path: Path, wanted: bytes) -> bytes:
    """The end of a log that holds what is wanted; on the disk by then, for which the dead worker may have waited."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        raw = file.read()
        if wanted not in raw:
            return b""
        os.fsync(file.fileno())
        return raw
