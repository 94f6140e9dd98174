"""Versions: artefacts, metrics and lineage, signed when registered and verified before every use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select

from bluegold.core.errors import IntegrityError, RegistryError, UnknownVersion
from bluegold.core.nouns import Lineage, ModelVersion, Stage, StageChange
from bluegold.registry.audit import Audit, Change
from bluegold.registry.authenticity import authentic, version_digest
from bluegold.registry.schema import metric_rows
from bluegold.registry.search import Search, search_in
from bluegold.registry.source_rows import row_edges
from bluegold.registry.tables import STAGES, VERSIONS, metrics_table
from bluegold.security.access import Access
from bluegold.security.artefact_scan import scan
from bluegold.stores.graph_relational import GraphRelational
from bluegold.stores.protocols import Edge, ObjectStore

__all__ = ["Versions", "version_of"]

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_SHOWN = 10
_table = VERSIONS.table
_BY_VERSION = select(_table).where(_table.c.version == bindparam("version")).limit(_SHOWN + 1)
_BY_NAME = _BY_VERSION.where(_table.c.model == bindparam("model"))


def version_of(row: Row[Any]) -> ModelVersion:
    """The version in a row of the table, with its present stage."""
    version = msgspec.json.decode(row.body, type=ModelVersion)
    return msgspec.structs.replace(version, stage=row.stage)


class Versions:
    """Registers versions and gives back what was registered, or says that it changed.

    Args:
        audit: the chain that every registration is written to.
        objects: where artefact bytes live.
        access: who may register.
    """

    def __init__(self, audit: Audit, objects: ObjectStore, access: Access) -> None:
        self._audit = audit
        self._store = audit.store
        self._objects = objects
        self._access = access

    def register(
        self,
        model: str,
        artefacts: Mapping[str, bytes],
        lineage: Lineage,
        metrics: Mapping[str, float],
        author: str = "",
    ) -> ModelVersion:
        """Register artefacts with their lineage as the model's next version (``v1``, ``v2``, ...).

        The same content registered again is the version it already is, so that a run which was
        interrupted after registering may simply run again.

        Args:
            model: name of the model.
            artefacts: file name -> content; every one must be of a known, safe format.
            lineage: what the version was made from.
            metrics: measured numbers, for searching and showing.
            author: who made it; empty means the registry's actor.

        Raises:
            RegistryError: the name or an artefact is not acceptable; the message names it.
            AccessDenied: the author may not register.
            StoreError: a store failed; nothing was registered.
        """
        author = author or self._audit.actor
        self._access.require(author, "register")
        _acceptable(model, artefacts)
        version_digest(model, {}, lineage)  # refuses what cannot be kept before anything is
        digests = {name: self._objects.put(data) for name, data in sorted(artefacts.items())}
        digest = version_digest(model, digests, lineage)
        with self._audit.change(author) as change:
            same = (_table.c.model == model) & (_table.c.digest == digest)
            row = change.connection.execute(select(_table).where(same)).first()
            if row is not None:
                return version_of(row)
            version = ModelVersion(
                model=model,
                version=_next_name(change.connection, model),
                stage="Registered",
                digest=digest,
                artefacts=digests,
                lineage=lineage,
                metrics={name: float(value) for name, value in metrics.items()},
                author=author,
                created_at=change.at,
                signature=self._audit.signer.sign(digest.encode()),
            )
            _keep(change, version, artefacts)
        return version

    def get(self, ref: str) -> ModelVersion:
        """The version that ``ref`` names: ``name:v2``, or ``v2`` when only one model has it.

        Raises:
            UnknownVersion: there is none, or several; the message lists what exists.
        """
        rows = self._store.rows(*_named(ref))
        if len(rows) == 1:
            return version_of(rows[0])
        with self._store.read() as connection:
            return self.get_in(connection, ref)

    @staticmethod
    def get_in(connection: Connection, ref: str) -> ModelVersion:
        """As :meth:`get`, inside a transaction that is open already."""
        rows = connection.execute(*_named(ref)).all()
        if len(rows) == 1:
            return version_of(rows[0])
        if rows:
            names = ", ".join(f"{row.model}:{row.version}" for row in rows[:_SHOWN])
            raise UnknownVersion(f"'{ref}' names several versions", why=names, way_out="give the model's name too")
        newest = connection.execute(select(_table).order_by(_table.c.id.desc()).limit(_SHOWN)).all()
        names = ", ".join(f"{row.model}:{row.version}" for row in newest) or "none yet"
        raise UnknownVersion(
            f"there is no version '{ref}'",
            why=f"the registry holds {names}",
            way_out="name one of these" if newest else "run 'bluegold develop' first",
            subject=ref,
        )

    def list(self, model: str | None = None, stage: Stage | None = None, limit: int = 100) -> tuple[ModelVersion, ...]:
        """Versions, newest first, at most ``limit``."""
        query = select(_table)
        if model is not None:
            query = query.where(_table.c.model == model)
        if stage is not None:
            query = query.where(_table.c.stage == stage)
        rows = self._store.rows(query.order_by(_table.c.id.desc()).limit(limit))
        return tuple(version_of(row) for row in rows)

    def search(self, wanted: Search, limit: int = 100) -> tuple[ModelVersion, ...]:
        """Versions that meet every part of a search, newest first, at most ``limit``.

        Raises:
            UsageError: a part of the search makes no sense.
        """
        return tuple(version_of(row) for row in self._store.rows(search_in(wanted, limit)))

    def artefact(self, ref: str, name: str) -> bytes:
        """The content of one artefact, after signature and digest were verified.

        Raises:
            UnknownVersion: there is no such version.
            RegistryError: the version has no artefact of that name; the message lists its artefacts.
            IntegrityError: the version's row, its signature or the artefact's bytes were changed; names the file.
        """
        return self._read(self.verified(ref), name)

    def artefacts(self, ref: str) -> dict[str, bytes]:
        """All artefacts of a version, verified; see :meth:`artefact` for the errors."""
        version = self.verified(ref)
        return {name: self._read(version, name) for name in version.artefacts}

    def verified(self, ref: str) -> ModelVersion:
        """The version, after its digest and signature were verified (artefact bytes are not read).

        Raises:
            UnknownVersion: there is no such version.
            IntegrityError: the row or its signature was changed.
        """
        return authentic(self.get(ref), self._audit.signer.verifier)

    def _read(self, version: ModelVersion, name: str) -> bytes:
        if name not in version.artefacts:
            raise RegistryError(
                f"version {version.ref} has no artefact '{name}'",
                why=f"it has {', '.join(sorted(version.artefacts))}",
                subject=version.ref,
            )
        try:
            return self._objects.get(version.artefacts[name])
        except IntegrityError as error:
            raise IntegrityError(
                f"artefact '{name}' of {version.ref} does not verify",
                why=error.why or error.what,
                way_out="restore the object from a backup or register the version again",
                subject=f"{version.ref}/{name}",
            ) from error


def _named(ref: str) -> tuple[Select[Any], dict[str, str]]:
    """The query of a reference, and what is bound in it."""
    model, _, version = ref.strip().rpartition(":")
    return (_BY_NAME, {"model": model, "version": version}) if model else (_BY_VERSION, {"version": version})


def _next_name(connection: Connection, model: str) -> str:
    highest = connection.execute(select(func.max(_table.c.number)).where(_table.c.model == model)).scalar()
    return f"v{(highest or 0) + 1}"


def _keep(change: Change, version: ModelVersion, artefacts: Mapping[str, bytes]) -> None:
    """Write the version, its first stage and its lineage."""
    change.keep(VERSIONS, version, (version.author, "register", version.ref, version.digest), stage="Registered")
    if rows := metric_rows(version):
        change.connection.execute(insert(metrics_table), rows)
    first = StageChange(
        ref=version.ref,
        from_stage=None,
        to_stage="Registered",
        actor=version.author,
        reason="registered",
        evidence=(),
        at=change.at,
    )
    change.keep(STAGES, first, (version.author, "stage", version.ref, "Registered"))
    edges = [*_edges(version), *row_edges(version.ref, version.lineage.data, artefacts)]
    GraphRelational.add_in(change.connection, edges)


def _acceptable(model: str, artefacts: Mapping[str, bytes]) -> None:
    if not _MODEL.fullmatch(model):
        raise RegistryError(
            f"'{model[:120]}' cannot be a model's name",
            why="a name is 1 to 100 letters, digits, '.', '_' or '-', and starts with a letter or digit",
            way_out="rename the system",
        )
    if not artefacts:
        raise RegistryError(f"a version of '{model}' needs at least one artefact")
    for name, data in artefacts.items():
        if not _FILE.fullmatch(name):
            raise RegistryError(f"'{name[:120]}' cannot be an artefact's name", way_out="use a plain file name")
        problems = scan(name, data)
        if problems:
            raise RegistryError(
                f"artefact '{name}' of '{model}' is refused", why="; ".join(problems[:3]), subject=f"{model}/{name}"
            )


def _edges(version: ModelVersion) -> list[Edge]:
    lineage = version.lineage
    sources = [
        (f"data:{lineage.data}", "trained"),
        (f"code:{lineage.code}", "built"),
        (f"features:{lineage.features}", "shaped"),
        (f"environment:{lineage.environment}", "ran"),
        (f"run:{lineage.run_id}", "produced"),
        (lineage.parent, "preceded"),
        *((str(ref), "joined") for ref in _members(lineage)),
    ]
    return [
        Edge(source=source, relation=relation, target=version.ref)
        for source, relation in sources
        if source and not source.endswith(":")
    ]


def _members(lineage: Lineage) -> list[Any]:
    """The versions that an ensemble is made of."""
    members = lineage.parameters.get("members") if lineage.parameters.get("family") == "ensemble" else None
    return list(members) if isinstance(members, list | tuple | dict) else []
