"""An untrained scikit-learn estimator as plain data, and back: what identifies it, and what makes it again.

Only classes of installed packages can be named; a trained estimator is never read, stored or needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from bluegold.core.errors import DefinitionError

__all__ = ["built", "recipe"]

CLASS, PARAMS, TUPLE = "class", "params", "tuple"
DEEPEST = 12


def recipe(estimator: Any, depth: int = 0) -> Any:
    """An estimator, with the estimators inside it, as plain data.

    Args:
        estimator: an object with ``get_params``, a plain value, or a list or tuple of these.
        depth: how deep the value lies inside the one that was given.

    Raises:
        DefinitionError: a parameter cannot be written down, or a class belongs to no installed package.

    Example:
        >>> from sklearn.linear_model import Ridge
        >>> recipe(Ridge(alpha=2.0))["class"], recipe(Ridge(alpha=2.0))["params"]["alpha"]
        ('sklearn.linear_model._ridge.Ridge', 2.0)
    """
    if depth > DEEPEST:
        raise _refused("it is nested too deeply", "build it of fewer parts")
    if isinstance(estimator, np.generic):
        estimator = estimator.item()
    if estimator is None or isinstance(estimator, bool | int | float | str):
        return estimator
    if isinstance(estimator, tuple):
        return {TUPLE: [recipe(part, depth + 1) for part in estimator]}
    if isinstance(estimator, list):
        return [recipe(part, depth + 1) for part in estimator]
    if hasattr(estimator, "get_params") and not isinstance(estimator, type):
        kind = type(estimator)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if _found(name) is not kind:
            raise _refused(
                f"its class {kind.__qualname__} is not part of an installed package",
                "use an estimator of scikit-learn: what serves it has to know it",
            )
        inside = estimator.get_params(deep=False)
        return {CLASS: name, PARAMS: {key: recipe(value, depth + 1) for key, value in sorted(inside.items())}}
    raise _refused(
        f"a parameter of it is {str(estimator)[:60]!r}, of type {type(estimator).__name__}",
        "use numbers, texts, lists and other estimators only",
    )


def built(made: Any) -> Any:
    """The estimator (or value) that a recipe describes, untrained.

    Args:
        made: what :func:`recipe` gave, also after a journey through JSON.

    Raises:
        DefinitionError: a class is not installed here, or it refuses its parameters.

    Example:
        >>> from sklearn.linear_model import Ridge
        >>> built(recipe(Ridge(alpha=2.0)))
        Ridge(alpha=2.0)
    """
    if isinstance(made, list):
        return [built(part) for part in made]
    if not isinstance(made, Mapping):
        return made
    if TUPLE in made:
        return tuple(built(part) for part in made[TUPLE])
    kind = _found(made[CLASS])
    if kind is None or not hasattr(kind, "get_params"):
        raise _refused(f"there is no estimator '{made[CLASS]}' here", "install the package it comes from")
    try:
        return kind(**{key: built(value) for key, value in made[PARAMS].items()})
    except (TypeError, ValueError) as error:
        raise _refused(str(error), "correct its parameters") from error


def _found(name: str) -> Any:
    module, _, kind = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), kind, None)
    except ImportError:
        return None


def _refused(why: str, way_out: str) -> DefinitionError:
    return DefinitionError(
        "the estimator of model family 'sklearn' cannot be used", why=why, way_out=way_out, subject="sklearn"
    )
