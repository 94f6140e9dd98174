"""The counters of a server as Prometheus text.  Imported when somebody asks: no worker needs it to start."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bluegold.production.operations.board import BUCKETS_US, Board, Cell, State

__all__ = ["metrics"]

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
