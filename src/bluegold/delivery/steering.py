"""Steering: delivery moves production only by writing traffic splits, and looks at the board for the proof."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from bluegold.core.errors import DeliveryError, ServingError
from bluegold.core.nouns import TrafficMode, TrafficSplit
from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import running
from bluegold.production.operations.watchdog import lease_name
from bluegold.registry.leases import LeaseLost
from bluegold.registry.registry import Registry

__all__ = ["Steering", "alone"]

#: The longest a worker may take to load a version and serve it.
LOAD_S = 30.0


class Steering:
    """Sets the traffic of one model and waits until every worker follows.

    Args:
        registry: where splits are written.
        workspace: where the server shows itself.
        model: the model.
        actor: who sets the traffic.
        endpoint: the server; without it, the one that serves the workspace now.
    """

    def __init__(
        self, registry: Registry, workspace: Workspace, model: str, actor: str, endpoint: Endpoint | None = None
    ) -> None:
        self._registry = registry
        self._workspace = workspace
        self._model = model
        self.actor = actor
        self._given = endpoint

    @property
    def server(self) -> Endpoint | None:
        """The server, if one runs."""
        return self._given or running(self._workspace)

    def need_server(self) -> Endpoint:
        """The server.

        Raises:
            DeliveryError: none runs.
        """
        server = self.server
        if server is None:
            raise DeliveryError(
                f"no server of '{self._model}' is running, so Gold cannot be rehearsed or compared",
                way_out="start one with 'bluegold up', then run 'bluegold deliver' again: it goes on from here",
            )
        return server

    def current(self) -> TrafficSplit | None:
        """The split now."""
        return self._registry.traffic.current(self._model)

    def set(
        self, blue: str, gold: str, mode: TrafficMode, share: float, *, reason: str, sticky_by: str
    ) -> TrafficSplit:
        """Write a split, or give back the present one when it says the same already.

        Raises:
            RegistryError: somebody else changed the traffic meanwhile.
        """
        before = self.current()
        wanted = (blue, gold, mode, share)
        if before is not None and (before.blue, before.gold, before.mode, before.gold_share) == wanted:
            return before
        split = TrafficSplit(
            model=self._model,
            revision=0,
            blue=blue,
            gold=gold,
            mode=mode,
            gold_share=share,
            sticky_by=sticky_by,
            set_by=self.actor,
            reason=reason,
        )
        return self._registry.traffic.set(split, expected_revision=before.revision if before else 0)

    def applied(self, split: TrafficSplit, timeout: float = LOAD_S) -> float | None:
        """Seconds until every worker served the split; None when no server runs.

        Raises:
            ServingError: not every worker did in time.
        """
        server = self.server
        if server is None:
            return None
        began = time.perf_counter()
        board = Board(Path(server.board))
        try:
            if not board.wait_applied(split.revision, timeout):
                raise ServingError(
                    f"not every worker serves revision {split.revision} of '{self._model}' after {timeout:g} s",
                    way_out="look at /v1/health and at run/worker-*.log in the workspace",
                )
        finally:
            board.close()
        return time.perf_counter() - began


@contextlib.contextmanager
def alone(registry: Registry, workspace: Workspace, model: str, lease_s: float = 10.0) -> Iterator[None]:
    """Be the only controller of a model: by a file lock on this machine, and by a lease everywhere.

    The operating system ends the lock with the process, however it dies; the lease then counts as dead on this
    machine at once, and on another one when it has shown no life for its length.

    Raises:
        DeliveryError: another controller is at work.
    """
    workspace.run.mkdir(parents=True, exist_ok=True)
    with (workspace.run / f"delivery-{model}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _busy(model) from error
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(registry.leases.hold(lease_name(model), lease_s, sure=True))
            except LeaseLost as error:
                raise _busy(model, str(error)) from error
            yield


def _busy(model: str, why: str = "") -> DeliveryError:
    return DeliveryError(
        f"another controller is delivering '{model}' in this workspace",
        why=why,
        way_out="let it end, or take its release back with 'bluegold rollback'",
    )
