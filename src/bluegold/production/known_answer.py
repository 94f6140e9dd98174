"""Known answers: recorded inputs with recorded scores, asked of a live model through the real HTTP path."""

from __future__ import annotations

import hmac
import time

import msgspec

from bluegold.core.nouns import Color
from bluegold.production.canary import HEADER, KnownAnswer
from bluegold.production.desk import Desk
from bluegold.production.lanes import Lane, Lanes, Sample
from bluegold.production.messages import Call, Problem, Reply, as_json
from bluegold.production.operations.board import Cell
from bluegold.production.results.records import DecisionRecord, microseconds
from bluegold.registry.bundle import CanaryRecord

__all__ = ["known_answer"]


class Question(msgspec.Struct, frozen=True):
    """The body of a known-answer request."""

    canary: str
    color: Color


_DECODER = msgspec.json.Decoder(Question)


async def known_answer(desk: Desk, call: Call, token: str) -> Reply:
    """Answer one known-answer record with the named colour's live model; it is recorded, but not as a user's.

    Raises:
        Problem: wrong token (403), malformed (400), no such record or colour (404).
        WorkspaceError: the decision could not be made durable.
    """
    if not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), desk.token.encode()):
        raise Problem(403, f"the {HEADER} header does not carry this installation's token")
    question = _question(call.body)
    lanes = desk.lanes
    lane, record = _asked(lanes, question)
    scored = lane.score(Sample(dict(record.payload), (), record.matrix_row()))
    said = scored.scores or scored.score
    correct = said == record.score
    desk.slot.add(Cell.KNOWN_ANSWERS)
    if not correct:
        desk.slot.add(Cell.WRONG_ANSWERS)
    decision = DecisionRecord(
        at=microseconds(),
        model=desk.model,
        version=lane.version,
        color=question.color,
        routed=question.color,
        value=scored.value,
        score=scored.score,
        entity=record.id,
        error="" if correct else f"known answer {record.score!r}, got {said!r}",
        payload=record.payload,
        vector=list(record.vector),
        features_digest=lane.features,
        latency_us=(time.perf_counter_ns() - call.started_ns) // 1000,
        revision=lanes.split.revision,
        caller=call.caller,
        canary=True,
    )
    await desk.log.write([decision])
    return as_json(
        KnownAnswer(
            canary=record.id,
            color=question.color,
            version=lane.version,
            score=said,
            expected=record.score,
            correct=correct,
            worker=desk.slot.number,
            id=decision.id,
            latency_us=scored.latency_us,
        )
    )


def _asked(lanes: Lanes, question: Question) -> tuple[Lane, CanaryRecord]:
    """The lane and the record a question is about."""
    lane = lanes.of(question.color)
    if lane is None:
        raise Problem(404, f"no {question.color} version is loaded {lanes.gold_fault}".rstrip())
    record = next((one for one in lane.bundle.canaries if one.id == question.canary), None)
    if record is None:
        raise Problem(404, f"{lane.version} has no canary record '{question.canary}'", field="canary")
    return lane, record


def _question(body: bytes) -> Question:
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        way_out = 'send {"canary": id, "color": "gold"}'
        raise Problem(400, f"not a known-answer request: {error}", way_out=way_out) from error
