"""A whole workspace as one file, and back: taken while it runs, restored once and verified before it counts.

A tar without compression: every file, then ``manifest.json`` with their digests, signed by the installation.  It holds
the signing key, so it is as secret as the keys folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath

import lmdb
import msgspec

from bluegold.core.errors import BluegoldError, IntegrityError, UsageError, WorkspaceError
from bluegold.core.nouns import now
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.export.registry_copy import load_registry, save_registry, unload_registry
from bluegold.production.results.anchors import check_anchors
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.registry.registry import Registry
from bluegold.security.signing import Signer, Verifier
from bluegold.stores.urls import connect
from bluegold.telemetry.chain import canonical

__all__ = ["Kept", "backup", "restore"]

_FORMAT = "bluegold backup 1"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]*(/[A-Za-z0-9_.][A-Za-z0-9._ -]*)*")
_LEFT_OUT = {"run", "online", "keys", "objects", "decisions"}
_CHUNK = 1 << 20


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds, and where its audit chain ends."""

    files: int
    bytes: int
    audit_rows: int
    decisions: int


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    format: str
    at: str
    files: dict[str, tuple[str, int]]


class _Signed(msgspec.Struct, frozen=True, kw_only=True):
    manifest: str
    signature: str


def backup(workspace: Workspace, path: Path) -> Kept:
    """Write a workspace to one file, while it is in use or not.

    What is read first may lag behind what is read later, never run ahead of it: keys and signed head, database,
    artefacts, decisions.  The file takes its name only after it was restored beside it and everything in it verified.

    Args:
        workspace: the workspace.
        path: the file; one that exists is replaced.

    Raises:
        UsageError: the artefacts are kept outside the workspace.
        IntegrityError: what was written does not verify: the workspace itself is damaged.
        WorkspaceError: the file cannot be written.
    """
    if settings().object_url:
        raise UsageError(
            "this workspace keeps its artefacts elsewhere",
            why="BLUEGOLD_OBJECT_URL is set",
            way_out="back that store up with its own tools, and this folder with it",
        )
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file, tempfile.TemporaryDirectory(dir=path.parent) as beside:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                _write(workspace, tar, Path(beside))
            file.flush()
            os.fsync(file.fileno())
            kept = _restored(scratch, Path(beside) / "restored", None)
        scratch.replace(path)
    except OSError as error:
        raise WorkspaceError(
            f"the backup '{path}' cannot be written", why=error.strerror or str(error), way_out="free space, or another"
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
    return kept


def restore(path: Path, target: Path, key: str = "", check: Callable[[Workspace], object] | None = None) -> Kept:
    """Make a workspace from a backup, after everything in it verified.

    The registry goes into the database of ``BLUEGOLD_RELATIONAL_URL``, which must be empty, or into the workspace.

    Args:
        path: the file.
        target: the new workspace; it must not exist, or be empty.
        key: the public key that must have signed it; without one, the key inside is believed.
        check: looks at the verified workspace before it is there; what it raises leaves nothing behind.

    Raises:
        UsageError: the target, or the database, is not empty.
        IntegrityError: the file is cut, damaged, forged, or wants to write elsewhere; nothing is left behind.
        WorkspaceError: the target cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"'{target}' is not empty", way_out="name a folder that does not exist yet")
    target = target.resolve()
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        kept = _restored(path, scratch, Verifier.decode(key) if key else None)
        if check is not None:
            check(Workspace.open(scratch))
        with _registry_elsewhere(Workspace.open(scratch)):
            if target.exists():
                target.rmdir()
            scratch.rename(target)
    except OSError as error:
        raise WorkspaceError(
            f"'{target}' cannot be made from '{path}'", why=error.strerror or str(error), way_out="check both places"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return kept


@contextmanager
def _registry_elsewhere(space: Workspace) -> Iterator[None]:
    """Move a restored registry where the settings want it, hold it against its chain there, or take it back."""
    url = settings().relational_url
    if not url:
        yield
        return
    with closing(connect(url, "relational", space)) as store:
        load_registry(space.database, store)
        try:
            with Registry.open(space, actor="automatic:restore") as registry:
                report = registry.audit.verify()
            if not report.ok:
                raise IntegrityError("the restored registry does not verify", why=f"{report.first_bad} {report.why}")
            space.database.unlink()
            yield
        except BaseException:
            unload_registry(store)
            raise


def _write(workspace: Workspace, tar: tarfile.TarFile, beside: Path) -> None:
    files: dict[str, tuple[str, int]] = {}
    for name, path in _contents(workspace, beside):
        size = path.stat().st_size
        if name.startswith("decisions/"):
            size = _whole_lines(path, size)
        digest = hashlib.sha256()
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, path.stat().st_mode & 0o777
        with path.open("rb") as file:
            tar.addfile(info, _Hashing(file, size, digest))
        files[name] = (digest.hexdigest(), size)
    manifest = canonical(_Manifest(format=_FORMAT, at=now().isoformat(), files=files)).decode()
    signature = Signer.open(workspace.keys).sign(manifest.encode())
    last = canonical(_Signed(manifest=manifest, signature=signature))
    info = tarfile.TarInfo("manifest.json")
    info.size = len(last)
    tar.addfile(info, io.BytesIO(last))


def _contents(workspace: Workspace, beside: Path) -> Iterator[tuple[str, Path]]:
    """Every file to be kept with its name, in the order that keeps them consistent."""
    yield from _below(workspace.keys, workspace.root)
    copy = beside / "bluegold.db"
    if url := settings().relational_url:
        with closing(connect(url, "relational", workspace)) as store:
            save_registry(store, copy)
    else:
        with closing(sqlite3.connect(workspace.database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target, pages=2048)
            target.execute("PRAGMA journal_mode = DELETE")
    yield "bluegold.db", copy
    yield from _below(workspace.objects, workspace.root)
    yield from _below(workspace.decisions, workspace.root)
    for path in sorted(workspace.root.iterdir()):
        if path.is_file() and not path.name.startswith((".", "bluegold.db")):
            yield path.name, path
        elif path.is_dir() and path.name not in _LEFT_OUT:
            yield from _below(path, workspace.root)
    if workspace.online.is_dir():
        (beside / "online").mkdir()
        with lmdb.open(str(workspace.online), readonly=True, create=False, max_dbs=8) as environment:
            environment.copy(str(beside / "online"), compact=True)
        yield from ((f"online/{path.name}", path) for path in sorted((beside / "online").iterdir()))


def _below(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".") and _NAME.fullmatch(name):
            yield name, path


def _whole_lines(path: Path, size: int) -> int:
    """The part of a log that ends with a whole line; a line that is being written was not acknowledged yet."""
    with path.open("rb") as file:
        file.seek(max(0, size - _CHUNK))
        end = file.read(min(size, _CHUNK)).rfind(b"\n") + 1
    return max(0, size - _CHUNK) + end


class _Hashing(io.RawIOBase):
    """The first ``size`` bytes of a file, hashed as they pass."""

    def __init__(self, file: io.BufferedReader, size: int, digest: hashlib._Hash) -> None:
        super().__init__()
        self._file = file
        self._left = size
        self._digest = digest

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        self._digest.update(data)
        return data


def _restored(path: Path, target: Path, trusted: Verifier | None) -> Kept:
    """Unpack a backup into a new folder and verify everything in it."""
    target.mkdir(mode=0o700)
    try:
        files = _unpack(path, target, trusted)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise IntegrityError(f"'{path}' is cut or damaged", why=str(error), way_out="use another backup") from error
    space = Workspace.create(target)
    with Registry.open(Workspace.open(target), actor="automatic:restore", relational="sqlite") as registry:
        chain = registry.audit.verify()
        log = DecisionReader(space.decisions).verify()
        tails = check_anchors(registry, space.decisions)
        bad = chain.first_bad or log.first_bad or tails.first_bad
        if bad:
            raise IntegrityError(f"'{path}' does not verify", why=f"{bad} {chain.why}".strip(), subject=bad)
        for version in registry.versions.list(limit=1_000_000):
            registry.versions.verified(version.ref)
            for name, digest in version.artefacts.items():
                if files.get(f"objects/{digest[:2]}/{digest}", ("", 0))[0] != digest:
                    what = f"{version.ref}/{name}"
                    raise IntegrityError(
                        f"'{path}' does not hold '{name}' of {version.ref} as registered", subject=what
                    )
    size = sum(length for _, length in files.values())
    return Kept(files=len(files), bytes=size, audit_rows=chain.checked, decisions=log.checked)


def _unpack(path: Path, target: Path, trusted: Verifier | None) -> dict[str, tuple[str, int]]:
    """Write the regular files of a backup below ``target`` and nowhere else; hold them against the signed manifest."""
    found: dict[str, tuple[str, int]] = {}
    last = b""
    with tarfile.open(path, mode="r:") as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts
            if not member.isreg() or not _NAME.fullmatch(member.name) or ".." in parts or member.name in found:
                raise IntegrityError(
                    f"'{path}' wants to write '{member.name[:200]}'", why="no backup holds such a file"
                )
            source = tar.extractfile(member)
            if source is None:
                raise IntegrityError(f"'{path}' is damaged at '{member.name}'")
            if member.name == "manifest.json":
                last = source.read()
                break
            out = target / member.name
            out.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, member.mode & 0o700), "wb") as file:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
            found[member.name] = (digest.hexdigest(), out.stat().st_size)
    _accept(path, target, last, found, trusted)
    (target / "keys").chmod(0o700)
    return found


def _accept(path: Path, target: Path, last: bytes, found: dict[str, tuple[str, int]], trusted: Verifier | None) -> None:
    try:
        signed = msgspec.json.decode(last, type=_Signed)
        (trusted or Verifier.open(target / "keys")).verify(signed.manifest.encode(), signed.signature)
        manifest = msgspec.json.decode(signed.manifest, type=_Manifest)
    except (msgspec.MsgspecError, BluegoldError) as error:
        raise IntegrityError(
            f"'{path}' is cut, damaged or forged", why=f"its manifest does not hold: {error}", way_out="use another"
        ) from error
    different = [name for name in {*manifest.files, *found} if manifest.files.get(name) != found.get(name)]
    if manifest.format != _FORMAT or different:
        raise IntegrityError(
            f"'{path}' is damaged",
            why=f"'{min(different, default='its format')}' is not what was kept",
            subject=str(path),
        )
