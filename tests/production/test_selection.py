"""Which model is meant when none is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegold.core.errors import UsageError
from bluegold.core.nouns import Lineage
from bluegold.core.workspace import Workspace
from bluegold.production.selection import model_of
from bluegold.registry import Registry


def test_the_only_one_in_production_is_meant(tmp_path: Path) -> None:
    lineage = Lineage(
        code="c" * 40, data="d" * 64, features="f" * 64, parameters={}, environment="e" * 64, seeds={}, run_id="r"
    )
    with Registry.open(Workspace.create(tmp_path / "workspace"), actor="ada") as registry:
        with pytest.raises(UsageError, match="no version is registered"):
            model_of(registry)
        for model in ("flights", "parcels"):
            registry.versions.register(model, {"notes.txt": b"a"}, lineage, {}, author="ada")
        with pytest.raises(UsageError, match="choose with --model: flights, parcels"):
            model_of(registry)
        for stage in ("Staging", "Canary", "Production"):
            registry.lifecycle.transition("parcels:v1", stage, reason="test")
        assert model_of(registry) == "parcels"
        assert model_of(registry, "flights") == "flights"
        with pytest.raises(UsageError, match="there is no model 'trains'"):
            model_of(registry, "trains")
        for stage in ("Staging", "Canary", "Production"):
            registry.lifecycle.transition("flights:v1", stage, reason="test")
        with pytest.raises(UsageError, match="the workspace holds 2 models"):
            model_of(registry)
