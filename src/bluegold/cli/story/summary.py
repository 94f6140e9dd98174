"""The demo's summary: what happened, as one JSON document for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from bluegold.core.workspace import Workspace, write_atomic

__all__ = ["Refusal", "RolledBack", "Summary", "Traffic"]


class Refusal(msgspec.Struct, kw_only=True):
    """A candidate that a gate refused, with the measures that missed their limits."""

    version: str
    gate: str
    measures: dict[str, float | None]


class RolledBack(msgspec.Struct, kw_only=True):
    """A candidate that was taken back; ``seconds`` from the decision to the safe configuration everywhere."""

    version: str
    reason: str
    seconds: float


class Traffic(msgspec.Struct, kw_only=True):
    """HTTP requests over the whole demo."""

    sent: int = 0
    answered: int = 0
    failed: int = 0


class Summary(msgspec.Struct, kw_only=True):
    """Everything the demo can be asked about afterwards."""

    versions: list[str] = []
    blue: str = ""
    refused: list[Refusal] = []
    rolled_back: list[RolledBack] = []
    gates: dict[str, dict[str, str]] = {}
    measures: dict[str, dict[str, float | None]] = {}
    rollout: list[dict[str, Any]] = []
    requests: Traffic = msgspec.field(default_factory=Traffic)
    latency_ms: dict[str, float] = {}
    document: str = ""
    evidence: str = ""
    workspace: str = ""
    audit_verified: bool = False
    seconds: float = 0.0

    def write(self, workspace: Workspace) -> None:
        """Leave the summary in the workspace as ``summary.json``."""
        text = msgspec.json.format(msgspec.json.encode(self), indent=2)
        write_atomic(workspace.root / "summary.json", text)
