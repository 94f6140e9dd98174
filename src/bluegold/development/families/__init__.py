"""Families of models: one file each, all trained and asked in the same way."""

from __future__ import annotations

from bluegold.core.errors import DefinitionError
from bluegold.development.families import lightgbm, logistic
from bluegold.development.families.family import Family, Fitted, Training

__all__ = ["FAMILIES", "Family", "Fitted", "Training", "family"]

#: name in ``system.model(name)`` -> how it is trained
FAMILIES: dict[str, Family] = {
    "lightgbm": Family(name="lightgbm", aliases=lightgbm.ALIASES, defaults=lightgbm.DEFAULTS, fit=lightgbm.fit),
    "logistic": Family(name="logistic", aliases=logistic.ALIASES, defaults=logistic.DEFAULTS, fit=logistic.fit),
}


def family(name: str) -> Family:
    """The family of that name.

    Raises:
        DefinitionError: there is no such family.

    Example:
        >>> family("logistic").name
        'logistic'
    """
    try:
        return FAMILIES[name]
    except KeyError:
        raise DefinitionError(
            f"there is no model family '{name}'", way_out=f"use one of {', '.join(sorted(FAMILIES))}", subject=name
        ) from None
