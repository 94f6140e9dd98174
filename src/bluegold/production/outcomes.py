"""Outcomes: what turned out to be true, reported later and joined to decisions by id."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from bluegold.core.errors import FieldError
from bluegold.production.desk import Desk
from bluegold.production.messages import Call, Problem, Reply, as_json
from bluegold.production.operations.board import Cell
from bluegold.production.results.records import OutcomeRecord, microseconds
from bluegold.production.results.segments import Place

__all__ = ["record_outcomes"]


class Outcome(msgspec.Struct, frozen=True):
    """One outcome as it is sent: the decision's id and the true value."""

    id: str
    value: bool | float | Annotated[str, msgspec.Meta(max_length=200)]


class Body(msgspec.Struct, frozen=True):
    """What ``POST /v1/outcomes`` takes."""

    outcomes: Annotated[list[Outcome], msgspec.Meta(min_length=1, max_length=1000)]


_DECODER = msgspec.json.Decoder(Body)


async def record_outcomes(desk: Desk, call: Call) -> Reply:
    """Record up to 1,000 outcomes durably.

    Raises:
        Problem: the body is malformed (400).
        FieldError: a field is wrong (422).
        WorkspaceError: the outcomes could not be made durable.
    """
    try:
        body = _DECODER.decode(call.body)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is not valid JSON: {error}", way_out="send one JSON object") from error
    for index, outcome in enumerate(body.outcomes):
        if Place.parse(outcome.id) is None:
            raise FieldError(f"outcomes[{index}].id", "is not the id of a decision")
    at = microseconds()
    await desk.log.write([OutcomeRecord(id=one.id, value=one.value, at=at) for one in body.outcomes])
    desk.slot.add(Cell.OUTCOMES, len(body.outcomes))
    return as_json({"recorded": len(body.outcomes)})


def _explained(message: str) -> FieldError:
    """What the decoder says, with the path of the field it is about."""
    text, _, path = message.partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    missing = re.search(r"missing required field `(\w+)`", text)
    if missing:
        return FieldError(f"{path}.{missing[1]}" if path else missing[1], "is missing", way_out="add it")
    return FieldError(path or "outcomes", text[:1].lower() + text[1:])
