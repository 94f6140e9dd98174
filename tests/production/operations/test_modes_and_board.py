"""The system modes as a table that is enforced, and the board as memory that processes share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from bluegold.core.errors import ServingError
from bluegold.core.nouns import TrafficMode
from bluegold.production.operations.board import BUCKETS_US, Board, Cell, State
from bluegold.production.operations.modes import TRANSITIONS, Mode, SystemMode, mode_for


def test_every_mode_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS) == set(get_args(Mode))
    reached, edge = {"configuring"}, ["configuring"]
    while edge:
        for following in TRANSITIONS[edge.pop()]:  # type: ignore[index]
            if following not in reached:
                reached.add(following)
                edge.append(following)
    assert reached == set(TRANSITIONS)
    assert all(following for following in TRANSITIONS.values())
    assert {mode_for(mode) for mode in get_args(TrafficMode)} <= set(TRANSITIONS)


def test_what_answers_only_changes_by_updating() -> None:
    mode = SystemMode()
    with pytest.raises(ServingError, match="cannot go from 'configuring' to 'executing'"):
        mode.enter("executing")
    for following in ("updating", "executing", "updating", "shadow", "updating", "monitoring"):
        mode.enter(following)  # type: ignore[arg-type]
    with pytest.raises(ServingError):
        mode.enter("executing")


def test_another_process_sees_what_a_worker_writes(tmp_path: Path) -> None:
    board = Board.create(tmp_path / "board", workers=2)
    code = (
        "import os, sys, pathlib; from bluegold.production.operations.board import Board, Cell, State\n"
        "slot = Board(pathlib.Path(sys.argv[1])).slot(1); slot.begin(os.getpid())\n"
        "slot[Cell.REVISION] = 7; slot[Cell.STATE] = State.READY; slot.add(Cell.REQUESTS, 5); slot.observe(60)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "board")], check=True)
    view = board.views()[1]
    assert (view.revision, view.requests, view.state) == (7, 5, "ready")
    assert board.slot(1).histogram()[1] == 1
    assert not board.applied(7), "worker 0 serves nothing"
    board.slot(0)[Cell.STATE] = State.READY
    board.slot(0)[Cell.REVISION] = 8
    assert board.wait_applied(7, 0.1)
    assert not board.wait_applied(8, 0.02)


def test_counters_outlive_a_restart(tmp_path: Path) -> None:
    slot = Board.create(tmp_path / "board", workers=1).slot(0)
    slot.add(Cell.DECISIONS, 3)
    slot.begin(pid=1)
    assert (slot[Cell.DECISIONS], slot[Cell.REVISION]) == (3, -1)


def test_the_histogram_counts_every_latency_once(tmp_path: Path) -> None:
    slot = Board.create(tmp_path / "board", workers=1).slot(0)
    values = [0, 50, 51, *BUCKETS_US, 10**9]
    for value in values:
        slot.observe(value)
    assert sum(slot.histogram()) == len(values)
    assert slot.histogram()[-1] == 1
    assert slot[Cell.LATENCY_SUM_US] == sum(values)


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 768])
def test_what_is_no_board_is_said_clearly(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "board").write_bytes(content)
    with pytest.raises(ServingError):
        Board(tmp_path / "board")
    with pytest.raises(ServingError, match="bluegold up"):
        Board(tmp_path / "none")
