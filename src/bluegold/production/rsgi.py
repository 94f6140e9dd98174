"""RSGI: the application for servers such as granian.  Source: granian's RSGI specification, version 1.

``BLUEGOLD_WORKSPACE=workspace granian --interface rsgi bluegold.production.rsgi:application`` serves the one model of a
workspace, as :mod:`bluegold.production.asgi` does.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack, suppress
from typing import Any, Protocol

from bluegold.production.app import BODY_LIMIT, BODY_SECONDS, App, Request, too_large
from bluegold.production.messages import Problem

__all__ = ["RsgiApp", "Scope", "Transport", "application"]

DROPPED = 16 * BODY_LIMIT
"""So much of a body that is too large is read and dropped, so that its sender gets to see why it is refused."""

DROP_SECONDS = 2.0
"""For so long a refused body is read."""


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


class RsgiApp:
    """The application as RSGI servers call it.

    Args:
        app: what answers; without it, the workspace of the settings is opened when the server starts.
    """

    def __init__(self, app: App | None = None) -> None:
        self._app = app
        self._stack = ExitStack()

    def __rsgi_init__(self, _: asyncio.AbstractEventLoop) -> None:
        """The server starts."""
        from bluegold.production.hosting import hosted

        self._app = self._app or self._stack.enter_context(hosted())

    def __rsgi_del__(self, _: asyncio.AbstractEventLoop) -> None:
        """The server ends."""
        self._stack.close()

    async def __rsgi__(self, scope: Scope, transport: Transport) -> None:
        """Answer one HTTP request."""
        app = self._app
        if scope.proto != "http" or app is None:
            return
        headers = scope.headers
        request = Request(scope.method, scope.path, headers, scope.client.rpartition(":")[0], time.perf_counter_ns())
        unread = True

        async def read() -> bytes:
            nonlocal unread
            unread = False
            return await _body(headers.get("content-length", ""), transport)

        reply = await app.serve(request, read)
        if unread and ("content-length" in headers or "transfer-encoding" in headers):
            await _drop(transport)  # else the connection ends under the sender, who may never see the answer
        sent = list(app.headers(reply))
        if app.leaving:
            sent.append(("connection", "close"))
        transport.response_bytes(reply.status, sent, b"" if scope.method == "HEAD" else reply.body)


async def _body(length: str, transport: Transport) -> bytes:
    """The body, never more than the limit and never waited for without end."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await transport() if length.isdecimal() else await _chunks(transport)
    except TimeoutError as error:
        raise Problem(408, f"the body did not arrive within {BODY_SECONDS:g} s", way_out="send it again") from error
    except RuntimeError as error:  # the server's word for a connection that broke off
        raise Problem(400, "the body broke off", way_out="send it again") from error


async def _drop(transport: Transport) -> None:
    """Read a refused body without looking, as far and as long as is reasonable."""
    size = 0
    with suppress(TimeoutError, RuntimeError):
        async with asyncio.timeout(DROP_SECONDS):
            async for chunk in transport:
                size += len(chunk)
                if size > DROPPED:
                    return


async def _chunks(transport: Transport) -> bytes:
    parts, size = [], 0
    async for chunk in transport:
        size += len(chunk)
        if size <= BODY_LIMIT:
            parts.append(chunk)
        elif size > DROPPED:
            break
    if size > BODY_LIMIT:
        raise too_large()
    return b"".join(parts)


application = RsgiApp()
