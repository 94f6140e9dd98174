"""The results store: decisions and outcomes as Parquet, by model, version and day, for analysis and other tools.

It is filled from the decision log, exactly once however often and wherever the filling is killed, and only with what
is durable there.  Every row keeps the decision's id and the digest of its input, so that each is found from the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import polars as pl

from bluegold.core.errors import DataError
from bluegold.core.workspace import Workspace
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.results.partitions import Partitions
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.registry.rule import Value

__all__ = ["Exported", "ResultsStore", "day_of"]

EPOCH = dt.date(1970, 1, 1)
DAY_US = 86_400_000_000

DECISION: dict[str, pl.DataType] = {
    "id": pl.String(),
    "at": pl.Datetime("us"),
    "model": pl.String(),
    "version": pl.String(),
    "color": pl.String(),
    "routed": pl.String(),
    "value": pl.String(),
    "score": pl.Float64(),
    "scores": pl.List(pl.Float64()),
    "other_version": pl.String(),
    "other_value": pl.String(),
    "other_score": pl.Float64(),
    "error": pl.String(),
    "request": pl.String(),
    "caller": pl.String(),
    "entity": pl.String(),
    "flags": pl.List(pl.String()),
    "payload": pl.String(),
    "vector": pl.List(pl.Float64()),
    "input_digest": pl.String(),
    "features_digest": pl.String(),
    "latency_us": pl.Int64(),
    "revision": pl.Int64(),
    "canary": pl.Boolean(),
}
OUTCOME: dict[str, pl.DataType] = {"id": pl.String(), "at": pl.Datetime("us"), "value": pl.String()}


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What one filling added."""

    decisions: int
    outcomes: int
    files: int


class ResultsStore:
    """Decisions, outcomes and attributions below ``<workspace>/results``.

    Args:
        workspace: whose decisions.

    Example:
        >>> import pathlib, tempfile
        >>> store = ResultsStore(Workspace.create(pathlib.Path(tempfile.mkdtemp())))
        >>> store.export()
        Exported(decisions=0, outcomes=0, files=0)
    """

    def __init__(self, workspace: Workspace) -> None:
        root = workspace.root / "results"
        self.decisions = Partitions(root / "decisions")
        self.outcomes = Partitions(root / "outcomes")
        self.attributions = Partitions(root / "attributions")
        self._reader = DecisionReader(workspace.decisions)

    def export(self, on_progress: Callable[[int], None] | None = None) -> Exported:
        """Bring over what arrived in the decision log since the last time.

        Raises:
            StoreError: another process exports.
        """
        counted = [0, 0, 0]
        with self.decisions.writing(), self.outcomes.writing():
            for place, (parts, kind, partitioned) in enumerate(
                ((self.decisions, DecisionRecord, _by_day), (self.outcomes, OutcomeRecord, _outcomes_by_day))
            ):
                positions = parts.positions
                while True:
                    found, after = self._reader.tail(positions)
                    if after == positions:
                        break
                    positions = after
                    rows = [one for one in found if isinstance(one, kind)]
                    if rows:
                        batch = parts.add(partitioned(rows), positions)
                        counted[place] += len(rows)
                        counted[2] += len(batch.parts)
                    if on_progress:
                        on_progress(counted[place])
        return Exported(decisions=counted[0], outcomes=counted[1], files=counted[2])

    def query(self, statement: str) -> pl.DataFrame:
        """Answer a SQL statement over ``decisions``, ``outcomes`` and ``attributions``.

        Raises:
            DataError: the statement is no SQL that can be answered.
        """
        tables = {
            "decisions": self._scan(self.decisions, DECISION),
            "outcomes": self._scan(self.outcomes, OUTCOME),
            "attributions": self._scan(self.attributions, {"id": pl.String()}),
        }
        try:
            with pl.SQLContext(tables) as context:
                return context.execute(statement).collect(engine="streaming")
        except pl.exceptions.PolarsError as error:
            raise DataError(
                "the statement cannot be answered",
                why=" ".join(str(error).split())[:300],
                way_out=f"the tables are decisions ({', '.join(DECISION)}), outcomes (id, at, value), attributions",
            ) from error

    def find(self, digest: str) -> list[str]:
        """The ids of decisions whose input has this sha256, or begins with it (at least eight characters).

        Raises:
            DataError: the digest is too short or no digest.
        """
        wanted = digest.strip().lower()
        if not 8 <= len(wanted) <= 64 or set(wanted) - set("0123456789abcdef"):
            raise DataError(f"'{digest}' is no sha256", way_out="give at least its first eight hexadecimal characters")
        found = self._scan(self.decisions, DECISION).filter(pl.col("input_digest").str.starts_with(wanted))
        return found.select("id").collect(engine="streaming")["id"].to_list()

    @staticmethod
    def _scan(parts: Partitions, schema: dict[str, pl.DataType]) -> pl.LazyFrame:
        return parts.scan() if parts.batches else pl.LazyFrame(schema=schema)


def day_of(at: int) -> str:
    """The day of a moment in microseconds.

    Example:
        >>> day_of(86_400_000_000)
        '1970-01-02'
    """
    return (EPOCH + dt.timedelta(days=at // DAY_US)).isoformat()


def _by_day(records: Iterable[Any]) -> dict[str, pl.DataFrame]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in records:
        folder = f"model={one.model}/version={one.version}/day={day_of(one.at)}"
        groups.setdefault(folder, []).append(_row(one))
    return {folder: pl.DataFrame(rows, schema=DECISION) for folder, rows in groups.items()}


def _text(value: Value) -> str:
    """A decided or true value as text: ``true``, ``1.5`` or a label."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _row(one: DecisionRecord) -> dict[str, Any]:
    other = one.other
    return {
        **{name: getattr(one, name) for name in DECISION if hasattr(one, name)},
        "value": _text(one.value),
        "scores": list(one.scores),
        "flags": list(one.flags),
        "payload": msgspec.json.encode(one.payload).decode(),
        "vector": list(one.vector),
        "other_version": other.version if other else None,
        "other_value": _text(other.value) if other else None,
        "other_score": other.score if other else None,
    }


def _outcomes_by_day(records: Iterable[Any]) -> dict[str, pl.DataFrame]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in records:
        row = {"id": one.id, "at": one.at, "value": _text(one.value)}
        groups.setdefault(f"day={day_of(one.at)}", []).append(row)
    return {folder: pl.DataFrame(rows, schema=OUTCOME) for folder, rows in groups.items()}
