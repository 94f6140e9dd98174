"""Following: a thread that watches the traffic split and puts new lanes in place between two requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from bluegold.core.nouns import TrafficSplit
from bluegold.production.execution import FAULTS
from bluegold.production.lanes import Lanes
from bluegold.production.operations.board import Cell, Slot, State
from bluegold.production.operations.modes import SystemMode, mode_for
from bluegold.telemetry.log import Log

__all__ = ["Follower", "Place", "Waiting"]

_LOG = Log("production")


class Place(Protocol):
    """Where lanes are put in place, and the slot that shows it; ``blocked`` while nothing could be loaded."""

    current: Lanes | None
    blocked: bool
    slot: Slot


class Source(Protocol):
    """Builds lanes, and has something to fall back to."""

    def lanes(self, split: TrafficSplit) -> Lanes:
        """The lanes of a split."""

    def note(self, split: TrafficSplit) -> None:
        """A split answers now."""

    def safe(self) -> Lanes | None:
        """What may answer while nothing can be read."""


class Waiting:
    """The place of a worker that has no desk yet: it keeps the lanes that it will start with."""

    def __init__(self, slot: Slot) -> None:
        self.current: Lanes | None = None
        self.blocked = False
        self.slot = slot


class Follower(threading.Thread):
    """Polls the split and switches; what cannot be read or loaded leaves the last good lanes in place.

    Args:
        desk: where lanes are put in place.
        split: reads the present split, None before the first.
        source: builds the lanes of a split; what it kept answers when none could be read since the start.
        interval: seconds between two looks.
    """

    def __init__(
        self,
        desk: Place,
        split: Callable[[], TrafficSplit | None],
        source: Source,
        interval: float = 0.05,
    ) -> None:
        super().__init__(name="follower", daemon=True)
        self._desk = desk
        self._split = split
        self._source = source
        self._interval = interval
        self._stopping = threading.Event()
        self._mode = SystemMode()
        self._trouble = self._unkept = ""

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopping.wait(self._interval):
            self.look()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()

    @property
    def split(self) -> TrafficSplit | None:
        """The split that answers now."""
        current = self._desk.current
        return None if current is None else current.split

    def move(self, desk: Place) -> None:
        """Go on at another place, with what answers now."""
        desk.current, desk.blocked = self._desk.current, self._desk.blocked
        if desk.current is not None:
            desk.slot[Cell.REVISION] = desk.current.split.revision
        self._desk = desk  # a look that runs meanwhile puts its lanes there, or they are missed and loaded next time

    def look(self) -> None:
        """Look once, and switch when there is a new revision."""
        try:
            split = self._split()
            if split is None:
                self._desk.blocked = False
                self._settle(State.READY)
                return
            current = self._desk.current
            if current is None or current.split != split:
                self._mode.enter("updating")
                self._desk.current = self._loaded(split)  # the switch: one assignment
                self._desk.slot[Cell.REVISION] = split.revision
                self._source.note(split)
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
            if self._desk.current is None:
                self._fall_back()
                self._desk.blocked = self._desk.current is None
            self._trouble = str(error)
            self._mode.enter("degraded")
            self._settle(State.DEGRADED)

    def _fall_back(self) -> None:
        """Since the start nothing could be read: what was kept answers, if it verifies."""
        try:
            safe = self._source.safe()
        except FAULTS as error:
            if str(error) != self._unkept:
                _LOG.error("nothing that was kept can answer", because=str(error))
            self._unkept = str(error)
            return
        if safe is not None:
            self._desk.current = safe
            self._desk.slot[Cell.REVISION] = safe.split.revision
            _LOG.warning("the kept configuration answers", blue=safe.split.blue, revision=safe.split.revision)

    def _loaded(self, split: TrafficSplit) -> Lanes:
        """The lanes of a split; whoever watches this process is told that it may be busy for a while."""
        slot = self._desk.slot
        slot[Cell.LOADING] = 1
        try:
            return self._source.lanes(split)
        finally:
            slot[Cell.LOADING] = 0

    def _settle(self, state: State) -> None:
        slot = self._desk.slot
        if slot[Cell.STATE] in {State.READY, State.DEGRADED}:  # starting and draining are the worker's to end
            slot[Cell.STATE] = state
        if state is State.READY:
            self._trouble = ""
