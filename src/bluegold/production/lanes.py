"""Lanes: what answers requests at one moment — Blue, perhaps Gold, and the split between them.

A :class:`Lanes` never changes.  A new traffic revision makes a new one, and one assignment puts it in
place: a request that has begun keeps the lanes it began with, so no request ever sees half a switch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import Color, TrafficSplit
from bluegold.features.online import OnlineStore
from bluegold.features.row import OnlineReader, RowProgram
from bluegold.production.veil import Veil
from bluegold.registry.bundle import Bundle
from bluegold.registry.predictors.protocol import Score
from bluegold.registry.rule import Value

if TYPE_CHECKING:
    from bluegold.production.chain_guard import ChainGuard

__all__ = ["Lane", "Lanes", "Online", "Sample", "Scored"]


class Sample(NamedTuple):
    """One row on its way: cleansed values, what was flagged, and the model's input."""

    values: dict[str, Any]
    flags: tuple[str, ...]
    vector: list[float]


class Scored(NamedTuple):
    """What one model says about one row, how many microseconds that took, and every class's score if it has many."""

    value: Value
    score: float
    latency_us: int
    scores: tuple[float, ...] = ()


class Online(OnlineReader, Protocol):
    """A reader of online features that says what it could not read."""

    def stale(self) -> tuple[str, ...]:
        """Flags for what the last view could not read; none twice."""


class Lane(msgspec.Struct, frozen=True):
    """One version, ready to answer.  ``color`` is not part of it: Gold becomes Blue without a reload.

    ``veil`` hides what its contract marks as personal; None where nothing is marked.  ``guard`` refuses chains of
    near-repeated queries; None where the plan does not ask for it.
    """

    bundle: Bundle
    program: RowProgram
    online: Online
    store: OnlineStore
    version: str
    features: str
    veil: Veil | None = None
    guard: ChainGuard | None = None

    def prepare(self, row: Any) -> Sample:
        """Cleanse one decoded row by the contract and compute its features.

        Raises:
            FieldError: the contract refuses the row; the error names the field.
        """
        values, flags = self.program.clean(row)
        vector = self.program.vector(values, self.online)
        return Sample(values, flags + self.online.stale(), vector)

    def score(self, sample: Sample) -> Scored:
        """Ask the model, and decide by this version's rule."""
        began = time.perf_counter_ns()
        said = self.bundle.predictor.score_row(sample.vector)
        rule = self.bundle.decision
        value, score = rule.answer(said, str(sample.values.get(rule.group_by, "")) if rule.group_by else "")
        elapsed = (time.perf_counter_ns() - began) // 1000
        return Scored(value, score, elapsed, said if isinstance(said, tuple) else ())

    def prepare_all(self, rows: Sequence[Any]) -> list[Sample | BluegoldError]:
        """:meth:`prepare` for rows that wait together: a sample of each, or its refusal."""
        cleaned = self.program.clean_all(rows)
        gathered, flagged = [], []
        for one in cleaned:
            if not isinstance(one, BluegoldError):
                gathered.append(self.program.gather(one[0], self.online))
                flagged.append(one[1] + self.online.stale())
        more = zip(self.program.vectors(gathered), flagged, strict=True)
        found: list[Sample | BluegoldError] = []
        for one in cleaned:
            if isinstance(one, BluegoldError):
                found.append(one)
                continue
            vector, flags = next(more)
            found.append(vector if isinstance(vector, BluegoldError) else Sample(one[0], flags, vector))
        return found

    def score_all(self, samples: Sequence[Sample]) -> list[Scored]:
        """:meth:`score` for rows that wait together, with the same bits; each took its share of the time."""
        if not samples:
            return []
        began = time.perf_counter_ns()
        said = self._said([sample.vector for sample in samples])
        elapsed = (time.perf_counter_ns() - began) // 1000 // len(samples)
        found, rule = [], self.bundle.decision
        for sample, known in zip(samples, said, strict=True):
            value, score = rule.answer(known, str(sample.values.get(rule.group_by, "")) if rule.group_by else "")
            found.append(Scored(value, score, elapsed, known if isinstance(known, tuple) else ()))
        return found

    def _said(self, vectors: list[list[float]]) -> list[Score]:
        predictor = self.bundle.predictor
        if not predictor.shares:  # a call costs no more than the row in it
            return [predictor.score_row(vector) for vector in vectors]
        import numpy as np

        said = predictor.scores(np.array(vectors, dtype=np.float64)).tolist()
        return [tuple(scores) if isinstance(scores, list) else scores for scores in said]


class Lanes(msgspec.Struct, frozen=True):
    """Everything that answers, as one immutable value.

    ``gold_fault`` says why a Gold that the split asks for could not be loaded; its requests are answered
    by Blue and recorded as errors of Gold.
    """

    split: TrafficSplit
    blue: Lane
    gold: Lane | None = None
    gold_fault: str = ""

    @property
    def gold_listens(self) -> bool:
        """Whether Gold sees the rows of users, answering them or beside Blue."""
        return self.split.mode in {"shadow", "canary", "shift"}

    @property
    def stores(self) -> tuple[OnlineStore, ...]:
        """The online stores that must learn of an answered row, each once."""
        if self.gold is None or self.gold.features == self.blue.features:
            return (self.blue.store,)
        return (self.blue.store, self.gold.store)

    def of(self, color: Color) -> Lane | None:
        """The lane of a colour."""
        return self.blue if color == "blue" else self.gold
