"""Families of models: one file each, all trained and asked in the same way."""

from __future__ import annotations

from bluegold.core.errors import DefinitionError
from bluegold.development.families import lightgbm, linear, logistic, sklearn, through_onnx, torch, xgboost
from bluegold.development.families.family import Family, Fitted, Training

__all__ = ["FAMILIES", "Family", "Fitted", "Training", "family"]

#: name in ``system.model(name)`` -> how it is trained
FAMILIES: dict[str, Family] = {
    "extra_trees": Family(
        name="extra_trees", aliases={}, defaults=through_onnx.FOREST, fit=through_onnx.fit_extra_trees
    ),
    "lightgbm": Family(name="lightgbm", aliases=lightgbm.ALIASES, defaults=lightgbm.DEFAULTS, fit=lightgbm.fit),
    "linear": Family(
        name="linear", aliases=linear.ALIASES, defaults=linear.DEFAULTS, fit=linear.fit, tasks=("regression",)
    ),
    "logistic": Family(
        name="logistic",
        aliases=logistic.ALIASES,
        defaults=logistic.DEFAULTS,
        fit=logistic.fit,
        tasks=("binary", "multiclass"),
    ),
    "neural_network": Family(
        name="neural_network", aliases={}, defaults=through_onnx.NETWORK, fit=through_onnx.fit_network
    ),
    "random_forest": Family(
        name="random_forest", aliases={}, defaults=through_onnx.FOREST, fit=through_onnx.fit_forest
    ),
    "sklearn": Family(name="sklearn", aliases={}, defaults={}, fit=sklearn.fit, settled=sklearn.settle),
    "torch": Family(name="torch", aliases={}, defaults=torch.DEFAULTS, fit=torch.fit, settled=torch.settle),
    "xgboost": Family(name="xgboost", aliases=xgboost.ALIASES, defaults=xgboost.DEFAULTS, fit=xgboost.fit),
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
