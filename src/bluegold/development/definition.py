"""The parts of a system's definition as digests: what a stage's key covers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import polars as pl

from bluegold.development.digests import sha256_json
from bluegold.features.system import System

__all__ = ["PARTS", "definition"]

#: names of the parts that stages may read
PARTS = (
    "calibration",
    "contract",
    "ensemble",
    "entity",
    "fairness",
    "features",
    "folds",
    "histories",
    "kept_program",
    "lookups",
    "models",
    "name",
    "plan",
    "protected",
    "source_text",
    "split",
    "target",
    "task",
    "time",
    "vectors",
)


def definition(system: System) -> dict[str, str]:
    """The digest of every part of a definition.

    Args:
        system: the definition.

    Returns:
        Part name (see :data:`PARTS`) -> sha256.

    Example:
        >>> from bluegold.features.contract import Contract, number
        >>> class Row(Contract):
        ...     x: float = number()
        >>> one = definition(System("one", contract=Row, target=pl.col("y") > 0))
        >>> two = definition(System("one", contract=Row, target=pl.col("y") > 1))
        >>> [part for part in PARTS if one[part] != two[part]]
        ['target']
    """
    found: dict[str, Any] = {part: getattr(system, part, None) for part in PARTS}
    found["fairness"], found["ensemble"] = system.plan.fairness, system.plan.ensemble
    if any(_is_module(value) for choice in system.models for value in choice.params.values()):
        found["models"] = [system.models, system.source_text]  # how a module computes is said by the source alone
    return {part: sha256_json(_plain(value)) for part, value in found.items()}


def _is_module(value: Any) -> bool:
    """Whether a value is a network of PyTorch, told without loading it."""
    return hasattr(value, "named_modules") and hasattr(value, "state_dict")


def _plain(value: Any) -> Any:
    """Nested definitions as plain data with one spelling for every meaning."""
    if _is_module(value):
        return str(value)
    if isinstance(value, pl.Expr):
        return value.meta.serialize(format="json")
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dict__"):
        return {"is": type(value).__name__, **_plain(vars(value))}
    return value
