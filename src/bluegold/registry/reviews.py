"""Reviews: what people say about a version before it is promoted, with the evidence they leave beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import select

from bluegold.core.errors import AccessDenied, UsageError
from bluegold.core.nouns import ModelVersion, Review
from bluegold.registry.audit import Audit
from bluegold.registry.tables import REVIEWS, split_ref
from bluegold.registry.versions import Versions
from bluegold.security.access import Access, is_automatic
from bluegold.stores.protocols import ObjectStore

__all__ = ["Reviews"]

_table = REVIEWS.table


class Reviews:
    """Takes comments and refusals.

    Args:
        audit: the chain that every review is written to.
        versions: reads versions.
        objects: where attached files live.
        access: who may review.
    """

    def __init__(self, audit: Audit, versions: Versions, objects: ObjectStore, access: Access) -> None:
        self._audit = audit
        self._versions = versions
        self._objects = objects
        self._access = access

    def attach(self, name: str, content: bytes) -> str:
        """Keep a file as evidence; the reference that a review, an approval or a change of stage names it by.

        Args:
            name: the file's name.
            content: its bytes; they can be read again with :meth:`attachment`.
        """
        return f"file:{name}:{self._objects.put(content)}"

    def attachment(self, reference: str) -> bytes:
        """The bytes behind a reference of :meth:`attach`, verified.

        Raises:
            UsageError: it is no such reference.
            IntegrityError: the bytes were changed.
        """
        kind, _, rest = reference.partition(":")
        if kind != "file" or ":" not in rest:
            raise UsageError(f"'{reference}' names no attached file", way_out="references begin with file:")
        return self._objects.get(rest.rpartition(":")[2])

    def add(
        self,
        ref: str,
        comment: str,
        says: Literal["comment", "reject"] = "comment",
        actor: str = "",
        evidence: Sequence[str] = (),
    ) -> Review:
        """Say something about a version; a refusal stops its promotion until the same person consents.

        Raises:
            UnknownVersion: there is no such version.
            AccessDenied: the actor may not review (to refuse: may not approve), or is no person.
            UsageError: nothing is said.
            IntegrityError: the version does not verify.
        """
        actor = (actor or self._audit.actor).strip()
        if is_automatic(actor):
            raise AccessDenied(f"'{actor}' cannot review {ref}", why="only a person can", subject=ref)
        if not comment.strip():
            raise UsageError("a review says something", way_out="give --comment")
        version = self._versions.verified(ref)
        self._access.require(actor, "approve" if says == "reject" else "review")
        with self._audit.change(actor) as change:
            review = Review(
                ref=version.ref,
                digest=version.digest,
                actor=actor,
                says=says,
                comment=comment,
                at=change.at,
                roles=self._access.roles(actor),
                evidence=tuple(evidence),
            )
            change.keep(REVIEWS, review, (actor, f"review: {says}", version.ref, version.digest))
        return review

    def list(self, ref: str) -> tuple[Review, ...]:
        """What was said about a version, oldest first."""
        model, version = split_ref(self._versions.get(ref).ref)
        query = select(_table.c.body).where(_table.c.model == model, _table.c.version == version)
        with self._audit.store.read() as connection:
            bodies = connection.execute(query.order_by(_table.c.id)).scalars().all()
        return tuple(msgspec.json.decode(body, type=Review) for body in bodies)

    def refusals(self, version: ModelVersion) -> dict[str, dt.datetime]:
        """Who said no to these very bytes, and when last."""
        return {
            one.actor.casefold(): one.at
            for one in self.list(version.ref)
            if one.says == "reject" and one.digest == version.digest
        }
