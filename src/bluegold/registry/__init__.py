"""S4 model registry: versions, lifecycle, approvals, gates, releases, traffic, restore and the audit chain.

``from bluegold.registry import Registry`` is the way in; it is loaded on first use, so that what serves a model
does not pay for what governs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bluegold.registry.registry import Registry

__all__ = ["Registry"]


def __getattr__(name: str) -> Any:
    if name == "Registry":
        from bluegold.registry.registry import Registry

        return Registry
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
