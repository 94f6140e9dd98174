"""The flow: the whole path of a request, from bytes to a durable, governed answer."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import Color
from bluegold.production.desk import Desk
from bluegold.production.execution import Outcome, execute
from bluegold.production.lanes import Lanes
from bluegold.production.messages import Call, Reply, answer
from bluegold.production.results.records import DecisionRecord, microseconds
from bluegold.production.routing import route
from bluegold.production.together import ahead, attempt
from bluegold.production.veil import Veil

__all__ = ["Decided", "conclude", "decide", "decide_together", "predict"]

_ENCODER = msgspec.json.Encoder()


class Decided(NamedTuple):
    """What was decided about a request, before it is durable: answer nothing of it yet."""

    call: Call
    lanes: Lanes
    records: list[DecisionRecord]
    values: list[dict[str, Any]]
    many: bool


async def predict(desk: Desk, call: Call) -> Reply:
    """Answer one request, of one row or of many.

    Raises:
        DataError: the body is malformed (400).
        Problem: nothing is in production (503).
        FieldError: a field is wrong (422).
        Problem: a chain of nearly repeated queries (429), where the plan refuses them.
        WorkspaceError: the decisions could not be made durable (503); nothing is answered then.
    """
    decided = decide(desk, call)
    await desk.log.write(decided.records)  # durable before the answer; 503 when that fails
    return conclude(desk, decided)


def decide(desk: Desk, call: Call) -> Decided:
    """Decide about every row of a request; it waits for nothing.  Raises as :func:`predict`."""
    lanes = desk.lanes  # one immutable configuration for the whole request
    rows, many = decode(lanes, call.body)  # typed; malformed is 400, a wrong field 422
    return settle(ahead(lanes, rows) if many else lanes, lanes, call, rows, many=many)


def decide_together(desk: Desk, calls: Sequence[Call]) -> list[Decided | BluegoldError]:
    """Decide about requests that wait together, each as :func:`decide` does; what refuses one concerns no other."""
    if len(calls) == 1:
        return [attempt(decide, desk, calls[0])]
    lanes = desk.lanes
    decoded = [attempt(decode, lanes, call.body) for call in calls]
    asked = ahead(lanes, [row for one in decoded if not isinstance(one, BluegoldError) for row in one[0]])
    return [
        one
        if isinstance(one, BluegoldError)
        else attempt(functools.partial(settle, many=one[1]), asked, lanes, call, one[0])
        for call, one in zip(calls, decoded, strict=True)
    ]


def settle(asked: Lanes, lanes: Lanes, call: Call, rows: list[Row], *, many: bool) -> Decided:
    """Decide about decoded rows; ``asked`` are the lanes, or their answers that are there already."""
    decisions: list[DecisionRecord] = []
    values: list[dict[str, Any]] = []
    for row in rows:
        sample = asked.blue.prepare(row.blue)  # cleanse by the contract, then the features of training
        if lanes.blue.guard is not None:
            lanes.blue.guard.check(call.caller, sample.vector)  # a chain of near-repetitions is refused (429)
        entity = entity_of(lanes, sample.values, row, call)
        routed = route(lanes.split, entity)  # sticky: an entity keeps its colour
        outcome = execute(asked, routed, sample, row.gold)  # Gold's faults never reach an answer of Blue
        decisions.append(describe(lanes, call, row, outcome, entity=entity, routed=routed))
        values.append(sample.values)
    return Decided(call, lanes, decisions, values, many)


def conclude(desk: Desk, decided: Decided) -> Reply:
    """The answer to a request whose decisions are durable."""
    desk.remember(decided.lanes, decided.records, decided.values)  # later rows see these in their history features
    return answer(decided.records, elapsed_us(decided.call), many=decided.many)


class Row(NamedTuple):
    """One row of the body: as Blue's contract reads it, as Gold's does (None: the same), as JSON, and its hash.

    Personal fields hold pseudonyms in all of them; ``personal`` is what stood there, to be sealed.
    """

    blue: Any
    gold: Any
    text: bytes
    digest: str
    personal: dict[str, str]


def decode(lanes: Lanes, body: bytes) -> tuple[list[Row], bool]:
    """The rows of a body, and whether it was ``{"rows": [...]}``.

    Raises:
        DataError: the body is no JSON, or nested beyond reason (400).
        FieldError: a field is missing or of the wrong type (422).
    """
    rows = lanes.blue.program.decode(body)
    many = len(rows) != 1 or (b'"rows"' in body and _SHAPE.decode(body).rows is not msgspec.UNSET)
    gold = _for_gold(lanes, body, len(rows))
    return [_row(lanes.blue.veil, *pair) for pair in zip(rows, gold, strict=True)], many


def _row(veil: Veil | None, blue: Any, gold: Any) -> Row:
    personal = {} if veil is None else veil.mask(blue)
    text = _ENCODER.encode(blue)
    return Row(blue, gold, text, sha256(text).hexdigest(), personal)


def _for_gold(lanes: Lanes, body: bytes, count: int) -> list[Any]:
    """The rows as Gold's contract reads them, or its objection: a wrong Gold must not cost Blue the request."""
    if lanes.gold is None or not lanes.gold_listens or lanes.gold.features == lanes.blue.features:
        return [None] * count
    try:
        rows = list(lanes.gold.program.decode(body))
        if lanes.gold.veil is not None:
            for row in rows:
                lanes.gold.veil.mask(row)
    except BluegoldError as error:
        return [error] * count
    return rows


def entity_of(lanes: Lanes, values: dict[str, Any], row: Row, call: Call) -> str:
    """What routing is sticky by: the field the plan names, else the caller's request id, else the row itself."""
    sticky = values.get(lanes.split.sticky_by) if lanes.split.sticky_by else None
    return str(sticky) if sticky is not None else call.request or row.digest


def describe(lanes: Lanes, call: Call, row: Row, outcome: Outcome, *, entity: str, routed: Color) -> DecisionRecord:
    """The record of one decision: enough to explain, repeat and judge it."""
    lane = lanes.blue if outcome.color == "blue" or lanes.gold is None else lanes.gold
    at, veil = microseconds(), lanes.blue.veil
    return DecisionRecord(
        at=at,
        model=lanes.split.model,
        version=lane.version,
        color=outcome.color,
        value=outcome.scored.value,
        score=outcome.scored.score,
        routed=routed,
        request=call.request,
        entity=entity,
        other=outcome.other,
        error=outcome.error,
        flags=outcome.sample.flags,
        payload=msgspec.Raw(row.text),
        vector=[*outcome.sample.vector],
        input_digest=row.digest,
        features_digest=lane.features,
        latency_us=elapsed_us(call),
        revision=lanes.split.revision,
        caller=call.caller,
        scores=outcome.scored.scores,
        attempt=call.attempt,
        sealed=msgspec.UNSET if veil is None else veil.seal(row.personal, lanes.split.model, at),
    )


def elapsed_us(call: Call) -> int:
    """Microseconds since the request arrived."""
    return (time.perf_counter_ns() - call.started_ns) // 1000


class _Shape(msgspec.Struct):
    rows: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_SHAPE = msgspec.json.Decoder(_Shape)
