"""System modes: what the serving side as a whole is doing, as a state machine that is enforced.

Source: the seven modes follow Avila & Ahmad (2025), chapter 6.
"""

from __future__ import annotations

from typing import Literal

from bluegold.core.errors import ServingError
from bluegold.core.nouns import TrafficMode

__all__ = ["TRANSITIONS", "Mode", "SystemMode", "mode_for"]

Mode = Literal["configuring", "learning", "shadow", "executing", "monitoring", "updating", "degraded"]

TRANSITIONS: dict[Mode, tuple[Mode, ...]] = {
    "configuring": ("learning", "updating", "degraded"),
    "learning": ("updating", "degraded", "configuring"),
    "updating": ("executing", "shadow", "monitoring", "degraded", "configuring"),
    "executing": ("updating", "degraded", "configuring"),
    "shadow": ("updating", "degraded", "configuring"),
    "monitoring": ("updating", "degraded", "configuring"),
    "degraded": ("updating", "configuring"),
}
"""Mode -> the modes that may follow.  Every change of what answers passes through ``updating``:
configuring: starting, nothing is known yet · learning: no version is in production yet ·
executing: Blue answers alone · shadow: Gold listens · monitoring: Gold answers a share and is watched ·
degraded: the last good configuration answers because the one asked for cannot be had."""


def mode_for(traffic: TrafficMode) -> Mode:
    """The system mode that a traffic mode leads to.

    Example:
        >>> [mode_for(mode) for mode in ("off", "rehearsal", "shadow", "canary", "shift")]
        ['executing', 'executing', 'shadow', 'monitoring', 'monitoring']
    """
    if traffic in {"canary", "shift"}:
        return "monitoring"
    return "shadow" if traffic == "shadow" else "executing"


class SystemMode:
    """The present mode of one process.

    Example:
        >>> mode = SystemMode()
        >>> mode.enter("updating")
        >>> mode.enter("executing")
        >>> mode.now
        'executing'
    """

    def __init__(self) -> None:
        self.now: Mode = "configuring"

    def enter(self, mode: Mode) -> None:
        """Change the mode; staying is always allowed.

        Raises:
            ServingError: the table does not allow it.
        """
        if mode != self.now and mode not in TRANSITIONS[self.now]:
            raise ServingError(
                f"the system cannot go from '{self.now}' to '{mode}'",
                way_out=f"from there it may go to {', '.join(TRANSITIONS[self.now])}",
            )
        self.now = mode
