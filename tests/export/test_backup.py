"""A backup taken is restored whole; one that was cut, changed or forged, or wants out of its folder, leaves nothing."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bluegold.core.errors import IntegrityError, UsageError, WorkspaceError
from bluegold.core.nouns import Lineage
from bluegold.core.workspace import Workspace
from bluegold.export.backup import backup, restore
from bluegold.production.results.anchors import anchor, check_anchors
from bluegold.production.results.decision_log import DecisionLog
from bluegold.production.results.records import DecisionRecord
from bluegold.registry import Registry
from bluegold.security.signing import Signer

LINEAGE = Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})


def filled(made: Workspace) -> Workspace:
    """A workspace with a version, decisions and an anchor on them."""

    async def decide() -> None:
        log = DecisionLog(made.decisions, worker=0)
        for number in range(5):
            score = number / 10
            await log.write([DecisionRecord(at=1, model="m", version="v1", color="blue", value=True, score=score)])
        log.close()

    asyncio.run(decide())
    with Registry.open(made, actor="ada") as registry:
        registry.versions.register("m", {"a.txt": b"a" * 5000}, LINEAGE, {"auc": 0.9})
        anchor(registry, made.decisions)
    return made


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return filled(Workspace.create(tmp_path / "workspace"))


def test_a_cut_tail_of_a_decision_log_is_found(space: Workspace) -> None:
    with Registry.open(space, actor="ada") as registry:
        assert check_anchors(registry, space.decisions).ok
        assert anchor(registry, space.decisions) == ()
        [segment] = (space.decisions / "worker-0").glob("*.jsonl")
        lines = segment.read_bytes().splitlines(keepends=True)
        segment.write_bytes(b"".join(lines[:-1]))
        assert "is not there" in check_anchors(registry, space.decisions).first_bad
        segment.unlink()
        assert not check_anchors(registry, space.decisions).ok


def test_a_workspace_comes_back_whole(space: Workspace, tmp_path: Path) -> None:
    with Registry.open(space, actor="ada") as registry:
        registry.audit.append("ada", "during", "it")  # the registry is in use while it is backed up
        kept = backup(space, tmp_path / "b.tar")
        key = registry.audit.signer.verifier.encoded
    assert restore(tmp_path / "b.tar", tmp_path / "again", key) == kept
    with Registry.open(Workspace.open(tmp_path / "again"), actor="ada") as registry:
        assert registry.versions.artefact("m:v1", "a.txt") == b"a" * 5000
        registry.audit.append("ada", "goes", "on")
        assert registry.audit.verify().ok
    with pytest.raises(UsageError, match="not empty"):
        restore(tmp_path / "b.tar", tmp_path / "again")
    other = Signer.open(tmp_path / "other").verifier.encoded
    with pytest.raises(IntegrityError, match="forged"):
        restore(tmp_path / "b.tar", tmp_path / "third", other)


def test_a_spoiled_backup_leaves_nothing_behind(space: Workspace, tmp_path: Path) -> None:
    path, target = tmp_path / "b.tar", tmp_path / "again"
    backup(space, path)
    whole = path.read_bytes()
    spoiled = [
        whole[: len(whole) // 2],
        whole[: whole.rindex(b"manifest.json") + 600],
        b"",
        whole.replace(b"a" * 5000, b"b" * 5000),
    ]
    for name in ("../evil", "/evil", "keys/../../evil"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"evil"))
        spoiled.append(buffer.getvalue())
    for data in spoiled:
        path.write_bytes(data)
        with pytest.raises(IntegrityError):
            restore(path, target)
        assert not target.exists()
        assert not list(tmp_path.glob(".again*"))
    assert not (tmp_path / "evil").exists()


def test_a_registry_on_a_server_comes_back_on_another_or_in_the_workspace(
    tmp_path: Path, postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLUEGOLD_RELATIONAL_URL", postgresql())
    space = filled(Workspace.create(tmp_path / "workspace"))
    kept = backup(space, tmp_path / "b.tar")
    assert not space.database.exists()
    with pytest.raises(UsageError, match="holds a registry already"):
        restore(tmp_path / "b.tar", tmp_path / "again")
    assert not (tmp_path / "again").exists()
    for number, url in enumerate((postgresql(), "")):
        monkeypatch.setenv("BLUEGOLD_RELATIONAL_URL", url)
        target = Workspace(tmp_path / f"restored-{number}")
        assert restore(tmp_path / "b.tar", target.root) == kept
        assert target.database.exists() is (not url)
        with Registry.open(target, actor="ada") as registry:
            assert registry.versions.artefact("m:v1", "a.txt") == b"a" * 5000
            assert registry.lineage.up("m:v1")
            assert check_anchors(registry, target.decisions).ok
            assert registry.versions.register("m", {"a.txt": b"more"}, LINEAGE, {}).version == "v2"
            assert registry.audit.verify().ok


def test_a_restore_that_ends_before_its_end_leaves_the_database_empty(
    tmp_path: Path, space: Workspace, postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(space, tmp_path / "b.tar")
    monkeypatch.setenv("BLUEGOLD_RELATIONAL_URL", postgresql())
    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("no room")))
        with pytest.raises(WorkspaceError, match="cannot be made"):
            restore(tmp_path / "b.tar", tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert restore(tmp_path / "b.tar", tmp_path / "again").audit_rows  # into the same database, which is empty again
