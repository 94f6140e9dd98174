"""One step to the safe configuration, whatever was going on; doing it again changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bluegold.core.errors import ForbiddenTransition, IntegrityError, RegistryError
from bluegold.core.nouns import ModelVersion, TrafficSplit
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry

Add = Callable[..., ModelVersion]


def traffic(registry: Registry, **values: object) -> TrafficSplit:
    return registry.traffic.set(TrafficSplit(model="flights", revision=0, **values))  # type: ignore[arg-type] # by name


@pytest.mark.parametrize(("stage", "mode", "share"), [("Staging", "shadow", 0.0), ("Canary", "canary", 0.25)])
def test_gold_is_cut_off_and_loudly_rolled_back(
    registry: Registry, add: Add, stage: str, mode: str, share: float
) -> None:
    add("Production")
    add(stage)
    traffic(registry, blue="v1", gold="v2", mode=mode, gold_share=share, sticky_by="carrier")
    split = registry.restore("flights", actor="automatic", reason="gold is wrong")
    assert (split.blue, split.gold, split.mode, split.gold_share) == ("flights:v1", "", "off", 0.0)
    assert (split.set_by, split.reason, split.sticky_by) == ("automatic", "gold is wrong", "carrier")
    assert registry.versions.get("v2").stage == "RolledBack"
    last = registry.lifecycle.history()[-1]
    assert (last.ref, last.actor, last.reason) == ("flights:v2", "automatic", "gold is wrong")


def test_doing_it_again_changes_nothing_but_is_recorded(registry: Registry, add: Add) -> None:
    add("Production")
    first = registry.restore("flights")
    again = registry.restore("flights")
    assert first == again == registry.traffic.current("flights")
    outcomes = [e.outcome for e in registry.audit.events(subject="flights")]
    assert outcomes == ["restored", "already safe"]
    assert registry.audit.verify().ok


def test_production_goes_back_to_a_named_version(registry: Registry, add: Add) -> None:
    add("Production")
    add("Canary")
    registry.promote("v2")
    split = registry.restore("flights", to="v1", actor="ben", reason="complaints")
    assert split.blue == "flights:v1"
    assert {v.version: v.stage for v in registry.versions.list()} == {"v1": "Production", "v2": "RolledBack"}
    assert registry.restore("flights", to="flights:v1") == split


def test_without_a_production_it_is_the_last_one_that_was(registry: Registry, add: Add) -> None:
    for _ in range(3):
        add("Production")
    registry.lifecycle.transition("v3", "RolledBack")
    assert registry.restore("flights").blue == "flights:v2"


def test_there_may_be_nothing_to_go_back_to(registry: Registry, add: Add) -> None:
    add("Canary")
    with pytest.raises(RegistryError, match="none was ever in production"):
        registry.restore("flights")
    assert registry.traffic.current("flights") is None


def test_only_a_version_that_was_in_production_is_safe(registry: Registry, add: Add) -> None:
    add("Production")
    add("Canary")
    with pytest.raises(ForbiddenTransition, match="its stage is Canary"):
        registry.restore("flights", to="v2")
    add(model="income")
    with pytest.raises(RegistryError, match="no version of 'flights'"):
        registry.restore("flights", to="income:v1")


def test_a_version_that_does_not_verify_is_not_gone_back_to(registry: Registry, add: Add, space: Workspace) -> None:
    old = add("Production", model_txt=b"tree\n")
    add("Canary")
    before = registry.promote("v2")
    (space.objects / old.artefacts["model.txt"][:2] / old.artefacts["model.txt"]).write_bytes(b"evil")
    for target in ("v1", "flights:v1"):
        with pytest.raises(IntegrityError, match=r"model\.txt"):
            registry.restore("flights", to=target)
    registry.lifecycle.transition("v2", "RolledBack")
    with pytest.raises(IntegrityError, match=r"model\.txt"):
        registry.restore("flights")
    assert registry.traffic.current("flights") == before


def test_gold_can_be_cut_off_even_if_an_artefact_of_blue_is_damaged(
    registry: Registry, add: Add, space: Workspace
) -> None:
    blue = add("Production", model_txt=b"tree\n")
    add("Canary")
    traffic(registry, blue="v1", gold="v2", mode="canary", gold_share=0.5)
    (space.objects / blue.artefacts["model.txt"][:2] / blue.artefacts["model.txt"]).unlink()
    assert registry.restore("flights").gold == ""
