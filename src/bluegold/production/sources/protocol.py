"""What a source of events does: hand out events in order, and remember how far they were dealt with."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Event", "EventSource"]


class Event(NamedTuple):
    """One event: its place in the source, from which its identity is made, and its bytes."""

    offset: int
    body: bytes


class EventSource(Protocol):
    """Events in ascending order of their offsets; after a restart those behind the last commit come again."""

    name: str
    """Identity of the source, the same in every run; part of every result's id."""

    async def fetch(self, after: int, most: int) -> list[Event] | None:
        """The next events behind an offset (at most ``most``), an empty list while there are none, None at the end."""

    async def commit(self, offset: int) -> None:
        """Everything up to this offset was dealt with, durably."""

    async def close(self) -> None:
        """Give back what the source holds."""
