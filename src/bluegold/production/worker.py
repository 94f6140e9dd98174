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
from bluegold.production.loading import Loader
from bluegold.production.messages import Reply, as_json
from bluegold.production.operations.board import Board, Cell, State
from bluegold.production.operations.breaker import Breaker, LastKnown
from bluegold.production.operations.handover import hand_over
from bluegold.production.operations.health import metrics, rollout, shown
from bluegold.production.operations.pulse import followed, parent, pulse
from bluegold.production.operations.standing_by import stand_by
from bluegold.production.operations.watchdog import Watchdog
from bluegold.production.remembering import Memory
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.production.worker_config import WorkerConfig
from bluegold.registry.registry import Registry
from bluegold.security.identities import Identities
from bluegold.stores.key_value_lmdb import KeyValueLmdb
from bluegold.telemetry.log import Log, configure

__all__ = ["main", "serve", "views"]

DRAIN_S = 8.0
SWITCH_S = 0.0002
"""The log's flusher needs the interpreter for moments; 5 ms would be a long wait."""


def serve(config: WorkerConfig) -> None:
    """Serve until the supervisor ends or says so, then drain; a standby first waits for a seat.

    Raises:
        BluegoldError: the workspace, the board or the registry cannot be used.
    """
    space = Workspace(config.workspace)
    board = Board(config.board)
    waiting = Waiting(board.standby() if config.standby else board.slot(config.worker))
    waiting.slot.begin(os.getpid())
    registry = Registry.open(space, actor="automatic:serving")
    # Online features can be rebuilt from history and decisions, so writing them waits for no disk.
    online = KeyValueLmdb(space.online, durable=False)
    memory = Memory()
    follower = Follower(waiting, _split_source(config, registry), Loader(registry, online).lanes)
    follower.look()
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    follower.start()
    memory.start()
    try:
        seated = stand_by(config, board)
        if seated is not None:
            _work(seated, board, registry, follower, memory)
    finally:
        follower.stop()
        memory.stop()
        online.close()
        registry.close()


def _work(config: WorkerConfig, board: Board, registry: Registry, follower: Follower, memory: Memory) -> None:
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
    desk.gate = None if config.pin else Gatekeeper(Identities.open(Workspace(config.workspace)))
    follower.move(desk)
    try:
        uvloop.run(_run(App(desk, views(board, registry, config.model)), config, desk, board))
    finally:
        log.close()
        desk.slot[Cell.STATE] = State.ABSENT


async def _run(application: App, config: WorkerConfig, desk: Desk, board: Board) -> None:
    server = HttpServer(application, socket.socket(fileno=config.fd))
    loop = asyncio.get_running_loop()
    ended, leaving = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGUSR1, leaving.set)
    beating = asyncio.create_task(pulse(desk, parent() if config.pin else followed(board), ended))
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


def _split_source(config: WorkerConfig, registry: Registry) -> Callable[[], TrafficSplit | None]:
    if not config.pin:
        watchdog = Watchdog(registry, config.model)
        return lambda: watchdog.seen(registry.traffic.current(config.model))
    pinned = TrafficSplit(model=config.model, revision=0, blue=registry.versions.get(config.pin).ref)
    return lambda: pinned


def views(board: Board, registry: Registry, model: str) -> dict[str, View]:
    """What can be looked at: health, rollout and metrics of the whole server."""
    traffic = LastKnown(lambda: registry.traffic.current(model), None, Breaker("registry"))

    def show_health() -> Reply:
        split, unread = traffic.get()
        found = shown(board, model, split, unread)
        return as_json(found, 503 if found.status == "down" else 200)

    return {
        "/v1/health": show_health,
        "/v1/rollout": lambda: as_json(rollout(board, registry, model)),
        "/metrics": lambda: Reply(200, metrics(board), "text/plain; version=0.0.4; charset=utf-8"),
    }


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="bluegold.production.worker")
    for name in ("workspace", "board", "decisions"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--model", required=True)
    for name in ("worker", "fd", "log"):
        parser.add_argument(f"--{name}", type=int, default=-1)
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
