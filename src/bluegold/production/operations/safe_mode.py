"""The way back to safety: one step in the registry, then the proof that every worker took it."""

from __future__ import annotations

import time

import msgspec

from bluegold.core.errors import ServingError
from bluegold.core.nouns import TrafficSplit
from bluegold.production.operations.board import Board
from bluegold.registry.registry import Registry

__all__ = ["Safety", "to_safety"]


class Safety(msgspec.Struct, frozen=True, kw_only=True):
    """What was reached: the split, and seconds until every worker served it (None: no server runs)."""

    split: TrafficSplit
    seconds: float | None


def to_safety(
    registry: Registry,
    model: str,
    *,
    reason: str,
    actor: str = "automatic:safety",
    board: Board | None = None,
    timeout: float = 5.0,
) -> Safety:
    """Make the last good Blue answer alone.

    Args:
        registry: where the split is written.
        model: the model.
        reason: why; it goes into the audit trail.
        actor: who.
        board: the running server's board, to wait until every worker applied it.
        timeout: seconds to wait at most.

    Raises:
        RegistryError: there is nothing to go back to.
        ServingError: a worker did not apply it in time; the split itself is written and stays.
    """
    began = time.perf_counter()
    split = registry.restore(model, actor=actor, reason=reason)
    if board is None:
        return Safety(split=split, seconds=None)
    if not board.wait_applied(split.revision, timeout):
        raise ServingError(
            f"not every worker serves revision {split.revision} after {timeout:g} s",
            way_out="look at /v1/health and at run/worker-*.log in the workspace",
        )
    return Safety(split=split, seconds=time.perf_counter() - began)
