"""Reloading: every worker replaced by one that was started from what is on the disk now, without a gap."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator
from typing import Protocol

from bluegold.production.operations.board import Cell, State
from bluegold.production.operations.seats import Seat, Standby
from bluegold.production.operations.watched import Watched
from bluegold.telemetry.log import Log

__all__ = ["Reloaded", "reload"]

_LOG = Log("supervisor")
START_S = 30.0

Steps = Generator[None, None, None]


class Reloaded(Protocol):
    """The part of a guard that reloading needs."""

    seats: list[Seat]
    standby: Standby | None

    def fetch_standby(self) -> Standby:
        """Start a worker that stands by."""

    def retire(self, seat: Seat) -> Watched | None:
        """Take its worker off a seat."""

    def staff(self, seat: Seat, now: float) -> None:
        """Put somebody on a vacant seat."""


def reload(guard: Reloaded) -> Steps:
    """Replace the workers one after the other; yields whenever it has to wait.

    Each step can be given up: a seat whose worker does not hand over, or whose successor does not come, is left to
    the guard, which staffs vacant seats anyway.
    """
    began = time.monotonic()
    if guard.standby is not None:
        guard.standby.dismiss()  # it was started from what was on the disk before
        yield from _until(lambda: guard.standby is None)
    for seat in guard.seats:
        if guard.standby is None:
            guard.fetch_standby()
        yield from _until(lambda: guard.standby is None or guard.standby.ready)
        if guard.standby is None or not (yield from _hands_over(seat)):
            _LOG.error("worker was not reloaded", worker=seat.number)
            continue
        guard.retire(seat)
        guard.staff(seat, time.monotonic())
        if seat is not guard.seats[-1]:
            guard.fetch_standby()
        yield from _until(lambda seat=seat: seat.serving)  # type: ignore[misc] # mypy knows no default of a lambda
    _LOG.info("reloaded", workers=len(guard.seats), seconds=round(time.monotonic() - began, 2))


def _hands_over(seat: Seat) -> Generator[None, None, bool]:
    """Ask the worker of a seat to hand it over; whether it does."""
    process, leaving = seat.process, seat.leaving
    if process is None:
        return False

    def gone() -> bool:
        return seat.process is not process

    def ready() -> bool:
        return leaving[Cell.PID] == process.pid and leaving[Cell.STATE] == State.DRAINING

    process.send(signal.SIGUSR1)
    yield from _until(lambda: gone() or ready())
    return ready() and not gone()


def _until(holds: Callable[[], bool]) -> Steps:
    deadline = time.monotonic() + START_S
    while not holds() and time.monotonic() < deadline:
        yield
