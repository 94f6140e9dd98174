"""The scratch copy: a second workspace beside the measured one, with a server that may be killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import ModelVersion, TrafficSplit
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor
from bluegold.registry.registry import Registry
from bluegold.stores.key_value_lmdb import KeyValueLmdb

__all__ = ["ACTOR", "NotApplicable", "NotMeasured", "Scratch", "copied", "served"]

ACTOR = "probe"
WORKERS = 2
ONLINE_BYTES = 256 * 1024 * 1024


class NotMeasured(BluegoldError):
    """A requirement cannot be measured in this installation at this moment; says why."""


class NotApplicable(BluegoldError):
    """A requirement says nothing about this system; says why."""


class Scratch:
    """A copy of a workspace that a probe may break, with a server of its own.

    Args:
        workspace: the copy.
        registry: the copy's registry.
        endpoint: the server that serves the copy.
        blue: the version in production, which answers alone when a probe gets the scratch.
        twin: the same artefacts registered once more, for probes that need a second version.
    """

    def __init__(
        self, workspace: Workspace, registry: Registry, endpoint: Endpoint, *, blue: ModelVersion, twin: ModelVersion
    ) -> None:
        self.workspace = workspace
        self.registry = registry
        self.endpoint = endpoint
        self.blue = blue
        self.twin = twin
        self.board = Board(Path(endpoint.board))

    def split(self, reason: str, **changes: object) -> TrafficSplit:
        """Write the next traffic split; Blue answers alone where ``changes`` do not say otherwise."""
        wanted = TrafficSplit(model=self.blue.model, revision=0, blue=self.blue.ref, reason=reason)
        return self.registry.traffic.set(msgspec.structs.replace(wanted, **changes))


def copied(source: Workspace, root: Path, artefacts: Iterable[str]) -> Workspace:
    """Copy keys, registry and some artefacts; decisions and online features stay behind.

    Args:
        source: the workspace; it is only read.
        root: where the copy goes, on the same disk.
        artefacts: digests of the artefacts to have there; they share their bytes with the original.

    Raises:
        NotMeasured: the stores are servers, which are not copied.
    """
    chosen = settings()
    if chosen.relational_url or chosen.object_url:
        raise NotMeasured("the registry lives on servers, which probes do not copy")
    space = Workspace.create(root)
    shutil.copytree(source.keys, space.keys, dirs_exist_ok=True)  # before the registry, which may run ahead of them
    with (
        contextlib.closing(sqlite3.connect(f"{source.database.as_uri()}?mode=ro", uri=True)) as old,
        contextlib.closing(sqlite3.connect(space.database)) as new,
    ):
        old.backup(new)
    for digest in set(artefacts):
        target = space.objects / digest[:2] / digest
        target.parent.mkdir(parents=True, exist_ok=True)
        original = source.objects / digest[:2] / digest
        try:
            os.link(original, target)
        except OSError:
            shutil.copyfile(original, target)
    return space


def _copy_online(source: Path, target: Path) -> None:
    """Online features, up to a size; a version answers without them too, with empty histories."""
    if not source.is_dir() or sum(file.stat().st_size for file in source.iterdir()) > ONLINE_BYTES:
        return
    store = KeyValueLmdb(source, durable=False)
    try:
        store.copy(target)
    finally:
        store.close()


@contextlib.contextmanager
def served(space: Workspace, blue: ModelVersion, online: Path) -> Iterator[Scratch]:
    """Serve a copy with worker processes on a free loopback port; Blue answers alone.

    Args:
        space: the copy.
        blue: the version in production.
        online: the original's online features; they are copied.

    Raises:
        ServingError: the server does not start.
    """
    _copy_online(online, space.online)
    with Registry.open(space, actor=ACTOR) as registry:
        twin = registry.versions.register(
            blue.model,
            registry.versions.artefacts(blue.ref),
            msgspec.structs.replace(blue.lineage, parent=blue.ref, run_id="probe"),
            blue.metrics,
            author=ACTOR,
        )
        registry.traffic.set(TrafficSplit(model=blue.model, revision=0, blue=blue.ref, reason="a server for probes"))
        with Supervisor(space, blue.model, workers=WORKERS) as endpoint:
            scratch = Scratch(space, registry, endpoint, blue=blue, twin=twin)
            try:
                yield scratch
            finally:
                scratch.board.close()
