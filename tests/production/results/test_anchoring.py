"""While a server runs, the ends of its decision logs reach the audit chain; a lost registry only delays that."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegold.production.operations.board import Board, Head
from bluegold.production.operations.supervisor import Supervisor
from bluegold.production.results.anchors import ACTION, check_anchors
from bluegold.production.results.segments import last_head


def waited(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 90
    while not what():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


@pytest.mark.slow
def test_no_acknowledged_line_stays_without_an_anchor(world: Any) -> None:
    world.promote("v1")
    space, registry = world.workspace, world.registry

    def anchored() -> bool:
        seen = registry.audit.latest(ACTION).get("decisions/worker-0")
        return seen is not None and seen.outcome == last_head(space.decisions, 0).digest

    with Supervisor(space, world.model, 0, 1, "127.0.0.1", "--anchor", "0.2") as endpoint:
        log, board = space.run / "anchor.log", Board(Path(endpoint.board))

        def ask() -> None:
            httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(1), timeout=60).raise_for_status()

        ask()
        waited(anchored)
        away = space.database.with_name("away.db")
        space.database.rename(away)  # the registry is lost; answers go on
        waited(lambda: "not anchored for now" in log.read_text())
        ask()
        away.rename(space.database)
        waited(lambda: "anchored again" in log.read_text())
        waited(anchored)
        first = board[Head.ANCHOR]
        os.kill(first, signal.SIGKILL)
        ask()
        waited(lambda: board[Head.ANCHOR] not in {0, first})
        waited(anchored)
    assert check_anchors(registry, space.decisions).ok
    assert registry.audit.verify().ok
    [path] = (space.decisions / "worker-0").glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert "is not there as it was" in check_anchors(registry, space.decisions).first_bad
