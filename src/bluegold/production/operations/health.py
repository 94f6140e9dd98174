"""What the serving side shows about itself: health, rollout, metrics.  Every worker shows the whole."""

from __future__ import annotations

from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import StageChange, TrafficSplit
from bluegold.production.operations.board import BUCKETS_US, Board, Cell, State, WorkerView
from bluegold.production.operations.modes import Mode, mode_for
from bluegold.registry.registry import Registry

__all__ = ["Health", "Rollout", "health", "metrics", "rollout", "shown"]

PULSE_MS = 500.0
"""A worker whose event loop has not shown a pulse for so long counts as not answering."""

_COUNTERS = (
    (Cell.REQUESTS, "requests", "HTTP requests answered, of any kind"),
    (Cell.REFUSED, "requests_refused", "HTTP requests refused because of what the client sent (4xx)"),
    (Cell.SHED, "requests_shed", "HTTP requests refused because too much was under way (503)"),
    (Cell.FAILED, "requests_failed", "HTTP requests that failed on this side (5xx)"),
    (Cell.DECISIONS, "decisions", "decisions answered and durably recorded"),
    (Cell.GOLD_DECISIONS, "gold_decisions", "decisions answered by Gold"),
    (Cell.GOLD_ERRORS, "gold_errors", "rows on which Gold failed and Blue answered"),
    (Cell.KNOWN_ANSWERS, "known_answers", "known-answer canary records asked"),
    (Cell.WRONG_ANSWERS, "known_answers_wrong", "known-answer canary records answered wrongly"),
    (Cell.OUTCOMES, "outcomes", "outcomes recorded"),
    (Cell.RETRIED, "requests_repeated", "requests answered with the decision of a worker that died before it could"),
    (Cell.RESTARTS, "worker_restarts", "restarts of the worker process"),
)


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


def metrics(board: Board) -> bytes:
    """All workers' counters as Prometheus text.

    Example:
        >>> import pathlib, tempfile
        >>> board = Board.create(pathlib.Path(tempfile.mkdtemp()) / "board", workers=1)
        >>> b'bluegold_decisions_total{worker="0"} 0.0' in metrics(board)
        True
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_BoardCollector(board))
    return generate_latest(registry)


class _BoardCollector(Collector):
    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> list[Metric]:
        slots = self._board.slots()
        found: list[Metric] = []
        for cell, name, text in _COUNTERS:
            counter = CounterMetricFamily(f"bluegold_{name}", text, labels=["worker"])
            for slot in slots:
                counter.add_metric([str(slot.number)], slot[cell])
            found.append(counter)
        latency = HistogramMetricFamily(
            "bluegold_request_seconds", "time from the arrival of a request to its answer", labels=["worker"]
        )
        up = GaugeMetricFamily("bluegold_worker_up", "1 when the worker serves", labels=["worker"])
        revision = GaugeMetricFamily("bluegold_traffic_revision", "traffic revision served", labels=["worker"])
        connections = GaugeMetricFamily("bluegold_connections", "open connections of clients", labels=["worker"])
        for slot in slots:
            label = [str(slot.number)]
            latency.add_metric(label, _cumulative(slot.histogram()), slot[Cell.LATENCY_SUM_US] / 1e6)
            up.add_metric(label, int(slot[Cell.STATE] in {State.READY, State.DEGRADED}))
            revision.add_metric(label, slot[Cell.REVISION])
            connections.add_metric(label, slot[Cell.CONNECTIONS])
        return [*found, latency, up, revision, connections]


def _cumulative(counts: tuple[int, ...]) -> list[tuple[str, float]]:
    bounds = [*(f"{limit / 1e6:g}" for limit in BUCKETS_US), "+Inf"]
    total = 0
    rows: list[tuple[str, float]] = []
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        rows.append((bound, total))
    return rows
