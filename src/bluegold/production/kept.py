"""What is kept beside the registry: the last configuration that answered, with all that serving needs of its version.

A worker that starts while the registry is gone loads from here.  Nothing is believed for being here: the version's
signature and digest and every artefact's digest are verified as they are from the registry, and the configuration
itself carries a signature of this installation.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bluegold.core.errors import IntegrityError, ServingError, UnknownVersion, WorkspaceError
from bluegold.core.nouns import ModelVersion, TrafficSplit
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.registry.authenticity import authentic
from bluegold.registry.bundle import Versions
from bluegold.security.signing import Signer

__all__ = ["Kept", "Recorded", "kept_models", "served"]

MOST = 8
"""Versions kept; the one that was not needed for the longest time goes first."""

_ENCODER = msgspec.json.Encoder(order="deterministic")


class Recorded:
    """Passes versions on and remembers what was read of one of them.

    Args:
        versions: where they come from.
    """

    def __init__(self, versions: Versions) -> None:
        self._inner = versions
        self.version: ModelVersion | None = None
        self.files: dict[str, bytes] = {}

    @property
    def versions(self) -> Versions:
        """Itself."""
        return self

    def verified(self, ref: str) -> ModelVersion:
        """As the versions behind it."""
        self.version = self._inner.verified(ref)
        return self.version

    def artefact(self, ref: str, name: str) -> bytes:
        """As the versions behind it."""
        self.files[name] = found = self._inner.artefact(ref, name)
        return found


class _Note(msgspec.Struct, frozen=True):
    split: TrafficSplit
    signature: str


class _Copy(msgspec.Struct, frozen=True):
    version: ModelVersion
    files: dict[str, bytes]


class Kept:
    """The kept configuration of one model, below the workspace's ``run`` folder.

    Args:
        workspace: whose.
        model: the model.

    Example:
        >>> import tempfile
        >>> kept = Kept(Workspace.create(Path(tempfile.mkdtemp()) / "w"), "m")
        >>> kept.note(TrafficSplit(model="m", revision=3, blue="m:v1", gold="m:v2", gold_share=0.5, mode="canary"))
        >>> kept.safe().blue, kept.safe().mode
        ('m:v1', 'off')
    """

    def __init__(self, workspace: Workspace, model: str) -> None:
        self._folder = workspace.run / "kept"
        self._signer = Signer.open(workspace.keys)
        self._model = model
        self._found: tuple[str, _Copy] | None = None

    @property
    def versions(self) -> Versions:
        """The kept versions."""
        return self

    def put(self, version: ModelVersion, files: Mapping[str, bytes]) -> None:
        """Keep what serving needs of a version.

        Raises:
            WorkspaceError: it cannot be written.
        """
        path = self._path(version.ref)
        body = msgspec.msgpack.encode(_Copy(version, dict(files)))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.read_bytes() == body:
                os.utime(path)
                return
            write_atomic(path, body)
            copies = sorted(self._folder.glob("*.version"), key=lambda copy: copy.stat().st_mtime)
            for old in copies[:-MOST]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{version.ref} cannot be kept in '{self._folder}'", why=str(error)) from error

    def note(self, split: TrafficSplit) -> None:
        """Keep the configuration that answers now, signed.

        Raises:
            WorkspaceError: it cannot be written.
        """
        note = _Note(split, self._signer.sign(_ENCODER.encode(split)))
        body = _ENCODER.encode(note)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._note.is_file() or self._note.read_bytes() != body:
                write_atomic(self._note, body)
        except OSError as error:
            raise WorkspaceError(f"the configuration cannot be kept in '{self._folder}'", why=str(error)) from error

    def safe(self) -> TrafficSplit:
        """The safe part of what was noted: Blue alone, as nobody could watch Gold now.

        Raises:
            ServingError: nothing was kept.
            IntegrityError: it was changed.
        """
        try:
            note = msgspec.json.decode(self._note.read_bytes(), type=_Note)
        except OSError as error:
            raise ServingError(f"no configuration of '{self._model}' was kept", why=str(error)) from error
        except msgspec.MsgspecError as error:
            raise IntegrityError(f"'{self._note}' was changed", why=str(error)) from error
        self._signer.verifier.verify(_ENCODER.encode(note.split), note.signature)
        if note.split.model != self._model:
            raise IntegrityError(f"'{self._note}' was changed", why=f"it is about '{note.split.model}'")
        if not note.split.gold:
            return note.split
        reason = "the registry is gone: Blue alone"
        return TrafficSplit(
            model=self._model, revision=0, blue=note.split.blue, sticky_by=note.split.sticky_by, reason=reason
        )

    def verified(self, ref: str) -> ModelVersion:
        """The kept version, after its digest and signature were verified.

        Raises:
            UnknownVersion: it is not kept.
            IntegrityError: it was changed.
        """
        return self._copy(ref).version

    def artefact(self, ref: str, name: str) -> bytes:
        """The content of one artefact of a kept version; raises as :meth:`verified`."""
        copy = self._copy(ref)
        data = copy.files.get(name)
        if data is None or hashlib.sha256(data).hexdigest() != copy.version.artefacts.get(name):
            raise IntegrityError(
                f"the kept artefact '{name}' of {ref} does not verify",
                why="it is missing" if data is None else "its content was changed",
                subject=f"{ref}/{name}",
            )
        return data

    @property
    def _note(self) -> Path:
        return self._folder / f"{self._model}.json"

    def _path(self, ref: str) -> Path:
        return self._folder / f"{ref.replace(':', '@')}.version"

    def _copy(self, ref: str) -> _Copy:
        if self._found is not None and self._found[0] == ref:
            return self._found[1]
        path = self._path(ref)
        try:
            copy = msgspec.msgpack.decode(path.read_bytes(), type=_Copy)
        except OSError as error:
            raise UnknownVersion(f"{ref} is not kept", why=str(error), subject=ref) from error
        except msgspec.MsgspecError as error:
            raise IntegrityError(f"'{path}' was changed", why=str(error), subject=ref) from error
        if authentic(copy.version, self._signer.verifier).ref != ref:
            raise IntegrityError(f"'{path}' was changed", why=f"it holds {copy.version.ref}", subject=ref)
        self._found = (ref, copy)
        return copy


def kept_models(workspace: Workspace) -> tuple[str, ...]:
    """Models whose last configuration is kept.

    Example:
        >>> kept_models(Workspace(Path("/no/such/folder")))
        ()
    """
    return tuple(sorted(path.stem for path in (workspace.run / "kept").glob("*.json")))


def served(root: Path) -> Workspace:
    """The workspace at ``root``: one with a registry, or with a kept configuration that can be served without.

    Raises:
        WorkspaceError: there is neither.
    """
    space = Workspace(root)
    return space if kept_models(space) else Workspace.open(root)
