"""Releases: where each delivery stands, written before it takes effect; which phase may follow is delivery's table."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from bluegold.core.errors import ForbiddenTransition, RegistryError
from bluegold.registry.audit import Audit
from bluegold.registry.tables import RELEASES, Release, split_ref
from bluegold.registry.versions import Versions
from bluegold.security.access import Access
from bluegold.stores.graph_relational import GraphRelational
from bluegold.stores.protocols import Edge

__all__ = ["CLOSED", "FIRST", "Releases"]

_table = RELEASES.table

#: The phase a release starts in, and the phases it ends in.
FIRST = "candidate"
CLOSED = frozenset({"promoted", "refused", "rolled_back"})

#: The phases that go towards safety: whoever may restore may go there.
SAFE = frozenset({"refused", "rolling_back", "rolled_back"})


class Releases:
    """Keeps every step of every release; one release of a model is open at a time.

    Args:
        audit: the chain that every step is written to.
        access: who may open and advance.
    """

    def __init__(self, audit: Audit, access: Access) -> None:
        self._audit = audit
        self._access = access

    def open(self, ref: str, actor: str = "", detail: dict[str, Any] | None = None) -> Release:
        """Open a release of a version, or give back the one that is open for it already.

        Raises:
            UnknownVersion: there is no such version.
            RegistryError: a release of another version of the model is open.
            AccessDenied: the actor may not release.
        """
        self._access.require(actor or self._audit.actor, "release")
        with self._audit.change(actor) as change:
            ref = Versions.get_in(change.connection, ref).ref
            running = self._active_in(change.connection, split_ref(ref)[0])
            if running is not None and running.ref == ref:
                return running
            if running is not None:
                raise RegistryError(
                    f"{ref} cannot be released now",
                    why=f"release {running.id} of {running.ref} is in phase '{running.phase}'",
                    way_out="let it end, or roll it back",
                    subject=ref,
                )
            count = change.connection.execute(select(func.count(func.distinct(_table.c.release)))).scalar() or 0
            release = Release(
                id=f"r{count + 1}",
                ref=ref,
                phase=FIRST,
                detail=detail or {},
                opened_at=change.at,
                updated_at=change.at,
                actor=change.actor,
            )
            change.keep(RELEASES, release, (change.actor, "release", f"{release.id} {ref}", FIRST))
            way = Edge(source=ref, relation="released by", target=f"release:{release.id}")
            GraphRelational.add_in(change.connection, [way])
        return release

    def advance(
        self,
        release: str,
        phase: str,
        detail: dict[str, Any] | None = None,
        *,
        expected: str = "",
        actor: str = "",
    ) -> Release:
        """Write the next step of a release.

        Args:
            release: its identifier.
            phase: the phase it is in now.
            detail: what this step is about; it replaces the one before.
            expected: the phase the caller thinks it is in; another one refuses the step (two controllers).
            actor: who does it; empty means the registry's actor.

        Raises:
            RegistryError: there is no such release, or it is not in the expected phase.
            ForbiddenTransition: the release has ended.
        """
        self._access.require(actor or self._audit.actor, "release", *(("restore",) if phase in SAFE else ()))
        with self._audit.change(actor) as change:
            current = self._last_in(change.connection, _table.c.release == release)
            if current is None:
                raise RegistryError(f"there is no release '{release}'", way_out="bluegold history lists releases")
            if current.phase in CLOSED:
                raise ForbiddenTransition(
                    f"release {release} of {current.ref} has ended", why=f"it was {current.phase}", subject=current.ref
                )
            if expected and expected != current.phase:
                raise RegistryError(
                    f"release {release} is in phase '{current.phase}', not '{expected}'",
                    why="another controller moved it",
                    subject=current.ref,
                )
            done = msgspec.structs.replace(
                current, phase=phase, detail=detail or {}, updated_at=change.at, actor=change.actor
            )
            change.keep(RELEASES, done, (change.actor, "release", f"{done.id} {done.ref}", phase))
        return done

    def get(self, ref: str) -> Release | None:
        """The newest release of a version, or the release with that identifier; None when there is none."""
        with self._audit.store.read() as connection:
            found = self._last_in(connection, _table.c.release == ref)
            if found is not None:
                return found
            model, version = split_ref(Versions.get_in(connection, ref).ref)
            return self._last_in(connection, (_table.c.model == model) & (_table.c.version == version))

    def active(self, model: str) -> Release | None:
        """The release of a model that has not ended, if any."""
        with self._audit.store.read() as connection:
            return self._active_in(connection, model)

    def list(self, model: str | None = None, limit: int = 100) -> tuple[Release, ...]:
        """The present state of releases, newest first."""
        newest = select(func.max(_table.c.id)).group_by(_table.c.release)
        if model is not None:
            newest = newest.where(_table.c.model == model)
        query = select(_table.c.body).where(_table.c.id.in_(newest)).order_by(_table.c.id.desc()).limit(limit)
        with self._audit.store.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return tuple(msgspec.json.decode(body, type=Release) for body in bodies)

    def steps(self, release: str) -> tuple[Release, ...]:
        """Every step of one release, oldest first."""
        query = select(_table.c.body).where(_table.c.release == release).order_by(_table.c.id)
        with self._audit.store.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return tuple(msgspec.json.decode(body, type=Release) for body in bodies)

    def _active_in(self, connection: Connection, model: str) -> Release | None:
        last = self._last_in(connection, _table.c.model == model)
        return None if last is None or last.phase in CLOSED else last

    @staticmethod
    def _last_in(connection: Connection, where: Any) -> Release | None:
        query = select(_table.c.body).where(where).order_by(_table.c.id.desc()).limit(1)
        body = connection.execute(query).scalar()
        return None if body is None else msgspec.json.decode(body, type=Release)
