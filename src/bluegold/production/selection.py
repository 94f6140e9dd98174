"""Selection: which model and which version is meant where none is named."""

from __future__ import annotations

from bluegold.core.errors import ServingError, StoreError, UsageError
from bluegold.core.workspace import Workspace
from bluegold.production.kept import kept_models
from bluegold.production.reaching import Reached
from bluegold.registry.registry import Registry

__all__ = ["in_production", "model_of", "served_model"]


def model_of(registry: Registry, model: str = "") -> str:
    """The named model, the only one there is, or the only one with a version in production.

    Raises:
        UsageError: there is no such model, none at all, or several and none was named.
    """
    models = sorted({version.model for version in registry.versions.list(limit=10_000)})
    if not models:
        raise UsageError("no version is registered", way_out="run 'bluegold develop' first")
    if model and model not in models:
        raise UsageError(f"there is no model '{model}'", way_out=f"choose one of {', '.join(models[:20])}")
    if model or len(models) == 1:
        return model or models[0]
    serving = [name for name in models if registry.lifecycle.production(name) is not None]
    if len(serving) != 1:
        raise UsageError(
            f"the workspace holds {len(models)} models", way_out=f"choose with --model: {', '.join(models[:20])}"
        )
    return serving[0]


def served_model(reached: Reached, workspace: Workspace, model: str = "") -> str:
    """The model to serve: as :func:`model_of`, or while the registry is gone the one whose configuration was kept.

    Raises:
        UsageError: there is no such model, or none or several and none was named.
        StoreError: the registry is gone and nothing was kept.
    """
    try:
        return model_of(reached.registry, model)
    except StoreError as error:
        kept = kept_models(workspace)
        if not kept:
            raise
        if model in kept or (not model and len(kept) == 1):
            return model or kept[0]
        raise UsageError(
            f"nothing was kept of '{model}'" if model else f"{len(kept)} models were kept",
            why=str(error),
            way_out=f"bring the registry back, or name one of: {', '.join(kept)}",
        ) from error


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
