"""The stages of a version: one table, drawn in the document and enforced here.

Source: Staging -> Canary -> Production -> Archived follows Avila & Ahmad (2025), chapter 6; ``Refused`` and
``RolledBack`` are ends of their own, so that neither can be mistaken for the other or for a quiet retreat.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, bindparam, select, update

from bluegold.core.errors import ForbiddenTransition
from bluegold.core.nouns import ModelVersion, Stage, StageChange
from bluegold.registry.approvals import Approvals
from bluegold.registry.audit import Audit, Change
from bluegold.registry.tables import STAGES, VERSIONS, micros, split_ref
from bluegold.registry.versions import Versions
from bluegold.security.access import Access, Action

__all__ = ["TRANSITIONS", "Lifecycle", "Transition", "allowed"]


class Transition(msgspec.Struct, frozen=True):
    """One allowed change of stage and when it happens."""

    from_stage: Stage
    to_stage: Stage
    when: str


#: Every change of stage that exists.
TRANSITIONS: tuple[Transition, ...] = (
    Transition("Registered", "Staging", "a release opens"),
    Transition("Registered", "Refused", "a gate or a person says no"),
    Transition("Staging", "Canary", "all six gates pass"),
    Transition("Staging", "Refused", "a gate or a person says no"),
    Transition("Staging", "RolledBack", "rehearsal or shadow fails"),
    Transition("Canary", "Production", "the shift ends well, approved where the plan asks for it"),
    Transition("Canary", "Refused", "a person says no"),
    Transition("Canary", "RolledBack", "the canary or the shift fails"),
    Transition("Production", "Archived", "a newer version is promoted"),
    Transition("Production", "RolledBack", "production goes back to an archived version"),
    Transition("Archived", "Production", "it is restored"),
    Transition("Refused", "Staging", "a new release runs every gate again"),
    Transition("RolledBack", "Staging", "a new release runs every gate again"),
)

_changes = STAGES.table
_versions = VERSIONS.table


def _production_query() -> Select[tuple[Any]]:
    """The last change into Production up to a moment whose version had not left it by then (built once: it is hot)."""
    later = _changes.alias("later")
    gone = select(later.c.id).where(
        later.c.model == _changes.c.model,
        later.c.version == _changes.c.version,
        later.c.from_stage == "Production",
        later.c.id > _changes.c.id,
        later.c.at <= bindparam("moment"),
    )
    into = (_changes.c.model == bindparam("model")) & (_changes.c.to_stage == "Production")
    return (
        select(_changes.c.body)
        .where(into, _changes.c.at <= bindparam("moment"), ~gone.exists())
        .order_by(_changes.c.id.desc())
        .limit(1)
    )


_PRODUCTION = _production_query()

#: The same without a moment: the version whose stage it is now, which an index holds alone.
_PRODUCTION_NOW = (
    select(_changes.c.body)
    .where(_changes.c.model == bindparam("model"), _changes.c.to_stage == "Production")
    .where(
        _changes.c.version
        == select(_versions.c.version)
        .where(_versions.c.model == bindparam("model"), _versions.c.stage == "Production")
        .scalar_subquery()
    )
    .order_by(_changes.c.id.desc())
    .limit(1)
)


_MOVE = (
    update(_versions)
    .where(_versions.c.model == bindparam("its_model"), _versions.c.version == bindparam("its_version"))
    .execution_options(unread=True)
)
_CURRENT = select(_versions.c.version).where(_versions.c.model == bindparam("model"), _versions.c.stage == "Production")


def allowed(stage: Stage) -> tuple[Stage, ...]:
    """The stages that may follow ``stage``.

    Example:
        >>> allowed("Canary")
        ('Production', 'Refused', 'RolledBack')
    """
    return tuple(step.to_stage for step in TRANSITIONS if step.from_stage == stage)


class Lifecycle:
    """Moves versions through the stage table and answers who was in production when.

    Args:
        audit: the chain that every change is written to.
        versions: reads versions and verified artefacts.
        approvals: counts consents for governed versions.
        access: who may move and promote.
    """

    def __init__(self, audit: Audit, versions: Versions, approvals: Approvals, access: Access) -> None:
        self._audit = audit
        self._versions = versions
        self._approvals = approvals
        self._access = access

    def transition(
        self, ref: str, to: Stage, actor: str = "", reason: str = "", evidence: Sequence[str] = ()
    ) -> StageChange:
        """Change a version's stage; a promotion archives the old production in the same transaction.

        Args:
            ref: the version.
            to: its new stage.
            actor: who does it; empty means the registry's actor.
            reason: why.
            evidence: what it rests on (gate reports, releases, decisions), as references.

        Raises:
            UnknownVersion: there is no such version.
            ForbiddenTransition: the stage table has no such change, or approvals are missing; says what is allowed.
            AccessDenied: the actor may not do it.
            IntegrityError: a version to be promoted does not verify.
        """
        self.check(ref, to, actor or self._audit.actor)
        with self._audit.change(actor) as change:
            return self.move_in(change, ref, to, reason, evidence)

    def check(self, ref: str, to: Stage, actor: str) -> None:
        """What must hold before a change of stage may be tried: access, and consent where it is governed."""
        actions: dict[Stage, tuple[Action, ...]] = {
            "Production": ("promote",),
            "RolledBack": ("restore",),
            "Refused": ("move", "restore"),
        }
        self._access.require(actor, *actions.get(to, ("move",)))
        if to == "Production" and self._versions.get(ref).stage != "Archived":
            self._approvals.demand(ref, actor)

    def move_in(self, change: Change, ref: str, to: Stage, reason: str, evidence: Sequence[str] = ()) -> StageChange:
        """As :meth:`transition`, inside a change that is open already and was checked."""
        version = self._versions.get_in(change.connection, ref)
        if to not in allowed(version.stage):
            raise ForbiddenTransition(
                f"{version.ref} cannot go from {version.stage} to {to}",
                why=f"from {version.stage} it may go to {', '.join(allowed(version.stage)) or 'no other stage'}",
                subject=version.ref,
            )
        if to == "Production":
            current = self.current_in(change.connection, version.model)
            if current:
                self._write(change, current, "Archived", f"{version.version} is promoted", evidence)
        return self._write(change, version, to, reason, evidence)

    def production(self, model: str, at: dt.datetime | None = None) -> StageChange | None:
        """The change that made some version production now, or at a past moment; None when there was none."""
        if at is None:
            found = self._audit.store.rows(_PRODUCTION_NOW, {"model": model})
        else:
            found = self._audit.store.rows(_PRODUCTION, {"model": model, "moment": micros(at)})
        return msgspec.json.decode(found[0].body, type=StageChange) if found else None

    def history(
        self, model: str | None = None, at: dt.datetime | None = None, limit: int = 10_000
    ) -> tuple[StageChange, ...]:
        """The newest ``limit`` changes of stage up to ``at`` (or now), oldest first; of one model when given."""
        query = select(_changes.c.body).order_by(_changes.c.id.desc()).limit(limit)
        if model is not None:
            query = query.where(_changes.c.model == model)
        if at is not None:
            query = query.where(_changes.c.at <= micros(at))
        with self._audit.store.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return tuple(msgspec.json.decode(body, type=StageChange) for body in reversed(bodies))

    def previous(self, model: str) -> ModelVersion | None:
        """The archived version that was in production last: what a rollback goes back to."""
        with self._audit.store.read() as connection:
            return self.previous_in(connection, model)

    @staticmethod
    def previous_in(connection: Connection, model: str) -> ModelVersion | None:
        """As :meth:`previous`, inside a transaction that is open already."""
        query = (
            select(_changes.c.version)
            .join(_versions, (_versions.c.model == _changes.c.model) & (_versions.c.version == _changes.c.version))
            .where(_changes.c.model == model, _changes.c.from_stage == "Production", _changes.c.to_stage == "Archived")
            .where(_versions.c.stage == "Archived")
            .order_by(_changes.c.id.desc())
            .limit(1)
        )
        version = connection.execute(query).scalar()
        return None if version is None else Versions.get_in(connection, f"{model}:{version}")

    def current_in(self, connection: Connection, model: str) -> ModelVersion | None:
        """The version in production, inside a transaction that is open already."""
        version = connection.execute(_CURRENT, {"model": model}).scalar()
        return None if version is None else self._versions.get_in(connection, f"{model}:{version}")

    def _write(
        self, change: Change, version: ModelVersion, to: Stage, reason: str, evidence: Sequence[str]
    ) -> StageChange:
        done = StageChange(
            ref=version.ref,
            from_stage=version.stage,
            to_stage=to,
            actor=change.actor,
            reason=reason,
            evidence=tuple(evidence),
            at=change.at,
        )
        model, name = split_ref(version.ref)
        change.connection.execute(_MOVE, {"its_model": model, "its_version": name, "stage": to})
        change.keep(STAGES, done, (change.actor, "stage", version.ref, to))
        return done
