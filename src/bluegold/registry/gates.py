"""Gate reports: what every gate said about every candidate, kept for ever."""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from bluegold.core.nouns import GateReport
from bluegold.registry.audit import Audit
from bluegold.registry.tables import GATES, split_ref
from bluegold.registry.versions import Versions
from bluegold.security.access import Access

__all__ = ["Gates"]

_table = GATES.table


class Gates:
    """Keeps gate reports.

    Args:
        audit: the chain that every report is written to.
        access: who may record.
    """

    def __init__(self, audit: Audit, access: Access) -> None:
        self._audit = audit
        self._access = access

    def record(self, report: GateReport, actor: str = "") -> GateReport:
        """Keep a report; its candidate must exist (a short reference becomes the full one).

        Raises:
            UnknownVersion: the candidate does not exist.
            AccessDenied: the actor may not record gate reports.
        """
        self._access.require(actor or self._audit.actor, "gate")
        with self._audit.change(actor) as change:
            ref = Versions.get_in(change.connection, report.candidate).ref
            done = msgspec.structs.replace(report, candidate=ref)
            change.keep(GATES, done, (change.actor, f"gate {done.gate}", ref, done.verdict))
        return done

    def reports(self, ref: str) -> tuple[GateReport, ...]:
        """Every report about a version, oldest first (a gate that ran twice appears twice)."""
        with self._audit.store.read() as connection:
            model, version = split_ref(Versions.get_in(connection, ref).ref)
            query = select(_table.c.body).where(_table.c.model == model, _table.c.version == version)
            bodies = connection.execute(query.order_by(_table.c.id)).scalars().all()
        return tuple(msgspec.json.decode(body, type=GateReport) for body in bodies)

    def latest(self, ref: str) -> dict[str, GateReport]:
        """The last report of each gate about a version, by gate and in the order of their names."""
        return {report.gate: report for report in sorted(self.reports(ref), key=lambda report: report.gate)}
