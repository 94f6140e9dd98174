"""The bench: what a probe works on — the system as it is, and a scratch copy that may be broken."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import ModelVersion
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.features.program import FeatureProgram
from bluegold.features.system import Data, System
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor
from bluegold.registry.bundle import Bundle, load_bundle
from bluegold.registry.registry import Registry

__all__ = ["Bench", "NotMeasured", "Probe", "Reading", "Scratch"]

#: Rows of the system's own data that the data-plane probes work on, at most.
SAMPLE_ROWS = 200_000
WORKERS = 2


class NotMeasured(BluegoldError):
    """A requirement cannot be measured in this installation at this moment; says why."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe found: the value, how many samples stand behind it, how it was taken, on what."""

    value: float | bool
    samples: int
    method: str
    artefact: str = ""


class Probe(Protocol):
    """A module that measures one requirement."""

    REQUIREMENT: str

    @staticmethod
    def measure(bench: Bench) -> Reading:
        """Measure; raises :class:`NotMeasured` when that cannot be done here."""


class Scratch:
    """A copy of a workspace that a probe may break, with a server of its own.

    Args:
        workspace: the copy.
        registry: the copy's registry.
        endpoint: the server that serves the copy.
    """

    def __init__(self, workspace: Workspace, registry: Registry, endpoint: Endpoint) -> None:
        self.workspace = workspace
        self.registry = registry
        self.endpoint = endpoint


class Bench:
    """Gives every probe the system, and starts the scratch server once, when the first probe asks for it.

    Args:
        workspace: the workspace that is measured; probes never write to it.
        registry: its registry.
        system: the definition.
        endpoint: the server that serves it now, or None.
    """

    def __init__(
        self, workspace: Workspace, registry: Registry, system: System, endpoint: Endpoint | None = None
    ) -> None:
        self.workspace = workspace
        self.registry = registry
        self.system = system
        self.endpoint = endpoint
        self.kills: list[tuple[float, float]] = []
        self._undo = contextlib.ExitStack()
        self._scratch: Scratch | None = None

    @cached_property
    def version(self) -> ModelVersion:
        """The version in production, or the newest one.

        Raises:
            NotMeasured: there is none.
        """
        found = self.registry.versions.list(self.system.name, stage="Production", limit=1)
        found = found or self.registry.versions.list(self.system.name, limit=1)
        if not found:
            raise NotMeasured(
                f"no version of '{self.system.name}' is registered", way_out="run 'bluegold develop' first"
            )
        return found[0]

    @cached_property
    def bundle(self) -> Bundle:
        """That version as serving loads it."""
        return load_bundle(self.registry, self.version.ref)

    @cached_property
    def program(self) -> FeatureProgram:
        """That version's feature program."""
        return FeatureProgram.from_json(self.bundle.program_json)

    @cached_property
    def data(self) -> Data:
        """The system's own data, at most :data:`SAMPLE_ROWS` rows of it."""
        found = self.system.load()
        return Data(found.rows.head(SAMPLE_ROWS), found.tables, found.notes)

    @property
    def machine(self) -> str:
        """What it was measured on."""
        return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder on the workspace's own disk, removed afterwards."""
        path = Path(tempfile.mkdtemp(dir=self.workspace.run, prefix="probe-"))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def copy(self) -> Iterator[Workspace]:
        """A copy of the workspace without decisions: registry, keys and (linked) artefacts.

        Raises:
            NotMeasured: the stores are servers, which are not copied.
        """
        chosen = settings()
        if chosen.relational_url or chosen.object_url:
            raise NotMeasured("the registry lives on servers, which probes do not copy")
        with self.folder() as path:
            space = Workspace.create(path / "workspace")
            source = sqlite3.connect(f"file:{self.workspace.database}?mode=ro", uri=True)
            target = sqlite3.connect(space.database)
            try:
                source.backup(target)
            finally:
                source.close()
                target.close()
            shutil.copytree(self.workspace.keys, space.keys, dirs_exist_ok=True)
            shutil.copytree(self.workspace.objects, space.objects, copy_function=os.link)
            yield space

    def scratch(self) -> Scratch:
        """The scratch copy with two serving workers on a free loopback port; started once.

        Raises:
            NotMeasured: nothing is in production.
        """
        if self._scratch is None:
            if self.version.stage != "Production":
                raise NotMeasured("no version is in production", way_out="deliver one first")
            space = self._undo.enter_context(self.copy())
            registry = self._undo.enter_context(Registry.open(space, actor="probe"))
            endpoint = self._undo.enter_context(Supervisor(space, self.system.name, workers=WORKERS))
            self._scratch = Scratch(space, registry, endpoint)
        return self._scratch

    def close(self) -> None:
        """Stop the scratch server and remove the copies."""
        self._scratch = None
        self._undo.close()
