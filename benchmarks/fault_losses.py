"""Losses for `faults.py`: every kind of process killed again and again; what counts is what was lost, not how long.

Each part is one server under load (or one stream) and as many kills; parts can be run in pieces that are added up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell, Head, State
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.watched import alive
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.results.records import DecisionRecord
from bluegold.production.sources.event_log import EventLog

__all__ = ["PIECES", "Subject", "consumers", "deputies", "edges", "standbys", "watchers"]

#: part -> kills of each kind in one piece; all parts are to come to 100 or more.
PIECES = {"standbys": 25, "edges": 50, "watchers": 25, "deputies": 50, "consumers": 25}
LIMIT_S = 60.0
LISTED = 20_000


class Subject(Protocol):
    """The part of a stage that is used here."""

    workspace: Workspace
    body: str

    def served(self, *options: str) -> contextlib.AbstractContextManager[tuple[Endpoint, Board]]: ...

    def load(self, endpoint: Endpoint) -> contextlib.AbstractContextManager[dict[str, Any]]: ...

    def lost(self, found: dict[str, Any]) -> str: ...


def until(holds: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen within {LIMIT_S:g} s")
        time.sleep(0.002)


def strike(find: Callable[[], int], times: int) -> None:
    """Kill the process that can be found now, as often as asked, each time another one."""
    last = 0
    for _ in range(times):
        until(lambda last=last: find() not in {0, last} and alive(find()))
        last = find()
        os.kill(last, signal.SIGKILL)
    until(lambda: find() not in {0, last} and alive(find()))


def together(*jobs: Callable[[], None]) -> None:
    """Do several things at the same time, and fail when one does."""
    failed: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except (OSError, TimeoutError) as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _row(name: str, times: int, found: dict[str, Any], lost: str) -> list[Any]:
    total = found["answered"] + len(found["failed"])
    return [name, times, None, None, None, None, total, len(found["failed"]), lost, None, None]


def standbys(stage: Subject, times: int) -> list[list[Any]]:
    """A worker and then the standby that was to follow the next one, in turn."""

    def standby(board: Board) -> int:
        slot = board.standby()
        return slot[Cell.PID] if slot[Cell.STATE] == State.STANDBY else 0

    with stage.served("--edge") as (endpoint, board), stage.load(endpoint) as found:
        for index in range(times):
            slot = board.slot(index % 2)
            until(lambda: standby(board))
            before = slot[Cell.PID]
            os.kill(before, signal.SIGKILL)
            until(lambda slot=slot, before=before: slot[Cell.PID] != before and slot[Cell.STATE] == State.READY)
            strike(lambda: standby(board), 1)
    return [_row("worker and standby killed, with --edge", times, found, stage.lost(found))]


def edges(stage: Subject, times: int) -> list[list[Any]]:
    """The edge itself: requests on it fail, their decisions do not get lost."""
    with stage.served("--edge") as (endpoint, board), stage.load(endpoint) as found:
        for _ in range(times):
            strike(lambda: board[Head.EDGE], 1)
            time.sleep(0.3)  # so that it answers in between
    return [_row("edge killed", times, found, stage.lost(found))]


def watchers(stage: Subject, times: int) -> list[list[Any]]:
    """Sentinel and drift watch."""
    options = ("--sentinel", "0.2", "--drift", "0.2")
    with stage.served(*options) as (endpoint, board), stage.load(endpoint) as found:
        together(lambda: strike(lambda: board[Head.SENTINEL], times), lambda: strike(lambda: board[Head.DRIFT], times))
    return [_row("sentinel and drift watch killed", times, found, stage.lost(found))]


def deputies(stage: Subject, times: int) -> list[list[Any]]:
    """The supervisor's deputy."""
    with stage.served() as (endpoint, board), stage.load(endpoint) as found:
        strike(lambda: board[Head.DEPUTY], times)
    return [_row("deputy killed", times, found, stage.lost(found))]


def consumers(stage: Subject, times: int) -> list[list[Any]]:
    """The consumer of a stream, killed at any moment after it has begun to answer, then left to finish."""
    name = f"kills-{time.time_ns()}"
    log = EventLog(stage.workspace.root / "streams", name)
    log.append([stage.body.encode()] * LISTED)
    answers = stage.workspace.root / f"{name}.jsonl"
    command = [sys.executable, "-m", "bluegold", "stream", f"log://{name}", "--out", str(answers)]
    command += ["--workspace", str(stage.workspace.root)]
    before = DecisionReader(stage.workspace.decisions).end()
    kills = 0
    for _ in range(times):
        size = _size(answers)
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as consumer:
            until(lambda size=size, consumer=consumer: _size(answers) != size or consumer.poll() is not None)
            if consumer.poll() is None:
                consumer.kill()
                kills += 1
    subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
    said = [msgspec.json.decode(line)["id"] for line in answers.read_bytes().splitlines()]
    decided = _decided(stage.workspace, before)
    lost = LISTED - len(set(said)) + len(set(said) - decided)
    twice = len(decided) - LISTED
    found = {"answered": len(said), "failed": []}
    return [
        _row("stream consumer killed", kills, found, f"{len(said):,}, {lost}" + (f" ({twice} twice)" if twice else ""))
    ]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _decided(workspace: Workspace, positions: dict[str, int]) -> set[str]:
    reader = DecisionReader(workspace.decisions)
    found: set[str] = set()
    while True:
        records, after = reader.tail(positions)
        if not records:
            return found
        positions = after
        found |= {record.id for record in records if isinstance(record, DecisionRecord)}
