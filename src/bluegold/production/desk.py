"""The desk: what one serving process works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bluegold.features.online import OnlineStore
from bluegold.production.gatekeeper import Gatekeeper
from bluegold.production.lanes import Lanes
from bluegold.production.messages import Problem
from bluegold.production.operations.board import Cell, Slot
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.production.results.records import DecisionRecord
from bluegold.security.sealing import KeyRing

__all__ = ["Desk", "identity"]

Observe = Callable[[tuple[OnlineStore, ...], str, dict[str, Any]], None]


class Desk:
    """Shared by the handlers of one worker.

    :attr:`ring` opens personal values for callers who may see them; without it nobody sees more than pseudonyms.
    What changes is :attr:`current`, and when the worker hands its seat over, :attr:`slot` and :attr:`leaving`: the
    connections it still has are to end then.

    Args:
        model: name of the model that is served.
        log: where decisions become durable.
        reader: where decisions are read again, of all workers.
        slot: this worker's part of the board, its pulse and counters.
        token: proof that a caller may send known-answer canary records.
        observe: tells the online stores about an answered row (its identity and values); None to leave no trace.
    """

    def __init__(
        self,
        model: str,
        log: DecisionLog,
        reader: DecisionReader,
        slot: Slot,
        token: str,
        observe: Observe | None,
    ) -> None:
        self.model = model
        self.log = log
        self.reader = reader
        self.slot = slot
        self.token = token
        self.current: Lanes | None = None
        self.blocked = False
        self.leaving = False
        self.behind_edge = False
        self.gate: Gatekeeper | None = None
        self.ring: KeyRing | None = None
        self._observe = observe

    @property
    def lanes(self) -> Lanes:
        """What answers now.

        Raises:
            Problem: 503 while no version is in production, or none that can be loaded.
        """
        if self.current is None:
            if self.blocked:
                raise Problem(
                    503,
                    f"the version of '{self.model}' that is in production cannot be loaded",
                    way_out="the server's log says why; 'bluegold rollback' takes the version before it",
                    headers=(("retry-after", "5"),),
                )
            raise Problem(
                503,
                f"no version of '{self.model}' is in production yet",
                way_out="deliver one with 'bluegold deliver', then ask again",
                headers=(("retry-after", "5"),),
            )
        return self.current

    def remember(self, lanes: Lanes, records: list[DecisionRecord], values: list[dict[str, Any]]) -> None:
        """Count answered rows and let the history features of later rows know them."""
        stores = lanes.stores
        for record, row in zip(records, values, strict=True):
            if self._observe is not None:
                self._observe(stores, identity(record), row)
            if record.color == "gold":
                self.slot.add(Cell.GOLD_DECISIONS)
            if record.error:
                self.slot.add(Cell.GOLD_ERRORS)
        self.slot.add(Cell.DECISIONS, len(records))


def identity(record: DecisionRecord) -> str:
    """What makes two answered rows the same event: the caller's request id and the row, else the decision's id."""
    return f"{record.request} {record.input_digest}" if record.request else record.id
