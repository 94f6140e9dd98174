"""Versions: numbered, found, verified; whatever was changed is named before it is used."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from bluegold.core.errors import IntegrityError, RegistryError, UnknownVersion
from bluegold.core.nouns import Lineage, ModelVersion
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.audit import Audit

Add = Callable[..., ModelVersion]


def replace_in_body(registry: Registry, old: str, new: str) -> None:
    with registry.audit.store.write() as connection:
        statement = text("UPDATE versions SET body = replace(body, :old, :new)")
        assert connection.execute(statement, {"old": old, "new": new}).rowcount == 1


def test_versions_are_numbered_per_model_and_found_by_name(registry: Registry, add: Add) -> None:
    first, second, other = add(), add(), add(model="income")
    assert [v.ref for v in (first, second, other)] == ["flights:v1", "flights:v2", "income:v1"]
    assert registry.versions.get("flights:v2") == second
    assert registry.versions.get("v2") == second
    assert [v.ref for v in registry.versions.list()] == ["income:v1", "flights:v2", "flights:v1"]
    assert [v.ref for v in registry.versions.list("flights", limit=1)] == ["flights:v2"]
    assert registry.versions.list(stage="Production") == ()


def test_an_unknown_or_ambiguous_version_lists_what_exists(registry: Registry, add: Add) -> None:
    with pytest.raises(UnknownVersion, match="none yet"):
        registry.versions.get("v1")
    add()
    add(model="income")
    with pytest.raises(UnknownVersion, match=r"income:v1, flights:v1"):
        registry.versions.get("flights:v9")
    with pytest.raises(UnknownVersion, match=r"several.*flights:v1.*income:v1"):
        registry.versions.get("v1")


def test_registering_the_same_content_again_is_the_same_version(registry: Registry, add: Add) -> None:
    first = add()
    again = registry.versions.register("flights", {"notes.txt": b"version 1"}, first.lineage, {"auc": 0.1}, "ben")
    assert again == first
    assert len(registry.versions.list()) == 1


def test_a_version_holds_what_was_registered(registry: Registry, add: Add) -> None:
    version = add(model_txt=b"tree\n", decision_json=b"{}")
    assert registry.versions.artefact("v1", "model.txt") == b"tree\n"
    assert registry.versions.artefacts("v1") == {
        "decision.json": b"{}",
        "model.txt": b"tree\n",
        "notes.txt": b"version 1",
    }
    assert version.lineage.seeds == {"numpy": 7}
    with pytest.raises(RegistryError, match=r"decision\.json, model\.txt, notes\.txt"):
        registry.versions.artefact("v1", "nothing.txt")


def test_a_flipped_byte_names_the_file(registry: Registry, add: Add, space: Workspace) -> None:
    version = add(model_txt=b"tree\n")
    path = space.objects / version.artefacts["model.txt"][:2] / version.artefacts["model.txt"]
    path.write_bytes(b"trEe\n")
    with pytest.raises(IntegrityError, match=r"'model\.txt' of flights:v1"):
        registry.versions.artefact("v1", "model.txt")
    assert registry.versions.artefact("v1", "notes.txt") == b"version 1"
    path.unlink()
    with pytest.raises(IntegrityError, match=r"'model\.txt' of flights:v1.*does not exist"):
        registry.versions.artefact("v1", "model.txt")


def test_changing_the_artefact_list_or_the_lineage_is_seen(registry: Registry, add: Add) -> None:
    version = add()
    evil = registry.versions._objects.put(b"evil")
    replace_in_body(registry, version.artefacts["notes.txt"], evil)
    with pytest.raises(IntegrityError, match="flights:v1 was changed"):
        registry.versions.artefact("v1", "notes.txt")


def test_another_installations_signature_is_refused(registry: Registry, add: Add, tmp_path: Path) -> None:
    version = add()
    with Registry.open(Workspace.create(tmp_path / "other"), actor="eve") as other:
        forged = other.audit.signer.sign(version.digest.encode())
    replace_in_body(registry, version.signature, forged)
    with pytest.raises(IntegrityError, match="not signed by this installation"):
        registry.versions.artefact("v1", "notes.txt")


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("model.pkl", pickle.dumps({"a": 1}), "pickle"),
        ("model.txt", b"cos\nsystem\n(S'true'\ntR.", "os system"),
        ("model.bin", b"anything", "format is not known"),
        ("../x.txt", b"text", "cannot be an artefact's name"),
        ("decision.json", b"{", "not JSON"),
    ],
)
def test_unsafe_artefacts_are_refused_and_nothing_is_registered(
    registry: Registry, name: str, data: bytes, problem: str
) -> None:
    with pytest.raises(RegistryError, match=problem):
        registry.versions.register("m", {"ok.txt": b"fine", name: data}, _lineage(), {})
    assert registry.versions.list() == ()
    assert list(registry.versions._objects.digests()) == []


def test_a_name_or_lineage_that_cannot_be_kept_is_refused(registry: Registry) -> None:
    for name in ("", "a:b", "../x", "x" * 101):
        with pytest.raises(RegistryError, match="cannot be a model's name"):
            registry.versions.register(name, {"a.txt": b"a"}, _lineage(), {})
    with pytest.raises(RegistryError, match="at least one artefact"):
        registry.versions.register("m", {}, _lineage(), {})
    strange = msgspec.structs.replace(_lineage(), parameters={"model": object()})
    with pytest.raises(RegistryError, match="lineage"):
        registry.versions.register("m", {"a.txt": b"a"}, strange, {})


def test_losing_the_signing_key_is_said_and_nothing_is_signed_anew(space: Workspace) -> None:
    Registry.open(space, actor="ada").close()
    (space.keys / "signing.key").unlink()
    with pytest.raises(IntegrityError, match="is gone"):
        Registry.open(space, actor="ada")
    (space.keys / "signing.pub").unlink()
    for _ in range(2):
        with pytest.raises(IntegrityError, match="not signed with the key of this workspace"):
            Registry.open(space, actor="ada")


def test_the_lineage_graph_leads_from_data_to_versions_and_back(registry: Registry, add: Add) -> None:
    version = add()
    sources = {edge.source for edge in registry.lineage.up(version.ref)}
    assert f"data:{version.lineage.data}" in sources
    assert "run:run-1" in sources
    assert [edge.target for edge in registry.lineage.down(f"data:{version.lineage.data}")] == [version.ref]


def test_registering_is_one_transaction(registry: Registry, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Audit, head: object) -> None:
        raise OSError("the machine stops here")

    with monkeypatch.context() as patch:
        patch.setattr("bluegold.registry.versions.GraphRelational.add_in", broken)
        with pytest.raises(OSError, match="stops here"):
            add()
    assert registry.versions.list() == ()
    assert registry.audit.events() == ()
    assert registry.audit.verify().ok


def _lineage() -> Lineage:
    return Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})
