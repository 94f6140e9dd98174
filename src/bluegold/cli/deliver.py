"""`bluegold deliver`: six gates, rehearsal, shadow, canary, shift, promotion; or a refusal, or a rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit, say
from bluegold.core.errors import DeliveryError, Refused

if TYPE_CHECKING:
    from bluegold.delivery.events import DeliveryEvent
    from bluegold.registry.tables import Release

__all__ = ["announce", "deliver", "ended", "told"]

_OF_THE_VERSION = {"1 model", "2 feature", "3 data quality", "6 regression"}  # gates whose evidence never grows


def deliver(
    version: Annotated[str, typer.Argument(help="The version to deliver, for example flight-delays:v2 or v2.")],
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deliver a version; the same command goes on where an interrupted or waiting release was."""
    from bluegold.delivery.controller import deliver as run

    with governed(workspace, actor) as (registry, space, who):
        release = run(version, registry, space, actor=who, on_event=announce)
    emit(release, as_json=as_json, text=lambda: told(release))
    ended(release)


def announce(event: DeliveryEvent) -> None:
    """Show one event of a delivery on stderr."""
    mark = {"step": "-", "note": " ", "loud": "!"}[event.level]
    say(f"{event.at:%H:%M:%S} {mark} {event.phase:<12} {event.text}")


def told(release: Release) -> str:
    """A release in a few lines."""
    lines = [f"{release.ref}  {release.phase.replace('_', ' ')}  (release {release.id})"]
    detail = release.detail
    for name, verdict in detail.get("gates", {}).items():
        lines.append(f"  gate {name:<16} {verdict}")
    for step in detail.get("steps", ()):
        share = f" {step['share']:.0%}" if step.get("share") else ""
        lines.append(f"  {step['at'][11:19]} {step['phase']}{share}")
    if detail.get("reason"):
        lines.append(f"  reason: {detail['reason']}")
    if "seconds" in detail:
        lines.append(f"  safe after {detail['seconds']:.2f} s: {detail.get('proof', '')}")
    return "\n".join(lines)


def ended(release: Release) -> None:
    """Leave with a failure unless the version is in production now.

    Raises:
        Refused: a gate, a person or a guardrail said no.
        DeliveryError: the release waits for somebody; says for whom and what to do.
    """
    if release.phase == "promoted":
        return
    ref, reason = release.ref, str(release.detail.get("reason", ""))
    if release.phase == "waiting_for_approval":
        raise DeliveryError(
            f"{ref} waits for approval",
            why=reason.partition(". Way out")[0],
            way_out=f"somebody else runs 'bluegold approve {ref}'; then run 'bluegold deliver {ref}' again",
            subject=ref,
        )
    held = {name for name, verdict in release.detail.get("gates", {}).items() if verdict == "hold"}
    if release.phase == "held" and held & _OF_THE_VERSION:
        raise DeliveryError(
            f"{ref} is held by its gates",
            why=reason,
            way_out="answer in the definition what is asked there, and give more rows or a larger hold-out (split= in "
            "pipeline.py) where some are missing; then run 'bluegold develop' again, for what was measured in "
            "development stays with a version",
            subject=ref,
        )
    if release.phase in {"held", "paused"}:
        what = "waits for evidence" if release.phase == "held" else "is paused and Blue answers alone"
        raise DeliveryError(
            f"{ref} {what}",
            why=reason,
            way_out=f"run 'bluegold deliver {ref}' again when it is there"
            + (
                f", or decide with 'bluegold promote {ref}' or 'bluegold rollback --release'"
                * (release.phase == "paused")
            ),
            subject=ref,
        )
    raise Refused(
        f"{ref} was {release.phase.replace('_', ' ')}",
        why=reason,
        way_out="develop a better version, or state other limits and why under 'requirements:' in architecture.yaml; "
        "'bluegold history' and 'bluegold trace' show the evidence",
        subject=ref,
    )
