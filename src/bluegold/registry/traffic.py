"""Traffic: who answers, as numbered revisions that the serving workers follow."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, bindparam, select

from bluegold.core.errors import RegistryError
from bluegold.core.nouns import TrafficSplit
from bluegold.registry.audit import Audit, Change
from bluegold.registry.tables import TRAFFIC
from bluegold.registry.versions import Versions
from bluegold.security.access import Access

__all__ = ["Traffic"]

_table = TRAFFIC.table
_CURRENT = select(_table.c.body).where(_table.c.model == bindparam("model")).order_by(_table.c.revision.desc()).limit(1)


class Traffic:
    """The traffic split of every model; each change is a new revision, none is ever overwritten.

    Args:
        audit: the chain that every revision is written to.
        access: who may set it.
    """

    def __init__(self, audit: Audit, access: Access) -> None:
        self._audit = audit
        self._access = access

    def current(self, model: str) -> TrafficSplit | None:
        """The newest revision, or None before the first."""
        found = self._audit.store.rows(_CURRENT, {"model": model})
        return msgspec.json.decode(found[0].body, type=TrafficSplit) if found else None

    @staticmethod
    def current_in(connection: Connection, model: str) -> TrafficSplit | None:
        """As :meth:`current`, inside a transaction that is open already."""
        body = connection.execute(_CURRENT, {"model": model}).scalar()
        return None if body is None else msgspec.json.decode(body, type=TrafficSplit)

    def set(self, split: TrafficSplit, expected_revision: int | None = None) -> TrafficSplit:
        """Write the next revision.

        Args:
            split: the new split; its ``revision`` and ``at`` are given here, an empty ``set_by`` means the
                registry's actor.
            expected_revision: the revision the caller decided on (0 for none); anything newer refuses the change.

        Raises:
            RegistryError: the split makes no sense, or somebody else changed it meanwhile.
            UnknownVersion: a colour names a version that does not exist.
            AccessDenied: the actor may not set traffic; to take Gold out, who may restore may.
        """
        before = self.current(split.model)
        out = split.mode == "off" and not split.gold and before is not None and before.blue == split.blue
        safe = out and before is not None and bool(before.gold)  # Gold is taken out, and nothing else
        self._access.require(split.set_by or self._audit.actor, "traffic", *(("restore",) if safe else ()))
        with self._audit.change(split.set_by) as change:
            return self.set_in(change, split, expected_revision)

    def set_in(self, change: Change, split: TrafficSplit, expected_revision: int | None = None) -> TrafficSplit:
        """As :meth:`set`, inside a change that is open already."""
        current = self.current_in(change.connection, split.model)
        revision = current.revision if current else 0
        if expected_revision is not None and expected_revision != revision:
            raise RegistryError(
                f"the traffic of '{split.model}' is at revision {revision}, not {expected_revision}",
                why=f"{current.set_by if current else 'nobody'} changed it meanwhile",
                way_out="look at the present split and decide again",
                subject=split.model,
            )
        blue, gold = self._resolved(change.connection, split)
        done = msgspec.structs.replace(
            split,
            revision=revision + 1,
            blue=blue,
            gold=gold,
            set_by=split.set_by or change.actor,
            at=change.at,
        )
        outcome = f"{done.mode} {done.gold_share:g}"
        change.keep(TRAFFIC, done, (done.set_by, "traffic", f"{done.model}#{done.revision}", outcome))
        return done

    def history(self, model: str, limit: int = 1_000) -> tuple[TrafficSplit, ...]:
        """The newest ``limit`` revisions, oldest first."""
        query = select(_table.c.body).where(_table.c.model == model).order_by(_table.c.revision.desc()).limit(limit)
        with self._audit.store.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return tuple(msgspec.json.decode(body, type=TrafficSplit) for body in reversed(bodies))

    @staticmethod
    def _resolved(connection: Connection, split: TrafficSplit) -> tuple[str, str]:
        """Full references of both colours, after the split was found to make sense."""
        problem = ""
        if not split.blue:
            problem = "nobody would answer: blue is empty"
        elif not 0.0 <= split.gold_share <= 1.0:
            problem = f"gold_share {split.gold_share} is not between 0 and 1"
        elif split.mode != "off" and not split.gold:
            problem = f"mode '{split.mode}' needs a gold version"
        elif split.mode in {"off", "rehearsal", "shadow"} and split.gold_share > 0:
            problem = f"in mode '{split.mode}' gold answers no user, so gold_share must be 0"
        if problem:
            raise RegistryError(f"this split of '{split.model}' makes no sense", why=problem, subject=split.model)
        refs = []
        for ref in (split.blue, split.gold):
            if not ref:
                refs.append("")
                continue
            version = Versions.get_in(connection, ref if ":" in ref else f"{split.model}:{ref}")
            if version.model != split.model:
                raise RegistryError(f"{version.ref} is no version of '{split.model}'", subject=split.model)
            if version.stage in {"Refused", "RolledBack"}:
                raise RegistryError(
                    f"{version.ref} cannot get traffic", why=f"its stage is {version.stage}", subject=version.ref
                )
            refs.append(version.ref)
        return refs[0], refs[1]
