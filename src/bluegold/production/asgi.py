"""ASGI: the application for servers such as uvicorn.  Source: the ASGI specification, HTTP 2.4 and lifespan 2.0.

``BLUEGOLD_WORKSPACE=workspace uvicorn bluegold.production.asgi:application`` serves the one model of a workspace.  It
follows the traffic split and records decisions as a worker does, but nobody supervises it: replacing a process that
died, and stopping one that hangs, is its server's business then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from bluegold.core.errors import BluegoldError
from bluegold.production.app import BODY_LIMIT, BODY_SECONDS, App, Request, too_large
from bluegold.production.messages import Problem

__all__ = ["AsgiApp", "application"]

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApp:
    """The application as ASGI servers call it.

    Args:
        app: what answers; without it, the workspace of the settings is opened when the server starts.
    """

    def __init__(self, app: App | None = None) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or follow the server from its start to its end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and self._app is not None:
            await self._answer(self._app, scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})

    async def _live(self, receive: Receive, send: Send) -> None:
        from bluegold.production.hosting import hosted

        with ExitStack() as stack:
            while True:
                message = await receive()
                if message["type"] == "lifespan.shutdown":
                    await send({"type": "lifespan.shutdown.complete"})
                    return
                try:
                    self._app = self._app or stack.enter_context(hosted())
                except (BluegoldError, OSError) as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    raise
                await send({"type": "lifespan.startup.complete"})

    async def _answer(self, app: App, scope: Message, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("latin-1")
        client = scope.get("client") or ("", 0)
        request = Request(scope["method"], path, headers, str(client[0]), time.perf_counter_ns())
        reply = await app.serve(request, lambda: _body(receive))
        sent = [*app.headers(reply), ("content-length", str(len(reply.body)))]
        if app.leaving:
            sent.append(("connection", "close"))
        encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in sent]
        await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
        body = b"" if scope["method"] == "HEAD" else reply.body
        await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    """The body, never more than the limit and never waited for without end."""
    parts, size, more = [], 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "the body broke off", way_out="send it again")
                part = message.get("body", b"")
                size += len(part)
                if size > BODY_LIMIT:
                    raise too_large()
                parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise Problem(408, f"the body did not arrive within {BODY_SECONDS:g} s", way_out="send it again") from error
    return b"".join(parts)


application = AsgiApp()
