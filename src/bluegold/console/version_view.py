"""What the console shows of one version: what was found, what was said, what is missing, and what a person may do."""

from __future__ import annotations

import msgspec

from bluegold.core.errors import AccessDenied, BluegoldError
from bluegold.core.nouns import Approval, GateReport, ModelVersion, Review, StageChange
from bluegold.core.workspace import Workspace
from bluegold.export.tracing import Behind, behind
from bluegold.registry import Registry
from bluegold.registry.approvals import Standing
from bluegold.registry.tables import Release
from bluegold.security.access import Action, require_other
from bluegold.security.identity import Identity

__all__ = ["Said", "VersionPage", "look_at_version"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody said: what it was, and whether it counts now."""

    word: str
    by: Review | Approval


class VersionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the page of one version.

    Attributes:
        version: the version, verified.
        gates: the last word of every gate that was asked.
        said: what people said, oldest first.
        standing: what is missing.
        release: its newest release.
        changes: how its stage changed, newest first.
        rows: the source rows behind it, where it says so.
        rows_problem: why they cannot be shown.
        comment_stop: why whoever looks may not comment; empty when they may.
        decide_stop: why whoever looks may not approve or refuse.
    """

    version: ModelVersion
    gates: tuple[GateReport, ...]
    said: tuple[Said, ...]
    standing: Standing
    release: Release | None
    changes: tuple[StageChange, ...]
    rows: Behind | None
    rows_problem: str
    comment_stop: str
    decide_stop: str


def look_at_version(workspace: Workspace, ref: str, who: Identity | None) -> VersionPage:
    """Read the page of a version.

    Args:
        workspace: whose registry.
        ref: the version.
        who: whoever signed in.

    Raises:
        UnknownVersion: there is no such version.
        IntegrityError: it was changed.
    """
    with Registry.open(workspace) as registry:
        version = registry.versions.verified(ref)
        standing = registry.approvals.standing(version.ref)
        rows, problem = None, ""
        try:
            rows = behind(registry, workspace, version, limit=5)
        except BluegoldError as error:
            problem = str(error)
        return VersionPage(
            version=version,
            gates=tuple(registry.gates.latest(version.ref).values()),
            said=_said(registry, version.ref, standing),
            standing=standing,
            release=registry.releases.get(version.ref),
            changes=tuple(c for c in registry.lifecycle.history(version.model) if c.ref == version.ref)[::-1][:20],
            rows=rows,
            rows_problem=problem,
            comment_stop=_stop(who, "review"),
            decide_stop=_stop(who, "approve") or _four_eyes(version, who),
        )


def _said(registry: Registry, ref: str, standing: Standing) -> tuple[Said, ...]:
    expired = {(one.actor, one.at) for one in standing.expired}
    words = {"comment": "comment", "reject": "refused"}
    found = [Said(word=words[review.says], by=review) for review in registry.reviews.list(ref)]
    found += [
        Said(word="approved, expired" if (one.actor, one.at) in expired else "approved", by=one)
        for one in registry.approvals.list(ref)
    ]
    return tuple(sorted(found, key=lambda said: said.by.at))


def _stop(who: Identity | None, action: Action) -> str:
    if who is None:
        return "Sign in first."
    if who.may(action):
        return ""
    return f"You are {', '.join(who.roles)}; that is for others."


def _four_eyes(version: ModelVersion, who: Identity | None) -> str:
    try:
        require_other(version.author, who.name if who else "", version.ref)
    except AccessDenied as error:
        return f"{error.why.capitalize()}: somebody else must decide."
    return ""
