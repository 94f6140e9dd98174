"""Approvals: a person's consent, never the author's, bound to one digest, for as long as the plan lets it count."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
from sqlalchemy import select

from bluegold.core.errors import AccessDenied, DefinitionError, ForbiddenTransition
from bluegold.core.nouns import Approval, ModelVersion
from bluegold.core.plan import Governance
from bluegold.registry.audit import Audit
from bluegold.registry.reviews import Reviews
from bluegold.registry.tables import APPROVALS, split_ref
from bluegold.registry.versions import Versions
from bluegold.security.access import Access, is_automatic, require_other

__all__ = ["Approvals", "Standing", "lifetime"]

_table = APPROVALS.table


class _Plan(msgspec.Struct):
    """The two parts of a version's plan that say who may promote it."""

    regulated: bool = False
    governance: Governance = Governance()


_UNITS = {"m": 60, "h": 3600, "d": 86_400}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version stands on its way past its reviewers.

    Attributes:
        needed: how many consents its plan asks for; 0 when it may be promoted automatically.
        counting: the consents that count now.
        expired: consents that are too old.
        refused_by: who said no and did not consent since.
        missing: what still stands in the way, in words; empty when nothing does.
    """

    needed: int
    counting: tuple[Approval, ...]
    expired: tuple[Approval, ...]
    refused_by: tuple[str, ...]
    missing: str


def lifetime(text: str) -> dt.timedelta | None:
    """How long an approval counts; None for ever.

    Example:
        >>> lifetime("12h"), lifetime("")
        (datetime.timedelta(seconds=43200), None)
    """
    return dt.timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]]) if text else None


class Approvals:
    """Takes consents and says whether a version has enough of them.

    Args:
        audit: the chain that every consent is written to.
        versions: reads versions and their plan.
        reviews: knows who said no, and keeps evidence.
        access: who may approve.
    """

    def __init__(self, audit: Audit, versions: Versions, reviews: Reviews, access: Access) -> None:
        self._audit = audit
        self._versions = versions
        self._reviews = reviews
        self._access = access

    def approve(self, ref: str, actor: str = "", comment: str = "", evidence: Sequence[str] = ()) -> Approval:
        """Consent to a version; while a consent of the same person counts, a second one is the first one.

        Args:
            ref: the version.
            actor: who; empty means the registry's actor.
            comment: what was looked at.
            evidence: what it rests on, as references (see :meth:`~bluegold.registry.reviews.Reviews.attach`).

        Raises:
            UnknownVersion: there is no such version.
            AccessDenied: the actor is the author, is not a person, or lacks the role.
            IntegrityError: the version does not verify, so nobody can know what would be approved.
        """
        actor = (actor or self._audit.actor).strip()
        version = self._versions.verified(ref)
        require_other(version.author, actor, version.ref)
        self._access.require(actor, "approve")
        standing = self.standing(version.ref)
        with self._audit.change(actor) as change:
            mine = select(_table.c.body).where(
                _table.c.model == version.model, _table.c.version == version.version, _table.c.actor == actor
            )
            body = change.connection.execute(mine.order_by(_table.c.id.desc()).limit(1)).scalar()
            found = None if body is None else msgspec.json.decode(body, type=Approval)
            if found is not None and found not in standing.expired and actor not in standing.refused_by:
                return found
            approval = Approval(
                ref=version.ref,
                digest=version.digest,
                actor=actor,
                comment=comment,
                at=change.at,
                roles=self._access.roles(actor),
                evidence=tuple(evidence),
            )
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
        governance = self._governance(self._versions.verified(ref))
        return governance.approvals if governance is not None else 0

    def standing(self, ref: str) -> Standing:
        """Which consents count, and what is still missing.

        Raises:
            DefinitionError: the version's ``plan.json`` does not say who may promote.
        """
        version = self._versions.verified(ref)
        governance = self._governance(version) or Governance(approvals=1)
        needed = self.needed(version.ref)
        moment = self._audit.at_least()
        last = {one.actor.casefold(): one for one in self.list(version.ref) if one.digest == version.digest}
        last.pop(version.author.strip().casefold(), None)
        refused = {
            who: said for who, said in self._reviews.refusals(version).items() if who not in last or said > last[who].at
        }
        life = lifetime(governance.valid_for)
        expired = tuple(one for one in last.values() if life is not None and moment >= one.at + life)
        able = tuple(one for one in last.values() if one not in expired and one.actor.casefold() not in refused)
        of_roles = governance.of_roles
        counting = tuple(one for one in able if not of_roles or set(one.roles) & set(of_roles))
        missing = _missing(governance, needed, counting, expired, tuple(refused))
        return Standing(needed=needed, counting=counting, expired=expired, refused_by=tuple(refused), missing=missing)

    def _governance(self, version: ModelVersion) -> Governance | None:
        """What the version's own (signed) plan says about people; None when it asks for none."""
        if "plan.json" not in version.artefacts:
            return None
        try:
            plan = msgspec.json.decode(self._versions.artefact(version.ref, "plan.json"), type=_Plan)
        except msgspec.MsgspecError as error:
            raise DefinitionError(
                f"the plan of {version.ref} does not say who may promote it", why=str(error), subject=version.ref
            ) from error
        return plan.governance if plan.regulated or plan.governance.approval == "human" else None

    def demand(self, ref: str, actor: str) -> None:
        """Accept that ``actor`` promotes the version.

        Raises:
            ForbiddenTransition: consents are missing; says how many.
            AccessDenied: the plan asks for a person and the actor is none.
        """
        standing = self.standing(ref)
        version = self._versions.get(ref)
        if standing.expired:  # from now on the chain itself says what time it was: a clock put back revives nothing
            names = ", ".join(one.actor for one in standing.expired)
            self._audit.append(actor, "approvals expired", version.ref, names)
        if standing.missing:
            raise ForbiddenTransition(
                f"{version.ref} cannot be promoted yet",
                why=standing.missing,
                way_out=f"bluegold approve {version.ref}, as somebody other than '{version.author}'",
                subject=version.ref,
            )
        if standing.needed and is_automatic(actor):
            raise AccessDenied(
                f"'{actor}' cannot promote {version.ref}",
                why="its plan asks for a person to do it",
                way_out=f"bluegold promote {version.ref}",
                subject=version.ref,
            )


def _missing(
    governance: Governance,
    needed: int,
    counting: Sequence[Approval],
    expired: Sequence[Approval],
    refused: Sequence[str],
) -> str:
    if refused:
        return f"{', '.join(refused)} said no to it"
    if needed == 0:
        return ""
    lapsed = f" ({len(expired)} more expired after {governance.valid_for})" if expired else ""
    asked = f" of {' or '.join(governance.of_roles)}" if governance.of_roles else ""
    if len(counting) < needed:
        wanted = f"{needed} approval(s){asked} by others than its author"
        return f"its plan asks for {wanted} and it has {len(counting)}{lapsed}"
    held = {role for one in counting for role in one.roles}
    absent = [role for role in governance.of_roles if role not in held]
    if governance.every_role and absent:
        return f"its plan asks for an approval by a {' and a '.join(absent)}{lapsed}"
    return ""
