"""S1 development pipeline: data -> registered version, eight stages with contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bluegold.development.pipeline import develop
    from bluegold.development.stage import StageEvent

__all__ = ["StageEvent", "develop"]


def __getattr__(name: str) -> Any:
    """Load on first use, so that naming the room costs nothing."""
    if name == "develop":
        from bluegold.development.pipeline import develop

        return develop
    if name == "StageEvent":
        from bluegold.development.stage import StageEvent

        return StageEvent
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
