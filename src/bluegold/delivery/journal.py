"""The journal of a release: every step is held against the release table and written before it takes effect."""

from __future__ import annotations

from typing import Any, Literal, cast

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import now
from bluegold.delivery.events import DeliveryEvent, OnEvent
from bluegold.delivery.gating import GATES
from bluegold.delivery.release import CLOSED, Facts, Phase, check
from bluegold.registry.registry import Registry
from bluegold.registry.tables import Release, split_ref
from bluegold.security.access import is_automatic

__all__ = ["Journal"]


class Journal:
    """One release: where it stands, what is true of it, and its next step.

    Args:
        registry: where it is kept.
        release: its present state.
        actor: who acts.
        on_event: told of every step.
    """

    def __init__(self, registry: Registry, release: Release, actor: str, on_event: OnEvent | None = None) -> None:
        self.registry = registry
        self.release = release
        self.actor = actor
        self.ref = release.ref
        self.model = split_ref(release.ref)[0]
        self._on_event = on_event or (lambda _event: None)

    @property
    def phase(self) -> Phase:
        """The phase as this journal last knew it."""
        return cast("Phase", self.release.phase)

    @property
    def detail(self) -> dict[str, Any]:
        """What the release carries along."""
        return self.release.detail

    @property
    def blue(self) -> str:
        """The version that the gates compared with; empty when there was none."""
        return str(self.detail.get("blue", ""))

    def production(self) -> str:
        """The version in production now, or nothing."""
        change = self.registry.lifecycle.production(self.model)
        return change.ref if change is not None else ""

    def facts(self, detail: dict[str, Any] | None = None) -> Facts:
        """What is true of the release at this moment.

        Args:
            detail: what a step is about to write; without it, what is written.
        """
        detail = self.detail if detail is None else detail
        production = self.production()
        said = detail.get("gates", {})
        latest = self.registry.gates.latest(self.ref)
        passed = all(said.get(name) == "pass" and name in latest and latest[name].verdict == "pass" for name in GATES)
        split = self.registry.traffic.current(self.model)
        return Facts(
            six_gates=passed and detail.get("blue", "") == production,
            blue=production not in {"", self.ref},
            no_blue=not production,
            rehearsed=bool(detail.get("rehearsal", {}).get("ok")),
            consent=not self.consent_missing(),
            person=not is_automatic(self.actor),
            full_share=split is not None
            and split.gold == self.ref
            and split.mode == "shift"
            and split.gold_share == 1.0,
        )

    def consent_missing(self) -> str:
        """Why this actor may not promote the version, or nothing."""
        try:
            self.registry.approvals.demand(self.ref, self.actor)
        except BluegoldError as error:
            return str(error)
        return ""

    def advance(
        self,
        target: Phase,
        text: str,
        *,
        level: Literal["step", "note", "loud"] = "step",
        actor: str = "",
        **detail: Any,
    ) -> None:
        """Take the next step: check it, write it, tell it.

        Args:
            target: the phase to go to.
            text: what happened, in words.
            level: how loud.
            actor: who, when it is not the journal's actor.
            detail: what to carry along; it is merged into what is carried already.

        Raises:
            ForbiddenTransition: the release table does not allow the step now.
            RegistryError: somebody else moved the release meanwhile.
        """
        steps = [*self.detail.get("steps", ())]
        share = float(detail.get("share", 0.0))
        steps.append({"phase": target, "share": share, "at": now().isoformat(), "text": text})
        merged = msgspec.to_builtins({**self.detail, "share": share, **detail, "steps": steps})
        check(self.phase, target, self.facts(merged))
        self.release = self.registry.releases.advance(
            self.release.id, target, merged, expected=self.phase, actor=actor or self.actor
        )
        self.tell(text, level=level, share=share, data={key: merged[key] for key in detail if key != "positions"})

    def tell(
        self,
        text: str,
        *,
        level: Literal["step", "note", "loud"] = "note",
        share: float = 0.0,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Say something about the release."""
        self._on_event(
            DeliveryEvent(
                ref=self.ref, phase=self.phase, text=text, at=now(), level=level, share=share, data=data or {}
            )
        )

    def moved_by_others(self) -> bool:
        """Whether somebody else took the release further (a person rolled it back, for example)."""
        present = self.registry.releases.get(self.release.id)
        if present is None or present.phase == self.phase:
            return False
        self.release = present
        return True

    @property
    def closed(self) -> bool:
        """Whether the release has ended."""
        return self.phase in CLOSED
