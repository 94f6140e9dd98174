"""One serving process.  Started by the supervisor (or pinned to one version by a gate), never by hand.

``python -m bluegold.production.worker --workspace W --model M --worker 0 --fd 5 --board B --decisions D``
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import TrafficSplit
from bluegold.core.workspace import Workspace
from bluegold.production.app import App, View
from bluegold.production.canary import canary_token
from bluegold.production.desk import Desk
from bluegold.production.following import Follower, Waiting
from bluegold.production.gatekeeper import Gatekeeper
from bluegold.production.http1.server import HttpServer
from bluegold.production.kept import Kept
from bluegold.production.loading import Loader
from bluegold.production.messages import Reply, as_json, problem
from bluegold.production.operations.board import Board, Cell, State
from bluegold.production.operations.breaker import Breaker, LastKnown
from bluegold.production.operations.handover import hand_over
from bluegold.production.operations.health import rollout, shown
from bluegold.production.operations.pulse import followed, parent, pulse
from bluegold.production.operations.standing_by import stand_by
from bluegold.production.operations.watchdog import watched
from bluegold.production.reaching import Reached
from bluegold.production.remembering import Memory
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.production.tls import ServerTls
from bluegold.production.worker_config import WorkerConfig
from bluegold.registry.registry import Registry
from bluegold.security.identities import Identities
from bluegold.security.memory import close_memory
from bluegold.security.sealing import KeyRing
from bluegold.stores.key_value_lmdb import KeyValueLmdb
from bluegold.telemetry.log import Log, configure

__all__ = ["main", "serve", "views"]

DRAIN_S = 8.0
SWITCH_S = 0.001
"""The log's flusher needs the interpreter for moments: 5 ms would be a long wait, below 1 ms switches cost more."""

COLLECT = (20_000, 20, 50)
"""When to look for cycles: requests leave hardly any, so looking at every 700th new object is work for nothing."""


def serve(config: WorkerConfig) -> None:
    """Serve until the supervisor ends or says so, then drain; a standby first waits for a seat.

    Raises:
        BluegoldError: the workspace, the board or the registry cannot be used.
    """
    close_memory()
    space = Workspace(config.workspace)
    board = Board(config.board)
    waiting = Waiting(board.standby() if config.standby else board.slot(config.worker))
    waiting.slot.begin(os.getpid())
    reached = Reached(space, "automatic:serving", patient=bool(config.pin))
    # Online features can be rebuilt from history and decisions, so writing them waits for no disk.
    online = KeyValueLmdb(space.online, durable=False)
    memory = Memory()
    kept = None if config.pin else Kept(space, config.model)
    follower = Follower(waiting, _split_source(config, reached), Loader(reached, online, kept, keys=space.keys))
    follower.look()
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    gc.set_threshold(*COLLECT)
    follower.start()
    memory.start()
    try:
        seated = stand_by(config, board)
        if seated is not None:
            _work(seated, board, reached, follower, memory)
    finally:
        follower.stop()
        memory.stop()
        online.close()
        reached.close()


def _work(config: WorkerConfig, board: Board, reached: Reached, follower: Follower, memory: Memory) -> None:
    import uvloop

    number = config.log if config.log >= 0 else config.worker
    slot = board.slot(config.worker)
    slot.begin(os.getpid())
    slot[Cell.LOG] = number
    observe = None if config.pin else memory.observe  # a pinned worker is measured with made-up traffic
    token = canary_token(Workspace(config.workspace).keys)
    log = DecisionLog(config.decisions, number)
    desk = Desk(config.model, log, DecisionReader(config.decisions), slot, token, observe)
    desk.behind_edge = bool(config.edge)
    desk.ring = KeyRing(Workspace(config.workspace).keys)
    desk.gate = None if config.pin else Gatekeeper(Identities.open(Workspace(config.workspace)))
    follower.move(desk)
    try:
        first = follower.split
        uvloop.run(_run(App(desk, views(board, lambda: reached.registry, config.model, first)), config, desk, board))
    finally:
        log.close()
        desk.slot[Cell.STATE] = State.ABSENT


async def _run(application: App, config: WorkerConfig, desk: Desk, board: Board) -> None:
    tls = ServerTls(config.tls, Workspace(config.workspace).keys) if config.tls else None
    server = HttpServer(application, socket.socket(fileno=config.fd), tls)
    loop = asyncio.get_running_loop()
    ended, leaving = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGUSR1, leaving.set)
    led = parent() if config.pin else followed(board)
    beating = asyncio.create_task(pulse(desk, led, ended, lambda: len(server.connections)))
    serving = asyncio.create_task(server.serve())
    desk.slot.beat()
    desk.slot[Cell.READY_NS] = time.monotonic_ns()
    desk.slot[Cell.STATE] = State.READY
    reasons = {asyncio.create_task(ended.wait()), asyncio.create_task(leaving.wait()), serving}
    await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
    if leaving.is_set() and not ended.is_set():
        await hand_over(desk, board, server, ended)
    desk.slot[Cell.STATE] = State.DRAINING
    server.finish()
    await asyncio.wait({serving}, timeout=DRAIN_S)
    beating.cancel()


def _split_source(config: WorkerConfig, reached: Reached) -> Callable[[], TrafficSplit | None]:
    if not config.pin:
        return watched(reached, config.model)
    pinned = TrafficSplit(model=config.model, revision=0, blue=reached.registry.versions.get(config.pin).ref)
    return lambda: pinned


def views(
    board: Board, registry: Callable[[], Registry], model: str, first: TrafficSplit | None = None
) -> dict[str, View]:
    """What can be looked at: health, rollout and metrics of the whole server; no look waits long for the registry.

    Args:
        board: the server's board.
        registry: gives the registry, or raises while it does not answer.
        model: the model.
        first: the split that answers before any could be read.
    """
    traffic = LastKnown(lambda: registry().traffic.current(model), first, Breaker("registry"))
    release = LastKnown(lambda: rollout(board, registry(), model), None, Breaker("releases"))

    def show_health() -> Reply:
        split, unread = traffic.get()
        found = shown(board, model, split, unread)
        return as_json(found, 503 if found.status == "down" else 200)

    def show_rollout() -> Reply:
        found, unread = release.get()
        if found is None:
            return problem(503, f"the registry does not answer: {unread}", headers=(("retry-after", "5"),))
        return as_json(msgspec.structs.replace(found, unread=unread))

    def show_metrics() -> Reply:
        from bluegold.production.operations.exposition import metrics

        return Reply(200, metrics(board), "text/plain; version=0.0.4; charset=utf-8")

    return {
        "/v1/health": show_health,
        "/v1/rollout": show_rollout,
        "/metrics": show_metrics,
    }


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="bluegold.production.worker")
    for name in ("workspace", "board", "decisions"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--model", required=True)
    for name in ("worker", "fd", "log"):
        parser.add_argument(f"--{name}", type=int, default=-1)
    for name in ("tls_cert", "tls_key", "client_ca"):
        parser.add_argument(f"--{name}", default="")
    for name in ("standby", "edge"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--pin", default="")
    config = msgspec.convert(vars(parser.parse_args(argv)), WorkerConfig)
    configure("info")
    try:
        serve(config)
    except BluegoldError as error:
        Log("production").critical(str(error))
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
