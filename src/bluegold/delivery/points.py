"""Approval points: steps of a rollout that wait for a person, and who let a release past them.

A pass is an audit row of its own, so it can be given while a controller watches, and it belongs to one release.
"""

from __future__ import annotations

from typing import cast, get_args

from bluegold.core.errors import DeliveryError, UsageError
from bluegold.core.plan import Point
from bluegold.registry.registry import Registry
from bluegold.registry.tables import Release
from bluegold.security.access import require_other

__all__ = ["let_past", "passed", "point_of"]

_ACTION = "let past"


def let_past(registry: Registry, ref: str, point: Point, *, actor: str = "", reason: str = "") -> Release:
    """A person lets the open release of a version past one of its approval points.

    Args:
        registry: where the release is.
        ref: the version.
        point: the step that may be taken.
        actor: who; neither the author of the version nor an automatic actor.
        reason: why; it goes into the history.

    Raises:
        AccessDenied: the actor may not.
        DeliveryError: no release of the version is open.
    """
    actor = actor or registry.actor
    version = registry.versions.get(ref)
    registry.access.require(actor, "approve")
    require_other(version.author, actor, version.ref)
    release = registry.releases.active(version.model)
    if release is None or release.ref != version.ref:
        raise DeliveryError(
            f"no release of {version.ref} is open", way_out=f"run 'bluegold deliver {version.ref}'", subject=version.ref
        )
    registry.audit.append(actor, _ACTION, _subject(release), point, {"reason": reason, "digest": version.digest})
    return release


def point_of(word: str) -> Point:
    """The approval point of that name.

    Raises:
        UsageError: there is none.

    Example:
        >>> point_of("canary")
        'canary'
    """
    for point in get_args(Point):
        if point == word:
            return cast("Point", point)
    raise UsageError(f"there is no approval point '{word}'", way_out=f"use one of {', '.join(get_args(Point))}")


def passed(registry: Registry, release: Release) -> dict[str, str]:
    """Point -> who let the release past it."""
    events = registry.audit.events(subject=_subject(release))
    return {event.outcome: event.who for event in events if event.action == _ACTION}


def _subject(release: Release) -> str:
    return f"{release.id} {release.ref} points"
