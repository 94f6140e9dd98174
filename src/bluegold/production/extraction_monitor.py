"""The extraction monitor: reads decisions behind the answers, caller by caller, and says who seems to copy the model.

A caller's queries are judged a window at a time against the natural records that the version was verified on.  When
the queries of everybody else look just as strange, the world has moved and nobody is accused: that is drift.  Queries
that are natural records cannot be told from work; for them there is a budget of different queries a caller and day.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from bluegold.core.errors import DataError
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace
from bluegold.features.program import FeatureProgram
from bluegold.production.extraction import WINDOW, Detector
from bluegold.production.operations.alerts import Alerts
from bluegold.production.results.decision_reader import DecisionReader, Positions
from bluegold.production.results.records import DecisionRecord
from bluegold.registry.bundle import Versioned

__all__ = ["ExtractionAlert", "ExtractionMonitor", "Reference", "reference", "told"]

CALLERS = 10_000
OTHERS, MOVED = 3, 0.8
DAY_US = 86_400_000_000
MOST_DIGESTS = 200_000


class ExtractionAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One finding about one caller: made-up queries, or more different ones a day than the budget allows."""

    at: int
    version: str
    caller: str
    kind: Literal["made up", "budget"]
    test: str
    value: float
    limit: float
    queries: int


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What a version's queries are judged by.

    ``detector`` is None where too few natural records are known.  ``columns`` are the features that it looks at: those
    of the query itself, not of the history behind it, which the caller does not write.
    """

    detector: Detector | None
    columns: tuple[int, ...] = ()
    budget: int = 0


def reference(source: Versioned, ref: str) -> Reference:
    """The reference of a version: fitted to the hold-out records that it was verified on.

    Raises:
        BluegoldError: the version cannot be read.
    """
    kept = source.versions.verified(ref).artefacts
    budget = 0
    if "plan.json" in kept:
        budget = msgspec.json.decode(source.versions.artefact(ref, "plan.json"), type=Plan).security.query_budget
    if "holdout.parquet" not in kept:
        return Reference(detector=None, budget=budget)
    program = FeatureProgram.from_json(source.versions.artefact(ref, "program.json"))
    rows = pl.read_parquet(io.BytesIO(source.versions.artefact(ref, "holdout.parquet")))
    past = {item.name for item in program.histories}
    columns = [place for place, name in enumerate(program.names) if name not in past]
    natural = rows.select(f"f:{program.names[place]}" for place in columns).to_numpy().astype(np.float64)
    try:
        detector = Detector(natural, [program.kinds[place] for place in columns])
    except DataError:
        return Reference(detector=None, budget=budget)
    return Reference(detector=detector, columns=tuple(columns), budget=budget)


class _Caller:
    """What is known of one caller and version: queries not judged yet, and different ones of a day."""

    def __init__(self) -> None:
        self.rows: list[list[float]] = []
        self.suspicious: bool | None = None
        self.asked: set[str] = set()
        self.queries = 0
        self.day = -1
        self.digests: set[bytes] = set()
        self.spent = False


class ExtractionMonitor:
    """Tails the decision log; :meth:`look` is called again and again, off the path of requests.

    Args:
        workspace: whose decisions are watched.
        referred: what a version (``model:version``) is judged by.
        alerts: where findings go; None to return them only.
        keyed: callers prove their names; otherwise a name is an assertion, and the address counts.
        start: positions in the log to begin behind; from its beginning without.
    """

    def __init__(
        self,
        workspace: Workspace,
        referred: Callable[[str], Reference],
        alerts: Alerts | None = None,
        *,
        keyed: Callable[[], bool] = lambda: False,
        start: Positions | None = None,
    ) -> None:
        self._reader = DecisionReader(workspace.decisions)
        self._referred, self._alerts, self._keyed = referred, alerts, keyed
        self._positions = start
        self._references: dict[str, Reference] = {}
        self._callers: dict[tuple[str, str], _Caller] = {}

    def look(self) -> tuple[ExtractionAlert, ...]:
        """Whom the decisions since the last look speak against; it is alerted, too.

        Raises:
            BluegoldError: a version cannot be read.
        """
        found: list[ExtractionAlert] = []
        while True:
            records, after = self._reader.tail(self._positions)
            if after == self._positions:
                break
            self._positions = after
            found += self.take(one for one in records if isinstance(one, DecisionRecord) and not one.canary)
        if self._alerts is not None:
            for alert in found:
                self._alerts.found(f"extraction of {alert.version} by {alert.caller}", "warning", told(alert))
        return tuple(found)

    def take(self, records: Iterable[DecisionRecord]) -> list[ExtractionAlert]:
        """Judge these decisions; raises as :meth:`look`."""
        found: list[ExtractionAlert] = []
        keyed = self._keyed()
        for record in records:
            version, caller = f"{record.model}:{record.version}", _who(record.caller, keyed=keyed)
            if version not in self._references:
                self._references[version] = self._referred(version)
            if (version, caller) not in self._callers and len(self._callers) >= CALLERS:
                self._callers.pop(next(iter(self._callers)))
            state = self._callers.setdefault((version, caller), _Caller())
            found += self._spent(state, record, version, caller)
            found += self._judged(state, record, version, caller)
        return found

    def _judged(self, state: _Caller, record: DecisionRecord, version: str, caller: str) -> list[ExtractionAlert]:
        known = self._references[version]
        detector = known.detector
        if detector is None:
            return []
        if record.input_digest in state.asked:
            return []  # a repeated question tells a thief nothing new
        row = record.matrix_row()
        state.asked.add(record.input_digest)
        state.rows.append([row[place] for place in known.columns])
        state.queries += 1
        if len(state.rows) < WINDOW:
            return []
        window, state.rows = np.array(state.rows, dtype=np.float64), []
        state.asked.clear()
        judged = detector.judge(window)
        state.suspicious = judged.suspicious
        if not judged.suspicious or self._everybody(version, caller):
            return []
        return [
            ExtractionAlert(
                at=record.at,
                version=version,
                caller=caller,
                kind="made up",
                test=judged.test,
                value=judged.value,
                limit=judged.limit,
                queries=state.queries,
            )
        ]

    def _everybody(self, version: str, caller: str) -> bool:
        """Whether nearly all other callers' latest windows look made up as well: the world has moved."""
        known = [
            state.suspicious
            for (ref, who), state in self._callers.items()
            if ref == version and who != caller and state.suspicious is not None
        ]
        return len(known) >= OTHERS and sum(known) > MOVED * len(known)

    def _spent(self, state: _Caller, record: DecisionRecord, version: str, caller: str) -> list[ExtractionAlert]:
        budget, day = self._references[version].budget, record.at // DAY_US
        if not budget:
            return []
        if day != state.day:
            state.day, state.digests, state.spent = day, set(), False
        if len(state.digests) < MOST_DIGESTS:
            state.digests.add(bytes.fromhex(record.input_digest[:16]))
        if state.spent or len(state.digests) <= budget:
            return []
        state.spent = True
        return [
            ExtractionAlert(
                at=record.at,
                version=version,
                caller=caller,
                kind="budget",
                test="different queries a day",
                value=float(len(state.digests)),
                limit=float(budget),
                queries=len(state.digests),
            )
        ]


def told(alert: ExtractionAlert) -> str:
    """A finding in words."""
    if alert.kind == "budget":
        return f"'{alert.caller}' asked more than {alert.limit:.0f} different queries of {alert.version} in one day"
    return (
        f"'{alert.caller}' asks {alert.version} about made-up records: {alert.test} at {alert.value:.1f} of "
        f"{alert.limit:.1f}, after {alert.queries:,} queries"
    )


def _who(caller: str, *, keyed: bool) -> str:
    name, _, address = caller.rpartition("@")
    return name if keyed and name else address
