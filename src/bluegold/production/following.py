"""Following: a thread that watches the traffic split and puts new lanes in place between two requests."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bluegold.core.nouns import TrafficSplit
from bluegold.production.desk import Desk
from bluegold.production.execution import FAULTS
from bluegold.production.lanes import Lanes
from bluegold.production.operations.board import Cell, State
from bluegold.production.operations.modes import SystemMode, mode_for
from bluegold.telemetry.log import Log

__all__ = ["Follower"]

_LOG = Log("production")


class Follower(threading.Thread):
    """Polls the split and switches; what cannot be read or loaded leaves the last good lanes in place.

    Args:
        desk: where lanes are put in place.
        split: reads the present split, None before the first.
        lanes: builds the lanes of a split.
        interval: seconds between two looks.
    """

    def __init__(
        self,
        desk: Desk,
        split: Callable[[], TrafficSplit | None],
        lanes: Callable[[TrafficSplit], Lanes],
        interval: float = 0.05,
    ) -> None:
        super().__init__(name="follower", daemon=True)
        self._desk = desk
        self._split = split
        self._lanes = lanes
        self._interval = interval
        self._stopping = threading.Event()
        self._mode = SystemMode()
        self._trouble = ""

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopping.wait(self._interval):
            self.look()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()

    def look(self) -> None:
        """Look once, and switch when there is a new revision."""
        try:
            split = self._split()
            if split is None:
                self._settle(State.READY)
                return
            current = self._desk.current
            if current is None or current.split.revision != split.revision:
                self._mode.enter("updating")
                self._desk.current = self._lanes(split)  # the switch: one assignment
                self._desk.slot[Cell.REVISION] = split.revision
                _LOG.info(
                    "traffic applied", revision=split.revision, blue=split.blue, gold=split.gold or "-", mode=split.mode
                )
            if self._mode.now in {"updating", "degraded"}:
                self._mode.enter("updating")
                self._mode.enter(mode_for(split.mode))
            self._settle(State.READY)
        except FAULTS as error:
            if str(error) != self._trouble:
                _LOG.error("the last good configuration goes on", because=str(error))
            self._trouble = str(error)
            self._mode.enter("degraded")
            self._settle(State.DEGRADED)

    def _settle(self, state: State) -> None:
        slot = self._desk.slot
        if slot[Cell.STATE] in {State.READY, State.DEGRADED}:  # starting and draining are the worker's to end
            slot[Cell.STATE] = state
        if state is State.READY:
            self._trouble = ""
