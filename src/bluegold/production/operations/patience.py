"""Patience: how long a worker may show no pulse before it counts as hung.

The limit depends on what the kernel says about the silent process, because a busy machine must not lose healthy
workers: one that is stopped will not come back by itself, one whose threads all sleep is stuck, one that is
computing or waits for its turn on a processor may only be late.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

__all__ = ["Condition", "Patience", "condition"]

Condition = Literal["stopped", "asleep", "busy", "gone"]
MS = 1_000_000


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Limits in nanoseconds of silence; a worker beats every 20 ms.

    Example:
        >>> Patience().limit("stopped") < Patience().limit("asleep") < Patience().limit("busy")
        True
        >>> Patience.scaled(2.0).suspect == 2 * Patience().suspect
        True
    """

    suspect: int = 70 * MS
    stopped: int = 90 * MS
    asleep: int = 250 * MS
    busy: int = 1_000 * MS
    loading: int = 30_000 * MS

    @classmethod
    def scaled(cls, factor: float) -> Patience:
        """The default limits, that many times as long."""
        default = cls()
        return cls(**{name: int(getattr(default, name) * factor) for name in cls.__struct_fields__})

    def limit(self, found: Condition) -> int:
        """Nanoseconds after which a worker in this condition is replaced."""
        return {"stopped": self.stopped, "asleep": self.asleep, "busy": self.busy, "gone": self.stopped}[found]


def condition(pid: int) -> Condition:
    """What the threads of a process are doing.

    Example:
        >>> import os
        >>> condition(os.getpid())
        'busy'
    """
    try:
        states = {_state(thread / "stat") for thread in Path(f"/proc/{pid}/task").iterdir()}
        main = _state(Path(f"/proc/{pid}/stat"))
    except OSError:
        return "gone"
    if main in {"T", "t"}:
        return "stopped"
    return "busy" if "R" in states or main == "D" else "asleep"


def _state(stat: Path) -> str:
    return stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
