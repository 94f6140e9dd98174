"""What goes in and out over HTTP: a call, a reply, an answer, and a problem as JSON (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from bluegold.core.errors import BluegoldError, DataError, FieldError, ServingError, WorkspaceError
from bluegold.production.results.records import DecisionRecord
from bluegold.registry.rule import Value

__all__ = ["JSON", "Answer", "Call", "Problem", "Reply", "answer", "as_json", "problem", "problem_of"]

JSON = "application/json"
_ENCODER = msgspec.json.Encoder()


class Call(msgspec.Struct, frozen=True):
    """One request as the flow sees it.

    ``started_ns`` is ``time.perf_counter_ns()`` at its arrival, ``attempt`` the edge's name for it.
    """

    body: bytes
    started_ns: int
    caller: str = ""
    request: str = ""
    attempt: str = ""


class Reply(msgspec.Struct, frozen=True):
    """Status, body and headers of what is sent back."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """One governed prediction as the caller sees it; ``scores`` is there when there are several classes."""

    id: str
    value: Value
    score: float
    version: str
    color: str
    flags: tuple[str, ...]
    latency_ms: float
    scores: tuple[float, ...] | msgspec.UnsetType = msgspec.UNSET


class Problem(ServingError):
    """A request that is answered with a problem instead of a prediction.

    Args:
        status: the HTTP status, 400 to 599.
        what: what is wrong, for people.
        field: the field of the body it is about.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        what: str,
        *,
        way_out: str = "",
        field: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(what, way_out=way_out, subject=field)
        self.status = status
        self.field = field
        self.headers = headers


def as_json(value: Any, status: int = 200) -> Reply:
    """Any value as a JSON reply."""
    return Reply(status, _ENCODER.encode(value))


def answer(records: list[DecisionRecord], elapsed_us: int, *, many: bool) -> Reply:
    """The answer to a request: one object for one row, ``{"rows": [...]}`` for many."""
    rows = [
        Answer(
            record.id,
            record.value,
            record.score,
            record.version,
            record.color,
            record.flags,
            elapsed_us / 1000,
            record.scores or msgspec.UNSET,
        )
        for record in records
    ]
    return Reply(200, _ENCODER.encode({"rows": rows} if many else rows[0]))


def problem(
    status: int, detail: str, *, field: str = "", headers: tuple[tuple[str, str], ...] = (), kind: str = ""
) -> Reply:
    """A problem as JSON.

    Example:
        >>> problem(404, "there is no /x").body
        b'{"type":"not-found","title":"Not Found","status":404,"detail":"there is no /x"}'
    """
    title = HTTPStatus(status).phrase
    content = {"type": kind or title.lower().replace(" ", "-"), "title": title, "status": status, "detail": detail}
    if field:
        content["field"] = field
    return Reply(status, _ENCODER.encode(content), "application/problem+json", headers)


def problem_of(error: BluegoldError) -> Reply:
    """The reply for an error of our own: the caller's faults are 4xx, a full disk is 503, the rest 500."""
    if isinstance(error, Problem):
        return problem(error.status, str(error), field=error.field, headers=error.headers)
    if isinstance(error, FieldError):
        return problem(422, str(error), field=error.field)
    if isinstance(error, DataError):
        return problem(400, str(error))
    if isinstance(error, WorkspaceError):
        return problem(503, str(error), headers=(("retry-after", "1"),))
    return problem(500, "the request could not be answered because of a fault on this side; it is logged")
