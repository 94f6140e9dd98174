"""The registry: one object that opens the parts; each part is one file beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

from bluegold.core.errors import AccessDenied, RegistryError
from bluegold.core.nouns import ModelVersion, TrafficSplit
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.registry.approvals import Approvals
from bluegold.registry.audit import Audit, Change
from bluegold.registry.gates import Gates
from bluegold.registry.leases import Leases
from bluegold.registry.lifecycle import Lifecycle
from bluegold.registry.releases import Releases
from bluegold.registry.restore import Restore
from bluegold.registry.reviews import Reviews
from bluegold.registry.traffic import Traffic
from bluegold.registry.users import Users, renew
from bluegold.registry.versions import Versions
from bluegold.security.access import Access, is_automatic
from bluegold.security.identities import Identities
from bluegold.security.proof import Proof, presented_key
from bluegold.security.signing import Signer
from bluegold.stores.graph_relational import GraphRelational
from bluegold.stores.protocols import ObjectStore, RelationalStore
from bluegold.stores.urls import connect

__all__ = ["Registry"]


class Registry:
    """The model registry of one workspace.  Every write is one transaction together with its audit rows.

    Use :meth:`open`.  Threads may share a registry; a forked process must open its own.

    Attributes:
        versions: artefacts, lineage, metrics.
        lifecycle: stages, and who was in production when.
        traffic: who answers now.
        approvals: consents.
        reviews: comments and refusals.
        users: who may be recognised here.
        gates: gate reports.
        releases: where each delivery stands.
        leases: who may act now.
        audit: the hash chain.
        lineage: the graph from data, code and features to versions.
        restore: one step to the safe configuration.

    Example:
        >>> import tempfile, pathlib
        >>> registry = Registry.open(Workspace.create(pathlib.Path(tempfile.mkdtemp())), actor="ada")
        >>> registry.versions.list()
        ()
        >>> registry.audit.verify().ok
        True
        >>> registry.close()
    """

    def __init__(
        self, store: RelationalStore, objects: ObjectStore, audit: Audit, access: Access, identities: Identities
    ) -> None:
        self._store = store
        self._objects = objects
        self._identities = identities
        self.actor = audit.actor
        self.access = access
        self.audit = audit
        audit.vouch = access.vouch
        self.versions = Versions(audit, objects, access)
        self.reviews = Reviews(audit, self.versions, objects, access)
        self.approvals = Approvals(audit, self.versions, self.reviews, access)
        self.users = Users(audit, identities, access)
        self.lifecycle = Lifecycle(audit, self.versions, self.approvals, access)
        self.traffic = Traffic(audit, access)
        self.gates = Gates(audit, access)
        self.releases = Releases(audit, access)
        self.leases = Leases(audit)
        self.restore = Restore(audit, self.versions, self.lifecycle, self.traffic, access)
        self.lineage = GraphRelational(store)

    @classmethod
    def open(cls, workspace: Workspace, actor: str = "", key: str = "", *, relational: str = "") -> Registry:
        """Open the registry of a workspace; the first time, make it.

        Args:
            workspace: an existing workspace folder.
            actor: who acts where a call does not say otherwise; empty means the settings' actor.
            key: proves it, once the workspace has users; empty means the settings' key, asked for at the first change.
            relational: kind or URL of the database; empty means the settings'.

        Raises:
            StoreError: a store cannot be opened.
            IntegrityError: the registry exists but its signing key does not.
        """
        chosen = settings()
        with ExitStack() as opened:  # what was opened is closed again when the rest cannot be
            store = connect(relational or chosen.relational_url or "sqlite", "relational", workspace)
            opened.callback(store.close)
            objects = connect(chosen.object_url or "files", "object", workspace)
            opened.callback(objects.close)
            signer = Signer.open(workspace.keys)
            head, who = workspace.keys / "audit.head", actor or chosen.actor
            audit = Audit(store, signer, head, who, workspace.root / "audit")
            audit.found()
            identities = Identities.open(workspace)
            proof = Proof(identities, lambda: key or presented_key(), lambda: renew(audit, identities))
            found = cls(store, objects, audit, Access.read(workspace.root / "access.json", proof), identities)
            opened.pop_all()
            return found

    def act_as(self, given: str = "", key: str = "") -> str:
        """Let whoever the key belongs to act from here on; without users in this workspace, whoever is named.

        Args:
            given: the name that was given, if one was.
            key: the key that was presented; empty when none was.  A key that does not hold proves nothing: the first
                change asks for it again and says why.

        Returns:
            who acts.

        Raises:
            AccessDenied: the key is somebody else's than the one who is named, or no key was given for an automatic
                actor.
        """
        if self.access.proven:
            found = self._identities.identify(key) if key else None
            if found is not None and given and given.strip().casefold() != found.name.casefold():
                raise AccessDenied(
                    f"'{given.strip()}' was named, but the key is that of '{found.name}'",
                    way_out="leave --actor and BLUEGOLD_ACTOR away: the key says who acts",
                    subject=given,
                )
            if found is None and is_automatic(given or self.actor):
                raise AccessDenied(
                    f"'{given or self.actor}' is a name, and a name alone changes nothing here",
                    why="this workspace has users, and no key that holds was given",
                    way_out="bluegold user add automatic --role automatic, and BLUEGOLD_KEY_FILE with that key",
                    subject=given,
                )
            given = found.name if found is not None else given
        self.actor = self.audit.actor = given.strip() or self.actor
        return self.actor

    def promote(self, ref: str, actor: str = "", reason: str = "", evidence: Sequence[str] = ()) -> TrafficSplit:
        """Make a version production and let it answer alone, in one transaction.

        Raises:
            ForbiddenTransition: the stage table or missing approvals do not allow it.
            AccessDenied: the actor may not promote it.
            IntegrityError: an artefact of the version does not verify; nothing was changed.
        """
        return self.promote_together((ref,), actor, reason, evidence)[0]

    def promote_together(
        self, refs: Sequence[str], actor: str = "", reason: str = "", evidence: Sequence[str] = ()
    ) -> tuple[TrafficSplit, ...]:
        """Make versions of several models production, all or none, in one transaction.

        Raises:
            RegistryError: two of them are of one model.
            ForbiddenTransition: the stage table or missing approvals do not allow one of them; nothing was changed.
            AccessDenied: the actor may not promote one of them.
            IntegrityError: an artefact of one does not verify; nothing was changed.
        """
        versions = [self.versions.get(ref) for ref in refs]
        if len({version.model for version in versions}) < len(versions):
            raise RegistryError("two versions of one model cannot be promoted together", subject=", ".join(refs))
        for version in versions:
            self.lifecycle.check(version.ref, "Production", actor or self.actor)
            self.versions.artefacts(version.ref)
        with self.audit.change(actor) as change:
            return tuple(self._promote_in(change, version, reason, evidence) for version in versions)

    def _promote_in(self, change: Change, version: ModelVersion, reason: str, evidence: Sequence[str]) -> TrafficSplit:
        self.lifecycle.move_in(change, version.ref, "Production", reason, evidence)
        before = self.traffic.current_in(change.connection, version.model)
        split = TrafficSplit(
            model=version.model,
            revision=0,
            blue=version.ref,
            sticky_by=before.sticky_by if before else "",
            set_by=change.actor,
            reason=reason,
        )
        return self.traffic.set_in(change, split)

    def ping(self) -> None:
        """Prove that the stores answer; raises ``StoreError`` when one does not."""
        self._store.ping()
        self._objects.ping()

    def close(self) -> None:
        """Close the stores."""
        self._store.close()
        self._objects.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
