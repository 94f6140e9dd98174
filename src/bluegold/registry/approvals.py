"""Approvals: a person's consent, never the author's, bound to one digest."""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from bluegold.core.errors import AccessDenied, DefinitionError, ForbiddenTransition
from bluegold.core.nouns import Approval
from bluegold.core.plan import Governance
from bluegold.registry.audit import Audit
from bluegold.registry.tables import APPROVALS, split_ref
from bluegold.registry.versions import Versions
from bluegold.security.access import Access, is_automatic, require_other

__all__ = ["Approvals"]

_table = APPROVALS.table


class _Plan(msgspec.Struct):
    """The two parts of a version's plan that say who may promote it."""

    regulated: bool = False
    governance: Governance = Governance()


class Approvals:
    """Takes consents and says whether a version has enough of them.

    Args:
        audit: the chain that every consent is written to.
        versions: reads versions and their plan.
        access: who may approve.
    """

    def __init__(self, audit: Audit, versions: Versions, access: Access) -> None:
        self._audit = audit
        self._versions = versions
        self._access = access

    def approve(self, ref: str, actor: str = "", comment: str = "") -> Approval:
        """Consent to a version; a second consent of the same person is the first one.

        Raises:
            UnknownVersion: there is no such version.
            AccessDenied: the actor is the author, is not a person, or lacks the role.
            IntegrityError: the version does not verify, so nobody can know what would be approved.
        """
        actor = (actor or self._audit.actor).strip()
        version = self._versions.verified(ref)
        require_other(version.author, actor, version.ref)
        self._access.require(actor, "approve")
        with self._audit.change(actor) as change:
            mine = select(_table.c.body).where(
                _table.c.model == version.model, _table.c.version == version.version, _table.c.actor == actor
            )
            body = change.connection.execute(mine).scalar()
            if body is not None:
                return msgspec.json.decode(body, type=Approval)
            approval = Approval(ref=version.ref, digest=version.digest, actor=actor, comment=comment, at=change.at)
            change.keep(APPROVALS, approval, (actor, "approve", version.ref, version.digest))
        return approval

    def list(self, ref: str) -> tuple[Approval, ...]:
        """The consents to a version, oldest first."""
        model, version = split_ref(self._versions.get(ref).ref)
        query = select(_table.c.body).where(_table.c.model == model, _table.c.version == version)
        with self._audit.store.read() as connection:
            bodies = connection.execute(query.order_by(_table.c.id)).scalars().all()
        return tuple(msgspec.json.decode(body, type=Approval) for body in bodies)

    def needed(self, ref: str) -> int:
        """How many consents the version's own (signed) plan asks for; 0 when it may be promoted automatically.

        Raises:
            DefinitionError: the version's ``plan.json`` does not say who may promote.
        """
        version = self._versions.verified(ref)
        if "plan.json" not in version.artefacts:
            return 0
        try:
            plan = msgspec.json.decode(self._versions.artefact(version.ref, "plan.json"), type=_Plan)
        except msgspec.MsgspecError as error:
            raise DefinitionError(
                f"the plan of {version.ref} does not say who may promote it", why=str(error), subject=version.ref
            ) from error
        human = plan.regulated or plan.governance.approval == "human"
        return plan.governance.approvals if human else 0

    def demand(self, ref: str, actor: str) -> None:
        """Accept that ``actor`` promotes the version.

        Raises:
            ForbiddenTransition: consents are missing; says how many.
            AccessDenied: the plan asks for a person and the actor is none.
        """
        needed = self.needed(ref)
        if needed == 0:
            return
        version = self._versions.get(ref)
        given = {a.actor.casefold() for a in self.list(ref) if a.digest == version.digest}
        given.discard(version.author.strip().casefold())
        if len(given) < needed:
            raise ForbiddenTransition(
                f"{version.ref} cannot be promoted yet",
                why=f"its plan asks for {needed} approval(s) by others than its author and it has {len(given)}",
                way_out=f"bluegold approve {version.ref}, as somebody other than '{version.author}'",
                subject=version.ref,
            )
        if is_automatic(actor):
            raise AccessDenied(
                f"'{actor}' cannot promote {version.ref}",
                why="its plan asks for a person to do it",
                way_out=f"bluegold promote {version.ref}",
                subject=version.ref,
            )
