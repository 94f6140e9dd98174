"""Restore: one step, one transaction, to the safe configuration: Blue answers alone and has been good before."""

from __future__ import annotations

from typing import Any

from bluegold.core.errors import ForbiddenTransition, RegistryError
from bluegold.core.nouns import ModelVersion, TrafficSplit
from bluegold.registry.audit import Audit, Change
from bluegold.registry.lifecycle import Lifecycle
from bluegold.registry.traffic import Traffic
from bluegold.registry.versions import Versions
from bluegold.security.access import Access

__all__ = ["Restore"]


class Restore:
    """Goes to safety; doing it again changes nothing.

    Args:
        audit: the chain that every restore is written to.
        versions: reads and verifies versions.
        lifecycle: moves the stages.
        traffic: writes the split.
        access: who may restore.
    """

    def __init__(
        self, audit: Audit, versions: Versions, lifecycle: Lifecycle, traffic: Traffic, access: Access
    ) -> None:
        self._audit = audit
        self._versions = versions
        self._lifecycle = lifecycle
        self._traffic = traffic
        self._access = access

    def __call__(self, model: str, to: str | None = None, actor: str = "", reason: str = "") -> TrafficSplit:
        """Make Blue answer alone, with stages that say the same.

        Args:
            model: the model.
            to: a version that is or was in production.  Without it: the version in production, or else the one
                that was last.
            actor: who does it; empty means the registry's actor.
            reason: why.

        Returns:
            the split that now holds (the present one, when it was safe already).

        Raises:
            RegistryError: there is nothing to go back to.
            ForbiddenTransition: ``to`` never was in production.
            IntegrityError: the version to go back to does not verify; nothing was changed.
        """
        self._access.require(actor or self._audit.actor, "restore")
        if to is not None:
            self._versions.artefacts(to if ":" in to else f"{model}:{to}")
        with self._audit.change(actor) as change:
            target = self._target(change, model, to)
            current = self._lifecycle.current_in(change.connection, model)
            before = self._traffic.current_in(change.connection, model)
            if current is None or current.ref != target.ref:
                if to is None:
                    self._versions.artefacts(target.ref)
                if current is not None:
                    self._lifecycle.move_in(change, current.ref, "RolledBack", reason or f"back to {target.version}")
                self._lifecycle.move_in(change, target.ref, "Production", reason or "restored")
            self._end_gold(change, before, reason)
            safe = before is not None and before.blue == target.ref and not before.gold and before.mode == "off"
            details: dict[str, Any] = {"blue": target.ref, "from": before.revision if before else 0, "reason": reason}
            outcome = "already safe" if safe and current and current.ref == target.ref else "restored"
            change.append(change.actor, "restore", model, outcome, details)
            if safe and before is not None:
                return before
            split = TrafficSplit(
                model=model,
                revision=0,
                blue=target.ref,
                sticky_by=before.sticky_by if before else "",
                set_by=change.actor,
                reason=reason or "restored",
            )
            return self._traffic.set_in(change, split)

    def _target(self, change: Change, model: str, to: str | None) -> ModelVersion:
        if to is not None:
            version = self._versions.get_in(change.connection, to if ":" in to else f"{model}:{to}")
            if version.model != model:
                raise RegistryError(f"{version.ref} is no version of '{model}'", subject=model)
            if version.stage not in {"Production", "Archived"}:
                raise ForbiddenTransition(
                    f"cannot go back to {version.ref}",
                    why=f"its stage is {version.stage}; only a version that was in production is known to be safe",
                    way_out="name an Archived version; 'bluegold history' lists them",
                    subject=version.ref,
                )
            return version
        found = self._lifecycle.current_in(change.connection, model) or self._lifecycle.previous_in(
            change.connection, model
        )
        if found is None:
            raise RegistryError(
                f"there is no safe version of '{model}'",
                why="none was ever in production",
                way_out="deliver a version first",
                subject=model,
            )
        return found

    def _end_gold(self, change: Change, before: TrafficSplit | None, reason: str) -> None:
        if before is None or not before.gold:
            return
        gold = self._versions.get_in(change.connection, before.gold)
        if gold.stage in {"Staging", "Canary"}:
            self._lifecycle.move_in(change, gold.ref, "RolledBack", reason or "the safe configuration was restored")
