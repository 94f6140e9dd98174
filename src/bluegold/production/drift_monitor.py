"""The drift monitor: reads decisions and outcomes behind the answers, and writes an alert when something has changed.

Two things are watched for every version.  Errors, decision by decision as outcomes arrive, by adaptive windowing
(:mod:`bluegold.features.adwin`): a change of the quality.  Features, a window at a time, against the quantiles of
training, with the limits that training's own seasons allow: a change of the world.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from bluegold.core.workspace import Workspace
from bluegold.features.adwin import Adwin
from bluegold.features.profile import Profile, drift
from bluegold.production.results.decision_reader import DecisionReader, Positions
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.registry.rule import DecisionRule

__all__ = ["DriftAlert", "DriftMonitor", "Watched"]

WINDOW = 2_000
WAITING = 100_000


class DriftAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One change: what changed (``errors`` or a feature), how much, and behind which decision it was seen."""

    at: int
    version: str
    kind: Literal["errors", "feature"]
    subject: str
    value: float
    limit: float
    decision: str


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What a version is watched by: its profile (None: features are not watched) and its rule."""

    profile: Profile | None
    rule: DecisionRule


class _Version:
    """The state of one version."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.errors = Adwin()
        self.rows: list[list[float]] = []
        self.alerted: set[str] = set()


class DriftMonitor:
    """Tails the decision log; :meth:`look` is called again and again.

    Args:
        workspace: whose decisions are watched; alerts go to ``drift-alerts.jsonl`` below its ``run`` folder.
        watched: what a version (``model:version``) is watched by.
        window: decisions of one look at the features.
        start: positions in the log to begin behind; from its beginning without.
    """

    def __init__(
        self,
        workspace: Workspace,
        watched: Callable[[str], Watched],
        *,
        window: int = WINDOW,
        start: Positions | None = None,
    ) -> None:
        self._reader = DecisionReader(workspace.decisions)
        self._watched, self._window = watched, window
        self._path: Path = workspace.run / "drift-alerts.jsonl"
        self._positions = start
        self._versions: dict[str, _Version] = {}
        self._waiting: OrderedDict[str, DecisionRecord] = OrderedDict()

    def look(self) -> tuple[DriftAlert, ...]:
        """What has changed since the last look; it is appended to the alerts, too.

        Raises:
            BluegoldError: a version cannot be read.
        """
        found: list[DriftAlert] = []
        while True:
            records, after = self._reader.tail(self._positions)
            if after == self._positions:
                break
            self._positions = after
            for record in records:
                found += self._decision(record) if isinstance(record, DecisionRecord) else self._outcome(record)
        if found:
            with self._path.open("ab") as file:
                file.write(b"".join(msgspec.json.encode(alert) + b"\n" for alert in found))
        return tuple(found)

    @property
    def beyond(self) -> frozenset[tuple[str, str]]:
        """Version and name of every feature that was beyond its limit in the last window."""
        return frozenset((ref, name) for ref, version in self._versions.items() for name in version.alerted)

    def _version(self, record: DecisionRecord) -> _Version:
        ref = f"{record.model}:{record.version}"
        if ref not in self._versions:
            self._versions[ref] = _Version(self._watched(ref))
        return self._versions[ref]

    def _decision(self, record: DecisionRecord) -> list[DriftAlert]:
        if record.canary:
            return []
        self._waiting[record.id] = record
        while len(self._waiting) > WAITING:
            self._waiting.popitem(last=False)
        version = self._version(record)
        if version.watched.profile is None:
            return []
        version.rows.append(record.matrix_row())
        if len(version.rows) < self._window:
            return []
        matrix, version.rows = np.array(version.rows, dtype=np.float64), []
        limits = version.watched.profile.limits
        indices = drift(version.watched.profile, matrix)
        beyond = {name for name, index in indices.items() if index > limits.get(name, 0.2)}
        fresh, version.alerted = beyond - version.alerted, beyond
        return [self._alert(record, "feature", name, indices[name], limits.get(name, 0.2)) for name in sorted(fresh)]

    def _outcome(self, outcome: OutcomeRecord) -> list[DriftAlert]:
        record = self._waiting.pop(outcome.id, None)
        if record is None:
            return []
        version = self._version(record)
        before = version.errors.mean
        if not version.errors.update(version.watched.rule.loss(record.value, outcome.value)):
            return []
        return [self._alert(record, "errors", "error rate", version.errors.mean, before)]

    @staticmethod
    def _alert(
        record: DecisionRecord, kind: Literal["errors", "feature"], subject: str, value: float, limit: float
    ) -> DriftAlert:
        version = f"{record.model}:{record.version}"
        return DriftAlert(
            at=record.at, version=version, kind=kind, subject=subject, value=value, limit=limit, decision=record.id
        )
