"""The application behind every HTTP server: routes, limits, problems and counters.

It knows no server.  The worker's own (:mod:`bluegold.production.http1`) hands requests over by :meth:`App.accept` and
is called back; RSGI and ASGI servers await :meth:`App.serve`.  Nothing that a client sends ends in a 5xx.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from bluegold.core.errors import BluegoldError, WorkspaceError
from bluegold.production.canary import HEADER
from bluegold.production.desk import Desk
from bluegold.production.flow import Decided, conclude, decide, decide_together, predict
from bluegold.production.gatekeeper import CERTIFICATE
from bluegold.production.known_answer import known_answer
from bluegold.production.messages import JSON, Call, Problem, Reply, as_json, problem, problem_of
from bluegold.production.openapi import openapi
from bluegold.production.operations.board import Cell
from bluegold.production.outcomes import record_outcomes
from bluegold.production.retries import ATTEMPT, PEER, RETRY, repeated
from bluegold.production.veil import disclosed
from bluegold.production.waiting import Waiting
from bluegold.telemetry.log import Log

__all__ = ["BODY_LIMIT", "BODY_SECONDS", "App", "Request", "View", "too_large"]

BODY_LIMIT = 1024 * 1024
"""Largest body in bytes; a larger one is refused with 413."""

BODY_SECONDS = 10.0
"""A request that has not arrived by then is refused with 408."""

MOST = 2_000
"""Predictions under way in one worker; a further one is refused with 503 before it can make the others late."""

_LOG = Log("production")
_PREDICT = "/v1/predict"
_DECISION = "/v1/decisions/"

Handler = Callable[[Call, Any], Awaitable[Reply]]
View = Callable[[], Reply]
Respond = Callable[[Reply], None]


class Request(msgspec.Struct, frozen=True):
    """A request without its body.

    ``headers`` maps names in lower case to values, ``client`` is the address it came from, ``started_ns`` is
    ``time.perf_counter_ns()`` at its arrival, ``certificate`` whom the client's verified certificate names.
    """

    method: str
    path: str
    headers: Any
    client: str
    started_ns: int
    certificate: str = ""


class Asked(NamedTuple):
    """A prediction that waits for its decision, and whom to tell."""

    request: Request
    call: Call
    respond: Respond


class App:
    """Routes requests, keeps the limits, turns errors into problems, counts.

    Args:
        desk: what the handlers work with.
        views: path -> a function that shows something; it may read the registry and runs in a thread.
    """

    def __init__(self, desk: Desk, views: dict[str, View]) -> None:
        self._desk = desk
        self._posts: dict[str, Handler] = {_PREDICT: self._predict, "/v1/outcomes": self._outcomes}
        self._views = {"/openapi.json": self._openapi, **views}
        self._worker = ("x-bluegold-worker", str(desk.slot.number))
        self._plain = (("content-type", JSON), self._worker)
        self._under_way = 0
        self._waiting = Waiting(self._decide_waiting)
        self._tasks: set[asyncio.Task[Reply]] = set()

    @property
    def leaving(self) -> bool:
        """Whether connections are to end after the answer that is due on them."""
        return self._desk.leaving

    @property
    def behind_edge(self) -> bool:
        """Whether an edge stands before this worker."""
        return self._desk.behind_edge

    def headers(self, reply: Reply) -> tuple[tuple[str, str], ...]:
        """The headers of an answer; the server adds what concerns the connection."""
        if reply.content_type == JSON and not reply.headers:
            return self._plain
        return (("content-type", reply.content_type), self._worker, *reply.headers)

    def admit(self, request: Request) -> Reply | None:
        """Why a request is refused whatever its body says; None when the body should be read."""
        path, method = request.path, request.method
        if path in self._posts:
            if method != "POST":
                return _not_allowed(method, "POST")
            return _body_refused(request.headers)
        if path not in self._views and not _is_decision(path):
            return problem(404, f"there is nothing at '{path[:200]}'; /openapi.json lists what there is")
        return None if method in {"GET", "HEAD"} else _not_allowed(method, "GET, HEAD")

    def accept(self, request: Request, body: bytes, respond: Respond) -> None:
        """Answer an admitted request: ``respond`` is called once, now or later, on the event loop."""
        headers = request.headers
        if request.path != _PREDICT or HEADER in headers or RETRY in headers or not self._knows(request):
            task = asyncio.get_running_loop().create_task(self._answer(request, body))
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._answered(done, respond))
            return
        if self._under_way >= MOST:
            self._desk.slot.add(Cell.SHED)
            respond(self.count(request, problem(503, "too much is under way", headers=(("retry-after", "1"),))))
            return
        try:
            call = self._call(request, body)
        except Exception as error:  # noqa: BLE001 - the HTTP edge: the client gets a problem, the log gets the trace
            respond(self.count(request, _refusal(request, error)))
            return
        self._under_way += 1
        self._waiting.add(Asked(request, call, respond))

    async def serve(self, request: Request, read: Callable[[], Awaitable[bytes]]) -> Reply:
        """Answer a request whose body is still to be read."""
        refused = self.admit(request)
        if refused is not None:
            return self.count(request, refused)
        try:
            body = await read() if request.path in self._posts else b""
        except Problem as error:
            return self.count(request, problem_of(error))
        return await self._answer(request, body)

    def count(self, request: Request, reply: Reply) -> Reply:
        """Count an answer, and give it back."""
        slot = self._desk.slot
        slot.add(Cell.REQUESTS)
        if reply.status >= 400:
            slot.add(Cell.FAILED if reply.status >= 500 else Cell.REFUSED)
        slot.observe((time.perf_counter_ns() - request.started_ns) // 1000)
        return reply

    def _answered(self, task: asyncio.Task[Reply], respond: Respond) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            respond(task.result())

    def _decide_waiting(self, waiting: list[Asked]) -> None:
        """Decide about the requests of a turn, stage by stage; each is recorded, or refused, for itself."""
        found: list[Decided | BluegoldError | None] = [None] * len(waiting)
        with contextlib.suppress(Exception):  # then each is asked for itself, and fails for itself
            found = [*decide_together(self._desk, [asked.call for asked in waiting])]
        decided: list[tuple[Asked, Decided]] = []
        for asked, one in zip(waiting, found, strict=True):
            try:
                if isinstance(one, BluegoldError):
                    raise one
                decided.append((asked, one or decide(self._desk, asked.call)))
            except Exception as error:  # noqa: BLE001 - the HTTP edge: the client gets a problem, the log gets the trace
                self._refuse(asked, error)
        if decided:
            self._record(decided)

    def _record(self, decided: list[tuple[Asked, Decided]]) -> None:
        """Answer when the decisions are durable, which those of a turn become together."""
        try:
            records = [record for _, one in decided for record in one.records]
            self._desk.log.submit(records, lambda error: self._conclude(decided, error))
        except Exception as error:  # noqa: BLE001 - the HTTP edge: the client gets a problem, the log gets the trace
            if len(decided) == 1:
                self._refuse(decided[0][0], error)
                return
            for one in decided:  # nothing was appended: each for itself
                self._record([one])

    def _conclude(self, decided: list[tuple[Asked, Decided]], error: WorkspaceError | None) -> None:
        """Answer requests whose decisions are durable, or could not be made so."""
        self._under_way -= len(decided)
        replies = [self.count(asked.request, self._reply(asked.request, one, error)) for asked, one in decided]
        for (asked, _), reply in zip(decided, replies, strict=True):
            asked.respond(reply)

    def _reply(self, request: Request, decided: Decided, error: WorkspaceError | None) -> Reply:
        if error is not None:
            return _refusal(request, error)
        try:
            return conclude(self._desk, decided)
        except Exception as fault:  # noqa: BLE001 - the HTTP edge: the client gets a problem, the log gets the trace
            return _refusal(request, fault)

    def _refuse(self, asked: Asked, error: Exception) -> None:
        self._under_way -= 1
        asked.respond(self.count(asked.request, _refusal(asked.request, error)))

    async def _answer(self, request: Request, body: bytes) -> Reply:
        try:
            reply = await self._dispatch(request, body)
        except Exception as error:  # noqa: BLE001 - the HTTP edge: the client gets a problem, the log gets the trace
            reply = _refusal(request, error)
        return self.count(request, reply)

    def _knows(self, request: Request) -> bool:
        """Whether it is known at once who asks."""
        gate = self._desk.gate
        return gate is None or not gate.asks or gate.knows(_credential(request))

    def _proven(self, request: Request) -> str:
        """Who asks, by a key where keys are needed; empty when nobody had to prove anything."""
        gate, path = self._desk.gate, request.path
        if gate is None or not gate.asks or (path == _PREDICT and HEADER in request.headers):
            return ""  # a known answer has a proof of its own
        if path in self._posts:
            return gate.admit(_credential(request), "predict").name
        return gate.admit(_credential(request), "decisions").name if _is_decision(path) else ""

    async def _dispatch(self, request: Request, body: bytes) -> Reply:
        if self._desk.gate is not None and not self._knows(request):
            await asyncio.to_thread(self._desk.gate.look, _credential(request))
        handler = self._posts.get(request.path)
        if handler is not None:
            return await handler(self._call(request, body), request.headers)
        view = self._views.get(request.path)
        if view is not None:
            return await asyncio.to_thread(view)
        self._proven(request)
        return self._decision(request, request.path[len(_DECISION) :])

    def _call(self, request: Request, body: bytes) -> Call:
        headers = request.headers
        behind_edge = self._desk.behind_edge
        return Call(
            body,
            request.started_ns,
            _caller(request, self._proven(request), behind_edge=behind_edge),
            headers.get("x-request-id", "")[:200],
            headers.get(ATTEMPT, "")[:100] if behind_edge else "",
        )

    async def _predict(self, call: Call, headers: Any) -> Reply:
        if HEADER in headers:  # even unreadable, it is no user's request
            return await known_answer(self._desk, call, headers.get(HEADER) or "")
        if call.attempt and RETRY in headers:
            return await repeated(self._desk, call)
        return await predict(self._desk, call)

    async def _outcomes(self, call: Call, _: Any) -> Reply:
        return await record_outcomes(self._desk, call)

    def _decision(self, request: Request, decision: str) -> Reply:
        record = self._desk.reader.get(decision)
        if record is None:
            return problem(404, f"there is no decision '{decision[:100]}'")
        gate, ring = self._desk.gate, self._desk.ring
        if not record.sealed or gate is None or not gate.allows(_credential(request), "personal"):
            return as_json(disclosed(record, None))
        _LOG.info("personal data shown", decision=decision, to=self._proven(request))
        return as_json(disclosed(record, ring))

    def _openapi(self) -> Reply:
        return as_json(openapi(self._desk.model, self._desk.current))


def too_large() -> Problem:
    """The refusal of a body beyond the limit."""
    return Problem(413, f"the body is larger than {BODY_LIMIT} bytes", way_out="send fewer rows in one request")


def _body_refused(headers: Any) -> Reply | None:
    """Why a body is not read: it does not say it is JSON, or it is too large.

    A browser asks permission before it sends JSON to another origin: insisting on the content type keeps
    foreign pages from posting to a server on loopback.
    """
    kind = headers.get("content-type", "")
    if kind != "application/json" and kind.partition(";")[0].strip().lower() != "application/json":
        return problem_of(
            Problem(415, f"content-type '{kind[:100]}' is not understood", way_out="send application/json")
        )
    packed = headers.get("content-encoding", "")
    if packed and packed.strip().lower() != "identity":
        return problem_of(
            Problem(415, f"content-encoding '{packed[:100]}' is not understood", way_out="send the body as it is")
        )
    length = headers.get("content-length", "")
    return problem_of(too_large()) if length.isdecimal() and int(length[:20]) > BODY_LIMIT else None


def _refusal(request: Request, error: Exception) -> Reply:
    """The answer to a request that failed; what is our own fault goes to the log."""
    if not isinstance(error, BluegoldError):
        _LOG.exception("fault", method=request.method, path=request.path[:200])
        return problem(500, "the request could not be answered because of a fault on this side; it is logged")
    reply = problem_of(error)
    if reply.status >= 500 and not isinstance(error, Problem):
        _LOG.error("refused", method=request.method, path=request.path[:200], because=str(error))
    return reply


def _not_allowed(method: str, allowed: str) -> Reply:
    return problem(405, f"{method[:20]} is not possible here, only {allowed}", headers=(("allow", allowed),))


def _is_decision(path: str) -> bool:
    return path.startswith(_DECISION)


def _credential(request: Request) -> str:
    """What proves who asks: the header with a key, else the client's certificate."""
    header: str = request.headers.get("authorization", "")
    return header.replace(CERTIFICATE, "") or (request.certificate and CERTIFICATE + request.certificate)


def _caller(request: Request, proven: str, *, behind_edge: bool) -> str:
    """Who asks: the address, and before it the proven name, or the one the caller gave itself where none is asked."""
    address = request.headers.get(PEER, "")[:100] if behind_edge else request.client
    name = proven or request.certificate or request.headers.get("x-bluegold-caller", "")[:100]
    return f"{name}@{address}" if name else address
