"""A guarded server: a copy of the workspace that has a user of every role, served by the worker's own HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from bluegold.core.nouns import TrafficSplit
from bluegold.core.workspace import Workspace
from bluegold.probes.bench import Bench, keep
from bluegold.probes.instruments.client import Client
from bluegold.probes.scratch import ACTOR, NotMeasured
from bluegold.production.app import App
from bluegold.production.hosting import hosted
from bluegold.production.http1.server import HttpServer
from bluegold.production.operations.processes import Endpoint
from bluegold.registry.registry import Registry
from bluegold.security.access import ROLES, Role
from bluegold.security.identities import Identities, make_key
from bluegold.security.signing import Signer

__all__ = ["Guarded", "guarded"]

START_S = 30.0


class Guarded:
    """A served copy that asks for keys.

    Args:
        workspace: the copy.
        endpoint: its server.
        keys: the key of one user of each role, and what must count as none: no key, a made-up one, an expired one.
    """

    def __init__(self, workspace: Workspace, endpoint: Endpoint, keys: Mapping[str, str]) -> None:
        self.workspace = workspace
        self.endpoint = endpoint
        self.keys = dict(keys)

    def ask(self, who: str, method: str, path: str, body: bytes = b"") -> tuple[int, object]:
        """A request with somebody's key; status and answer."""
        headers = {"authorization": f"Bearer {self.keys[who]}"} if self.keys[who] else {}
        with Client(self.endpoint) as client:
            return client.post(path, body, headers) if method == "POST" else client.get(path, headers)


def guarded(bench: Bench) -> Guarded:
    """Start it; use it through ``bench.once``.

    Raises:
        NotMeasured: nothing is in production.
        BluegoldError: the copy cannot be served.
    """
    blue = bench.version
    space = keep(bench, bench.copy())
    with Registry.open(space, actor=ACTOR) as registry:
        registry.traffic.set(TrafficSplit(model=blue.model, revision=0, blue=blue.ref, reason="a server for probes"))
    keys = _users(space)
    app = keep(bench, hosted(space.root, blue.model))
    port = keep(bench, _served(app))
    endpoint = Endpoint(host="127.0.0.1", port=port, pid=os.getpid(), workers=1, model=blue.model, board="")
    return Guarded(space, endpoint, keys)


def _users(space: Workspace) -> dict[str, str]:
    """A user of every role, and an expired one; their keys."""
    roles: list[Role] = [role for role in sorted(ROLES) if role != "automatic"]
    with ThreadPoolExecutor(2) as pool:  # a key is costly to hash, which is its point
        made = list(pool.map(lambda role: make_key(f"probe {role}", (role,)), roles))
    expired, dead = make_key("probe expired", ("operator",), expires_at=1.0)
    users = (*(user for user, _ in made), expired)
    Identities.open(space).write(0, users, Signer.open(space.keys))
    return {
        **{role: key for role, (_, key) in zip(roles, made, strict=True)},
        "nobody": "",
        "a made-up key": f"bg_{made[0][0].key}_{'0' * 64}",
        "an expired key": dead,
    }


@contextlib.contextmanager
def _served(app: App) -> Iterator[int]:
    """Serve an application on a free loopback port, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    ready = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, HttpServer]] = []

    async def run() -> None:
        server = HttpServer(app, listener)
        running.append((asyncio.get_running_loop(), server))
        ready.set()
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="guarded", daemon=True)
    thread.start()
    try:
        if not ready.wait(START_S):
            raise NotMeasured("the server for probes did not start")
        yield port
    finally:
        for loop, server in running:
            loop.call_soon_threadsafe(server.finish)
        thread.join(START_S)
        listener.close()
