"""Selection: which model and which version is meant where none is named."""

from __future__ import annotations

from bluegold.core.errors import ServingError, UsageError
from bluegold.registry.registry import Registry

__all__ = ["in_production", "model_of"]


def model_of(registry: Registry, model: str = "") -> str:
    """The named model, or the only one there is.

    Raises:
        UsageError: there is no such model, none at all, or several and none was named.
    """
    models = sorted({version.model for version in registry.versions.list(limit=10_000)})
    if not models:
        raise UsageError("no version is registered", way_out="run 'bluegold develop' first")
    if model and model not in models:
        raise UsageError(f"there is no model '{model}'", way_out=f"choose one of {', '.join(models[:20])}")
    if not model and len(models) > 1:
        raise UsageError(
            f"the workspace holds {len(models)} models", way_out=f"choose with --model: {', '.join(models[:20])}"
        )
    return model or models[0]


def in_production(registry: Registry, model: str = "") -> str:
    """Full reference of the version in production.

    Raises:
        UsageError: as :func:`model_of`.
        ServingError: no version of the model is in production.
    """
    name = model_of(registry, model)
    change = registry.lifecycle.production(name)
    if change is None:
        raise ServingError(
            f"no version of '{name}' is in production",
            way_out="deliver one with 'bluegold deliver', or name a version",
        )
    return change.ref
