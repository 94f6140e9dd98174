"""All or none: a release that was promoted together with others falls with them, whoever is left to carry it out."""

from __future__ import annotations

from bluegold.delivery.journal import Journal

__all__ = ["fallen", "others"]


def fallen(journal: Journal) -> str:
    """Why the others are not in production, though they should be together with this one; nothing when they are.

    Args:
        journal: a release in phase ``promoting``, its version in production by now.
    """
    for ref in others(journal):
        version, release = journal.registry.versions.get(ref), journal.registry.releases.active(ref.rpartition(":")[0])
        leaving = release is not None and release.ref == ref and release.phase == "rolling_back"
        if leaving or version.stage == "RolledBack":
            return f"{ref}, which was promoted together with it, was taken back"
    return ""


def others(journal: Journal) -> list[str]:
    """The versions that a release was promoted together with."""
    return [str(ref) for ref in journal.detail.get("together", ()) if ref != journal.ref]
