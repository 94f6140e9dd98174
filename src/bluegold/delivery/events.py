"""What a delivery says while it runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from bluegold.core.nouns import Noun

__all__ = ["DeliveryEvent", "OnEvent"]


class DeliveryEvent(Noun, frozen=True, kw_only=True):
    """One thing that happened in a release: a phase began, a gate spoke, evidence came in, or it went wrong.

    ``level`` is ``loud`` for what nobody may overlook.  ``data`` holds the numbers.
    """

    ref: str
    phase: str
    text: str
    at: dt.datetime
    level: Literal["step", "note", "loud"] = "step"
    share: float = 0.0
    data: dict[str, Any] = msgspec.field(default_factory=dict)


OnEvent = Callable[[DeliveryEvent], None]
