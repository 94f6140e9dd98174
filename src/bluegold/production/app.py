"""The HTTP edge: a thin RSGI application around the flow.  Nothing that a client sends ends in a 5xx."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from bluegold.core.errors import BluegoldError
from bluegold.production.canary import HEADER
from bluegold.production.desk import Desk
from bluegold.production.flow import predict
from bluegold.production.known_answer import known_answer
from bluegold.production.messages import Call, Problem, Reply, as_json, problem, problem_of
from bluegold.production.openapi import openapi
from bluegold.production.operations.board import Cell
from bluegold.production.outcomes import record_outcomes
from bluegold.telemetry.log import Log

__all__ = ["BODY_LIMIT", "App", "Scope", "Transport"]

BODY_LIMIT = 1024 * 1024
"""Largest body in bytes; a larger one is refused with 413."""

BODY_SECONDS = 10.0
"""A body that has not arrived by then is refused with 408."""

_LOG = Log("production")
_DECISION = "/v1/decisions/"

Handler = Callable[[Call, Any], Awaitable[Reply]]
View = Callable[[], Reply]


class Scope(Protocol):
    """The part of an RSGI scope that is used here."""

    proto: str
    method: str
    path: str
    client: str

    @property
    def headers(self) -> Any:
        """Header names, in lower case, to values."""


class Transport(Protocol):
    """The part of an RSGI protocol that is used here."""

    async def __call__(self) -> bytes:
        """The whole body."""

    def __aiter__(self) -> Any:
        """The body in chunks."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the answer."""


class App:
    """Routes calls, keeps the limits, turns errors into problems, counts.

    Args:
        desk: what the handlers work with.
        views: path -> a function that shows something; it may read the registry and runs in a thread.
    """

    def __init__(self, desk: Desk, views: dict[str, View]) -> None:
        self._desk = desk
        self._posts: dict[str, Handler] = {"/v1/predict": self._predict, "/v1/outcomes": self._outcomes}
        self._views = {"/openapi.json": self._openapi, **views}
        self._worker = ("x-bluegold-worker", str(desk.slot.number))

    async def __rsgi__(self, scope: Scope, transport: Transport) -> None:
        """Answer one HTTP request."""
        if scope.proto != "http":
            return
        started = time.perf_counter_ns()
        reply = await self._guarded(scope, transport, started)
        slot = self._desk.slot
        slot.add(Cell.REQUESTS)
        if reply.status >= 500:
            slot.add(Cell.FAILED)
        elif reply.status >= 400:
            slot.add(Cell.REFUSED)
        slot.observe((time.perf_counter_ns() - started) // 1000)
        headers = [("content-type", reply.content_type), self._worker, *reply.headers]
        transport.response_bytes(reply.status, headers, b"" if scope.method == "HEAD" else reply.body)

    async def _guarded(self, scope: Scope, transport: Transport, started: int) -> Reply:
        try:
            return await self._dispatch(scope, transport, started)
        except BluegoldError as error:
            reply = problem_of(error)
            if reply.status >= 500 and not isinstance(error, Problem):
                _LOG.error("refused", method=scope.method, path=scope.path[:200], because=str(error))
            return reply
        except Exception:  # noqa: BLE001 - the HTTP edge: the client gets a problem, the log gets the trace
            _LOG.exception("fault", method=scope.method, path=scope.path[:200])
            return problem(500, "the request could not be answered because of a fault on this side; it is logged")

    async def _dispatch(self, scope: Scope, transport: Transport, started: int) -> Reply:
        handler = self._posts.get(scope.path)
        if handler is not None:
            if scope.method != "POST":
                return _not_allowed(scope, "POST")
            headers = scope.headers
            body = await _body(headers, transport)
            return await handler(Call(body, started, _caller(scope), headers.get("x-request-id", "")[:200]), headers)
        view = self._views.get(scope.path)
        if view is None and not scope.path.startswith(_DECISION):
            return problem(404, f"there is nothing at '{scope.path[:200]}'; /openapi.json lists what there is")
        if scope.method not in {"GET", "HEAD"}:
            return _not_allowed(scope, "GET, HEAD")
        if view is not None:
            return await asyncio.to_thread(view)
        return self._decision(scope.path[len(_DECISION) :])

    async def _predict(self, call: Call, headers: Any) -> Reply:
        if HEADER in headers:  # even unreadable, it is no user's request
            return await known_answer(self._desk, call, headers.get(HEADER) or "")
        return await predict(self._desk, call)

    async def _outcomes(self, call: Call, _: Any) -> Reply:
        return await record_outcomes(self._desk, call)

    def _decision(self, decision: str) -> Reply:
        record = self._desk.reader.get(decision)
        if record is None:
            return problem(404, f"there is no decision '{decision[:100]}'")
        return as_json(record)

    def _openapi(self) -> Reply:
        return as_json(openapi(self._desk.model, self._desk.current))


async def _body(headers: Any, transport: Transport) -> bytes:
    """The body, never more than the limit, never waited for without end, and only when it says it is JSON.

    A browser asks permission before it sends JSON to another origin: insisting on the content type keeps
    foreign pages from posting to a server on loopback.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, f"content-type '{kind[:100]}' is not understood", way_out="send application/json")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > BODY_LIMIT:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await transport() if length.isdecimal() else await _chunks(transport)
    except TimeoutError as error:
        raise Problem(408, f"the body did not arrive within {BODY_SECONDS:g} s", way_out="send it again") from error
    except RuntimeError as error:  # the server's word for a connection that broke off
        raise Problem(400, "the body broke off", way_out="send it again") from error


async def _chunks(transport: Transport) -> bytes:
    parts, size = [], 0
    async for chunk in transport:
        size += len(chunk)
        if size > BODY_LIMIT:
            raise _too_large()
        parts.append(chunk)
    return b"".join(parts)


def _too_large() -> Problem:
    return Problem(413, f"the body is larger than {BODY_LIMIT} bytes", way_out="send fewer rows in one request")


def _not_allowed(scope: Scope, allowed: str) -> Reply:
    return problem(405, f"{scope.method[:20]} is not possible here, only {allowed}", headers=(("allow", allowed),))


def _caller(scope: Scope) -> str:
    """Who asks: the address, and before it the name the caller gave itself (it is not proven)."""
    address = scope.client.rpartition(":")[0]
    name = scope.headers.get("x-bluegold-caller", "")[:100]
    return f"{name}@{address}" if name else address
