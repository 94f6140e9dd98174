"""The stream consumer's process side: a desk of its own that follows the traffic split like any worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bluegold.core.errors import ServingError
from bluegold.core.workspace import Workspace
from bluegold.production.canary import canary_token
from bluegold.production.desk import Desk
from bluegold.production.following import Follower
from bluegold.production.loading import Loader
from bluegold.production.operations.board import Board, Cell, State
from bluegold.production.remembering import Memory
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.registry.registry import Registry
from bluegold.stores.key_value_lmdb import KeyValueLmdb

__all__ = ["WORKER", "stream_desk"]

WORKER = 9000
"""Worker number of the stream consumer in the decision log; HTTP workers count from 0."""


@contextlib.contextmanager
def stream_desk(workspace: Workspace, registry: Registry, model: str) -> Iterator[Desk]:
    """A desk for streaming; there is one consumer a workspace at a time.

    Raises:
        ServingError: another consumer is at work.
        Problem: no version is in production.
    """
    with contextlib.ExitStack() as undo:
        undo.enter_context(_alone(workspace.run / "stream.lock"))
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(dir=workspace.run, prefix="stream-")))
        slot = Board.create(folder / "board", workers=1).slot(0)
        slot.begin(os.getpid())
        slot[Cell.STATE] = State.READY
        online = KeyValueLmdb(workspace.online, durable=False)
        undo.callback(online.close)
        log = DecisionLog(workspace.decisions, WORKER)
        undo.callback(log.close)
        memory = Memory()
        undo.callback(memory.stop)
        reader = DecisionReader(workspace.decisions)
        desk = Desk(model, log, reader, slot, canary_token(workspace.keys), memory.observe)
        loader = Loader(registry, online, keys=workspace.keys)
        follower = Follower(desk, lambda: registry.traffic.current(model), loader)
        follower.look()
        _ = desk.lanes  # says so when nothing is in production
        follower.start()
        undo.callback(follower.stop)
        memory.start()
        yield desk


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServingError(
                f"another consumer streams in '{path.parent.parent}'", way_out="stop it, or wait until it has finished"
            ) from error
        yield
