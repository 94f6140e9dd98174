"""Requests that wait together: what one turn of the event loop brought is decided in one go.

Nobody is kept waiting for company.  While a costly call is made, other requests arrive; the next turn of the loop
reads all of them, and they share the next call.  So an idle server answers at once, and a busy one makes fewer calls
the busier it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["MOST_TOGETHER", "Waiting", "after_turn"]

#: requests that are decided in one go; the rest waits for the next turn
MOST_TOGETHER = 64


class Waiting:
    """Collects what arrives in one turn of the event loop.

    Args:
        go: is given what waits, at most :data:`MOST_TOGETHER` at a time, in the order of arrival.

    Example:
        >>> async def two() -> list[list[str]]:
        ...     turns: list[list[str]] = []
        ...     waiting = Waiting(turns.append)
        ...     waiting.add("a")
        ...     waiting.add("b")
        ...     await asyncio.sleep(0)
        ...     return turns
        >>> asyncio.run(two())
        [['a', 'b']]
    """

    def __init__(self, go: Callable[[list[Any]], None]) -> None:
        self._go = go
        self._here: list[Any] = []

    def add(self, item: Any) -> None:
        """One more; call it on the event loop."""
        self._here.append(item)
        if len(self._here) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        now, self._here = self._here[:MOST_TOGETHER], self._here[MOST_TOGETHER:]
        if self._here:
            asyncio.get_running_loop().call_soon(self._turn)
        self._go(now)


def after_turn(call: Callable[[], None]) -> bool:
    """Have ``call`` called when this turn of the event loop is over; False where no event loop runs.

    Example:
        >>> after_turn(print)
        False
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False
    loop.call_soon(call)
    return True
