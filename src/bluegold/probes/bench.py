"""The bench: what a probe works on, which is the system as it is and a scratch copy that may be broken."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

import msgspec

from bluegold.core.errors import BluegoldError, UsageError
from bluegold.core.nouns import Evidence, ModelVersion, now
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace
from bluegold.features.masking import masked
from bluegold.features.program import FeatureProgram
from bluegold.features.system import Data, System
from bluegold.probes.scratch import NotMeasured, Scratch, copied, served
from bluegold.production.operations.processes import Endpoint
from bluegold.registry.bundle import Bundle, load_bundle
from bluegold.registry.registry import Registry
from bluegold.requirements.catalog import judge, requirement

__all__ = ["SAMPLE_ROWS", "Bench", "Probe", "keep", "loaded", "raw"]

T = TypeVar("T")

#: Rows of the system's own data that the data probes work on; fewer are repeated.
SAMPLE_ROWS = 100_000
ABANDONED_S = 3600.0


class Probe(Protocol):
    """A module that measures one requirement."""

    REQUIREMENT: str

    @staticmethod
    def measure(bench: Bench) -> Evidence:
        """Measure; raises :class:`~bluegold.probes.scratch.NotMeasured` when that cannot be done here."""


class Bench:
    """Gives every probe the system; what probes share is made once, when the first of them asks for it.

    Args:
        workspace: the workspace that is measured; probes only read it, except for the ledger.
        registry: its registry.
        system: the definition; without it, what needs the system's own data or plan is not measured.
        endpoint: the server that serves it now, if one does; probes only watch it.
        data: the system's own data where the caller has it already; the definition's source is asked otherwise.
    """

    def __init__(
        self,
        workspace: Workspace,
        registry: Registry,
        system: System | None = None,
        endpoint: Endpoint | None = None,
        data: Data | None = None,
    ) -> None:
        self.workspace = workspace
        self.registry = registry
        self.endpoint = endpoint
        self._system, self._data = system, data
        self._undo = contextlib.ExitStack()
        self._made: dict[Any, Any] = {}

    def close(self) -> None:
        """Stop the scratch server and remove the copies."""
        self._made.clear()
        self._undo.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def once(self, make: Callable[[Bench], T]) -> T:
        """What ``make`` makes of this bench, made once; when that was not possible, it is not tried again."""
        if make not in self._made:
            try:
                self._made[make] = make(self)
            except BluegoldError as error:
                self._made[make] = error
        found = self._made[make]
        if isinstance(found, BluegoldError):
            raise found
        return found  # type: ignore[no-any-return] # a dict keyed by maker cannot say which T belongs to it

    @property
    def system(self) -> System:
        """The definition.

        Raises:
            NotMeasured: none was given.
        """
        if self._system is None:
            raise NotMeasured("no definition of the system was given", way_out="name its folder with --system")
        return self._system

    @cached_property
    def model(self) -> str:
        """The model that is measured: the system's, or the only one of the registry.

        Raises:
            NotMeasured: there is none.
            UsageError: there are several, and no definition says which is meant.
        """
        if self._system is not None:
            return self._system.name
        found = {one.model for one in self.registry.versions.list(stage="Production", limit=1000)}
        found = found or {one.model for one in self.registry.versions.list(limit=1000)}
        if not found:
            raise NotMeasured("no version is registered", way_out="run 'bluegold develop' first")
        if len(found) > 1:
            raise UsageError(
                "the workspace holds several models",
                why=", ".join(sorted(found)[:10]),
                way_out="name the folder of one with --system",
            )
        return found.pop()

    @cached_property
    def version(self) -> ModelVersion:
        """The version in production.

        Raises:
            NotMeasured: there is none.
        """
        found = self.registry.versions.list(self.model, stage="Production", limit=1)
        if not found:
            raise NotMeasured(
                f"no version of '{self.model}' is in production", way_out="deliver one with 'bluegold deliver'"
            )
        return found[0]

    @cached_property
    def newest(self) -> ModelVersion:
        """The version in production, or else the newest one.

        Raises:
            NotMeasured: nothing is registered.
        """
        found = self.registry.versions.list(self.model, stage="Production", limit=1)
        found = found or self.registry.versions.list(self.model, limit=1)
        if not found:
            raise NotMeasured(f"no version of '{self.model}' is registered", way_out="run 'bluegold develop' first")
        return found[0]

    @cached_property
    def bundle(self) -> Bundle:
        """The production version as serving loads it."""
        return load_bundle(self.registry, self.version.ref)

    @cached_property
    def program(self) -> FeatureProgram:
        """The production version's feature program."""
        return FeatureProgram.from_json(self.bundle.program_json)

    @cached_property
    def plan(self) -> Plan | None:
        """The definition's plan; without a definition the one that the production version was registered with."""
        if self._system is not None:
            return self._system.plan
        try:
            return msgspec.json.decode(self.registry.versions.artefact(self.newest.ref, "plan.json"), type=Plan)
        except (BluegoldError, msgspec.MsgspecError):
            return None

    @cached_property
    def data(self) -> Data:
        """:func:`raw` as the pipelines see it: with pseudonyms in fields that the contract marks as personal."""
        return masked(self.system.contract, self.once(raw), self.workspace.keys)

    def evidence(
        self, identifier: str, value: float | bool, *, samples: int, method: str, artefact: str = ""
    ) -> Evidence:
        """What a probe found, judged by this system's limits.

        Args:
            identifier: the requirement.
            value: in the requirement's unit, or whether it held.
            samples: how many observations stand behind it.
            method: how it was taken, on how much.
            artefact: what it was taken from.
        """
        return self._evidence(identifier, value, samples, method, artefact)

    def unmeasured(self, identifier: str, why: str) -> Evidence:
        """That a requirement needs instrumentation, and why."""
        return self._evidence(identifier, None, 0, why, "")

    def _evidence(
        self, identifier: str, value: float | bool | None, samples: int, method: str, artefact: str
    ) -> Evidence:
        row = requirement(identifier, self.plan)
        try:
            ref = self.newest.ref
        except BluegoldError:
            ref = ""
        return Evidence(
            requirement=row.id,
            value=value,
            verdict=judge(row, value),
            unit=row.unit,
            samples=samples,
            machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            version=ref,
            artefact=artefact,
            method=method,
            at=now(),
        )

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder on the workspace's own disk, removed afterwards (what a killed run left, an hour later)."""
        self.workspace.run.mkdir(exist_ok=True)
        for old in self.workspace.run.glob("probe-*"):
            if time.time() - old.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(old, ignore_errors=True)
        path = Path(tempfile.mkdtemp(dir=self.workspace.run, prefix="probe-"))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def copy(self) -> Iterator[Workspace]:
        """A copy of the workspace to be attacked: registry, keys, and the artefacts of the newest version."""
        with self.folder() as path:
            yield copied(self.workspace, path / "workspace", self.newest.artefacts.values())

    def scratch(self) -> Scratch:
        """A copy of the workspace that is served by processes of its own; started once.

        Raises:
            NotMeasured: nothing is in production.
        """
        return self.once(Bench._served)

    def _served(self) -> Scratch:
        blue = self.version  # nothing but production is served
        return self._undo.enter_context(served(self._undo.enter_context(self.copy()), blue, self.workspace.online))


def loaded(bench: Bench) -> Data:
    """The system's own data as its source gives it; use it through ``bench.once``.

    Raises:
        NotMeasured: no definition was given.
        DataError: the source gives nothing usable.
    """
    return bench._data or bench.system.load()


def raw(bench: Bench) -> Data:
    """The first :data:`SAMPLE_ROWS` rows of :func:`loaded`, which raises the same; use it through ``bench.once``."""
    found = bench.once(loaded)
    return Data(found.rows.head(SAMPLE_ROWS), found.tables, found.notes)


def keep(bench: Bench, made: AbstractContextManager[T]) -> T:
    """Enter something that lasts until a bench is closed."""
    return bench._undo.enter_context(made)
