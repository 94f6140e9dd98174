"""What the serving side shows about itself: health and rollout.  Every worker shows the whole."""

from __future__ import annotations

from typing import Any

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import StageChange, TrafficSplit
from bluegold.production.operations.board import Board, WorkerView
from bluegold.production.operations.modes import Mode, mode_for
from bluegold.registry.registry import Registry

__all__ = ["Health", "Rollout", "health", "rollout", "shown"]

PULSE_MS = 500.0
"""A worker whose event loop has not shown a pulse for so long counts as not answering."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the serving side.  ``status`` is ok, degraded (it answers, but not as asked) or down."""

    status: str
    mode: Mode
    model: str
    blue: str
    gold: str
    revision: int
    applied: bool
    workers: tuple[WorkerView, ...]
    problem: str = ""


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers, since when, and where the release stands; ``unread`` says why this is not fresh."""

    model: str
    traffic: TrafficSplit | None
    applied: bool
    production: StageChange | None
    release: dict[str, Any] | None
    history: tuple[TrafficSplit, ...]
    unread: str = ""


def health(board: Board, registry: Registry, model: str) -> Health:
    """Look at every worker's pulse and at the split that is asked for."""
    try:
        return shown(board, model, registry.traffic.current(model), "")
    except BluegoldError as error:
        return shown(board, model, None, str(error))


def shown(board: Board, model: str, split: TrafficSplit | None, unread: str) -> Health:
    """As :func:`health`, for a split that was read already.

    Args:
        board: the board.
        model: the model.
        split: the split that is asked for, as far as it is known.
        unread: why it could not be read now; empty when it could.
    """
    views = board.views()
    trouble = f"the registry does not answer, the last configuration goes on: {unread}" if unread else ""
    revision = split.revision if split else -1
    mute = [str(view.worker) for view in views if not view.records]
    if mute:
        trouble += f"{'; ' if trouble else ''}worker {', '.join(mute)} cannot record decisions, so it gives none"
    alive = [view for view in views if _answers(view)]
    degraded = len(alive) < len(views) or any(view.state == "degraded" for view in views) or bool(trouble)
    mode: Mode = mode_for(split.mode) if split else "learning"
    return Health(
        status="down" if not alive else "degraded" if degraded else "ok",
        mode="degraded" if degraded else mode,
        model=model,
        blue=split.blue if split else "",
        gold=split.gold if split else "",
        revision=revision,
        applied=bool(views) and board.applied(revision),
        workers=views,
        problem=trouble,
    )


def _answers(view: WorkerView) -> bool:
    return view.state in {"ready", "degraded"} and view.heartbeat_age_ms <= PULSE_MS and view.records


def rollout(board: Board, registry: Registry, model: str) -> Rollout:
    """Read the split, the stage and the release from the registry.

    Raises:
        RegistryError: the registry cannot be read.
    """
    split = registry.traffic.current(model)
    release = registry.releases.active(model)
    return Rollout(
        model=model,
        traffic=split,
        applied=board.applied(split.revision if split else -1),
        production=registry.lifecycle.production(model),
        release=msgspec.to_builtins(release) if release else None,
        history=registry.traffic.history(model, limit=20),
    )
