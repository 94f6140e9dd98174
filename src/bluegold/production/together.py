"""Rows that wait together: prepared and scored in few calls, and then decided one by one as ever.

A call of polars or of a model outside costs far more than a row in it.  So the costly calls are made once for all
rows that are there, and what they said is put where the flow looks for it.  A row that got no answer in this way
(because the shared call failed) asks for itself, so that one bad row costs no other its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.production.execution import FAULTS
from bluegold.production.lanes import Lane, Lanes, Sample, Scored

__all__ = ["Ahead", "ahead", "attempt"]

T = TypeVar("T")


class Decoded(Protocol):
    """A row as both contracts read it."""

    @property
    def blue(self) -> Any:
        """As Blue's contract reads it."""

    @property
    def gold(self) -> Any:
        """As Gold's does; None: the same, an exception: not at all."""


class Ahead(Lane, frozen=True):
    """A lane whose answers for some rows are there already."""

    samples: dict[int, Sample | BluegoldError] = msgspec.field(default_factory=dict)
    scored: dict[int, Scored] = msgspec.field(default_factory=dict)

    def prepare(self, row: Any) -> Sample:
        """As :meth:`Lane.prepare`; a refusal is raised where the row is asked for."""
        found = self.samples.get(id(row))
        if isinstance(found, BluegoldError):
            raise found
        return super().prepare(row) if found is None else found

    def score(self, sample: Sample) -> Scored:
        """As :meth:`Lane.score`."""
        return self.scored.get(id(sample)) or super().score(sample)


def ahead(lanes: Lanes, rows: Iterable[Decoded]) -> Lanes:
    """The lanes, with their answers for these rows.

    Args:
        lanes: what answers at this moment.
        rows: decoded rows; they have to live as long as the result is used.
    """
    rows = list(rows)
    blue = _ahead(lanes.blue, [row.blue for row in rows], [])
    if lanes.gold is None or not lanes.gold_listens:
        return msgspec.structs.replace(lanes, blue=blue)
    own = [row.gold for row in rows if row.gold is not None and not isinstance(row.gold, Exception)]
    shared = [blue.samples.get(id(row.blue)) for row in rows if row.gold is None]
    gold = _ahead(lanes.gold, own, [sample for sample in shared if isinstance(sample, Sample)])
    return msgspec.structs.replace(lanes, blue=blue, gold=gold)


def attempt(ask: Callable[..., T], *given: Any) -> T | BluegoldError:
    """What ``ask`` says, or its refusal."""
    try:
        return ask(*given)
    except BluegoldError as error:
        return error


def _ahead(lane: Lane, rows: list[Any], prepared: list[Sample]) -> Ahead:
    fields = {name: getattr(lane, name) for name in Lane.__struct_fields__}
    samples: dict[int, Sample | BluegoldError] = {}
    scored: dict[int, Scored] = {}
    try:
        samples = dict(zip(map(id, rows), lane.prepare_all(rows), strict=True))
        waiting = [*prepared, *(sample for sample in samples.values() if isinstance(sample, Sample))]
        scored = dict(zip(map(id, waiting), lane.score_all(waiting), strict=True))
    except FAULTS:
        return Ahead(**fields, samples=samples)
    return Ahead(**fields, samples=samples, scored=scored)
