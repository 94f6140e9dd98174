"""Hosting: the application of a workspace inside somebody else's server process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bluegold.core.errors import ServingError
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.production.app import App
from bluegold.production.canary import canary_token
from bluegold.production.desk import Desk
from bluegold.production.following import Follower
from bluegold.production.gatekeeper import Gatekeeper
from bluegold.production.loading import Loader
from bluegold.production.operations.board import Board, Cell, State
from bluegold.production.remembering import Memory
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.production.selection import model_of
from bluegold.production.worker import views
from bluegold.registry.registry import Registry
from bluegold.security.identities import Identities
from bluegold.security.sealing import KeyRing
from bluegold.stores.key_value_lmdb import KeyValueLmdb

__all__ = ["hosted"]

FIRST, MOST = 9_000, 64
"""Numbers of the decision logs of hosted processes; those of supervised workers count from 0."""

BEAT_S = 0.05


@contextlib.contextmanager
def hosted(workspace: Path | None = None, model: str = "") -> Iterator[App]:
    """The application of one model, following the traffic split, until the context ends.

    Args:
        workspace: the workspace; that of the settings when not given.
        model: the model; the only one there is when not given.

    Raises:
        BluegoldError: the workspace cannot be opened, or 64 processes host it already.
    """
    space = Workspace.open(workspace or settings().workspace)
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(Registry.open(space, actor="automatic:serving"))
        name = model_of(registry, model)
        place = stack.enter_context(_place(space.run))
        board = Board.create(space.run / f"hosted-{place}", workers=1)
        slot = board.slot(0)
        slot.begin(os.getpid())
        online = KeyValueLmdb(space.online, durable=False)
        stack.callback(online.close)
        memory = Memory()
        log = DecisionLog(space.decisions, FIRST + place)
        stack.callback(log.close)
        reader = DecisionReader(space.decisions)
        desk = Desk(name, log, reader, slot, canary_token(space.keys), memory.observe)
        desk.ring = KeyRing(space.keys)
        desk.gate = Gatekeeper(Identities.open(space))
        follower = Follower(desk, lambda: registry.traffic.current(name), Loader(registry, online, keys=space.keys))
        follower.look()
        for thread in (memory, follower):
            thread.start()
            stack.callback(thread.stop)
        stack.enter_context(_beating(desk))
        slot[Cell.STATE] = State.READY
        yield App(desk, views(board, lambda: registry, name))
        slot[Cell.STATE] = State.DRAINING


@contextlib.contextmanager
def _place(folder: Path) -> Iterator[int]:
    """A number that no other living process has."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(MOST):
        with (folder / f"hosted-{number}.lock").open("wb") as lock:
            if _locked(lock):
                yield number
                return
    raise ServingError(f"{MOST} processes host this workspace already", way_out="stop some of them")


def _locked(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _beating(desk: Desk) -> Iterator[None]:
    """A pulse on the board; it shows that the process lives, not that its server's loop turns."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_S):
            desk.slot.beat()

    thread = threading.Thread(target=beat, name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
