"""bluegold: architecture you can run.

A definition imports everything it needs from here::

    import bluegold as bg

    class Payment(bg.Contract):
        amount: float = bg.number(ge=0, unit="EUR")

The names are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bluegold._version import __version__

if TYPE_CHECKING:
    from bluegold.features.contract import Contract, array, category, flag, number, rule, text, time
    from bluegold.features.loader import load_system
    from bluegold.features.splits import by_column, by_share, by_time
    from bluegold.features.system import Data, System

__all__ = [
    "Contract",
    "Data",
    "System",
    "__version__",
    "array",
    "by_column",
    "by_share",
    "by_time",
    "category",
    "flag",
    "load_system",
    "number",
    "rule",
    "text",
    "time",
]

_HOMES = {
    **dict.fromkeys(
        ("Contract", "array", "category", "flag", "number", "rule", "text", "time"), "bluegold.features.contract"
    ),
    **dict.fromkeys(("Data", "System"), "bluegold.features.system"),
    **dict.fromkeys(("by_column", "by_share", "by_time"), "bluegold.features.splits"),
    "load_system": "bluegold.features.loader",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bluegold' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
