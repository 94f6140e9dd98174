"""The watchdog: a controller that dies while Gold answers users must not leave Gold there.

Every worker looks at the controller's lease when it looks at the traffic.  A lease that shows no life for its
length, by the worker's own stopwatch, is ended (one worker is first), and the way to safety is taken: Blue alone.
Nobody has to call anything, and the controller that wakes up later finds its token gone and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from bluegold.core.nouns import TrafficSplit
from bluegold.production.operations.safe_mode import to_safety
from bluegold.production.reaching import Reached
from bluegold.registry.leases import Stopwatch
from bluegold.registry.registry import Registry
from bluegold.telemetry.log import Log

__all__ = ["WATCHDOG", "Watchdog", "lease_name", "watched"]

#: Who takes the traffic back.
WATCHDOG = "automatic:watchdog"

_LOG = Log("production")
_USERS = {"canary", "shift"}


def lease_name(model: str) -> str:
    """The name of the lease that a model's controller holds.

    Example:
        >>> lease_name("pumps")
        'delivery of pumps'
    """
    return f"delivery of {model}"


class Watchdog:
    """Watches the controller of one model while Gold answers users.

    Args:
        registry: where leases and traffic are.
        model: the model.
    """

    def __init__(self, registry: Registry, model: str) -> None:
        self._registry = registry
        self._model = model
        self._watch = Stopwatch()

    def seen(self, split: TrafficSplit | None) -> TrafficSplit | None:
        """The split to follow: the one that was read, or the safe one when its controller is dead.

        Args:
            split: the present split; only one that lets Gold answer users is watched.
        """
        if split is None or split.mode not in _USERS:
            return split
        lease = self._registry.leases.current(lease_name(self._model))
        if lease is None or not lease.holder:
            return split
        silence = self._watch.silence(lease)
        if silence < lease.length_s:
            return split
        reason = f"the controller {lease.holder} has shown no life for {silence:.1f} s"
        if not self._registry.leases.end(lease, WATCHDOG, reason):
            return self._registry.traffic.current(self._model)
        _LOG.critical("traffic taken back", because=reason, gold=split.gold)
        return to_safety(self._registry, self._model, reason=reason, actor=WATCHDOG).split


def watched(reached: Reached, model: str) -> Callable[[], TrafficSplit | None]:
    """Reads the split to follow, from the moment on at which the registry can be read.

    Args:
        reached: the registry.
        model: the model.
    """
    watchdog: Watchdog | None = None

    def read() -> TrafficSplit | None:
        nonlocal watchdog
        registry = reached.registry
        watchdog = watchdog or Watchdog(registry, model)
        return watchdog.seen(registry.traffic.current(model))

    return read
