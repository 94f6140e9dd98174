"""Withdrawing: a person ends a release that is not in the traffic; it is refused, or taken back, with a reason."""

from __future__ import annotations

from bluegold.core.errors import DeliveryError
from bluegold.core.workspace import Workspace
from bluegold.delivery.events import OnEvent
from bluegold.delivery.journal import Journal
from bluegold.delivery.safety import complete_rollback, decide_rollback
from bluegold.delivery.steering import Steering, alone
from bluegold.registry.registry import Registry
from bluegold.registry.tables import Release

__all__ = ["withdraw"]


def withdraw(
    model: str,
    registry: Registry,
    workspace: Workspace,
    *,
    actor: str = "",
    reason: str = "",
    on_event: OnEvent | None = None,
) -> Release:
    """End the open release of a model, whatever its phase.

    Args:
        model: the model.
        registry: where the release is.
        workspace: the registry's workspace.
        actor: who.
        reason: why.
        on_event: told of every step.

    Raises:
        DeliveryError: no release is open, or a controller is at work on it.
        AccessDenied: the actor may not.
    """
    actor, reason = actor or registry.actor, reason or "withdrawn by a person"
    registry.access.require(actor, "restore")
    with alone(registry, workspace, model):
        release = registry.releases.active(model)
        if release is None:
            raise DeliveryError(f"no release of '{model}' is open", way_out="'bluegold history' shows what was")
        journal = Journal(registry, release, actor, on_event)
        if journal.phase in {"candidate", "gates", "held", "waiting_for_approval"}:
            if registry.versions.get(journal.ref).stage in {"Registered", "Staging", "Canary"}:
                registry.lifecycle.transition(journal.ref, "Refused", actor, reason, (release.id,))
            journal.advance("refused", f"'{actor}' withdrew {journal.ref}: {reason}", level="loud", reason=reason)
            return journal.release
        if journal.phase != "rolling_back":
            decide_rollback(journal, reason, actor=actor)
        complete_rollback(journal, Steering(registry, workspace, model, actor))
        return journal.release
