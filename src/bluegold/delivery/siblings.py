"""All or none: a release that was promoted together with others falls with them, whoever is left to carry it out."""

from __future__ import annotations

from bluegold.core.workspace import Workspace
from bluegold.delivery.journal import Journal
from bluegold.delivery.rollback import rollback

__all__ = ["fallen", "take_others_back"]


def fallen(journal: Journal) -> str:
    """Why the others are not in production, though they should be together with this one; nothing when they are.

    Args:
        journal: a release in phase ``promoting``, its version in production by now.
    """
    for ref in _others(journal):
        version, release = journal.registry.versions.get(ref), journal.registry.releases.active(ref.rpartition(":")[0])
        leaving = release is not None and release.ref == ref and release.phase == "rolling_back"
        if leaving or version.stage == "RolledBack":
            return f"{ref}, which was promoted together with it, was taken back"
    return ""


def take_others_back(journal: Journal, workspace: Workspace) -> None:
    """Take back what was promoted together with a release that falls; done again, it changes nothing.

    Args:
        journal: the release that falls; its decision is written already.
        workspace: the registry's workspace.
    """
    registry = journal.registry
    for ref in _others(journal):
        model = ref.rpartition(":")[0]
        release = registry.releases.active(model)
        open_ = release is not None and release.ref == ref and release.phase in {"promoting", "rolling_back"}
        if open_ or registry.versions.get(ref).stage == "Production":
            reason = f"promoted together with {journal.ref} or not at all: {journal.detail.get('reason', '')}"
            rollback(model, registry, workspace, actor=journal.actor, reason=reason[:500])


def _others(journal: Journal) -> list[str]:
    return [str(ref) for ref in journal.detail.get("together", ()) if ref != journal.ref]
