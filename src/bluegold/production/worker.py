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
from collections.abc import Callable
from pathlib import Path

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import TrafficSplit
from bluegold.core.workspace import Workspace
from bluegold.production.app import App, View
from bluegold.production.canary import canary_token
from bluegold.production.desk import Desk
from bluegold.production.following import Follower
from bluegold.production.loading import Loader
from bluegold.production.messages import Reply, as_json
from bluegold.production.operations.board import Board, Cell, State
from bluegold.production.operations.health import health, metrics, rollout
from bluegold.production.remembering import Memory
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.production.server import SocketServer
from bluegold.production.worker_config import WorkerConfig
from bluegold.registry.registry import Registry
from bluegold.stores.key_value_lmdb import KeyValueLmdb
from bluegold.telemetry.log import Log, configure

__all__ = ["main", "serve"]

HEARTBEAT_S = 0.02
DRAIN_S = 8.0
SWITCH_S = 0.0002
"""The server's network thread and the log's flusher need the interpreter for moments; 5 ms would be a long wait."""


def serve(config: WorkerConfig) -> None:
    """Serve until the supervisor ends or says so, then drain.

    Raises:
        BluegoldError: the workspace, the board or the registry cannot be used.
    """
    import uvloop

    space = Workspace(config.workspace)
    board = Board(config.board)
    slot = board.slot(config.worker)
    slot.begin(os.getpid())
    registry = Registry.open(space, actor="automatic:serving")
    # Online features can be rebuilt from history and decisions, so writing them waits for no disk.
    online = KeyValueLmdb(space.online, durable=False)
    loader = Loader(registry, online)
    memory = Memory()
    log = DecisionLog(config.decisions, config.worker)
    reader = DecisionReader(config.decisions)
    observe = None if config.pin else memory.observe  # a pinned worker is measured with made-up traffic
    desk = Desk(config.model, log, reader, slot, canary_token(space.keys), observe)
    follower = Follower(desk, _split_source(config, registry), loader.lanes)
    follower.look()
    application = App(desk, _views(board, registry, config.model))
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    follower.start()
    memory.start()
    try:
        uvloop.run(_run(application, config, desk))
    finally:
        follower.stop()
        memory.stop()
        log.close()
        online.close()
        registry.close()
        slot[Cell.STATE] = State.ABSENT


async def _run(application: App, config: WorkerConfig, desk: Desk) -> None:
    server = SocketServer(application, socket.socket(fileno=config.fd))
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    pulse = asyncio.create_task(_pulse(desk, os.getppid(), ended))
    serving = asyncio.create_task(server.serve())
    desk.slot.beat()
    desk.slot[Cell.STATE] = State.READY
    await asyncio.wait({asyncio.create_task(ended.wait()), serving}, return_when=asyncio.FIRST_COMPLETED)
    desk.slot[Cell.STATE] = State.DRAINING
    server.finish()
    await asyncio.wait({serving}, timeout=DRAIN_S)
    pulse.cancel()


async def _pulse(desk: Desk, parent: int, ended: asyncio.Event) -> None:
    """Show that the loop turns; end when the process that started this one is gone."""
    while not ended.is_set():
        desk.slot.beat()
        if os.getppid() != parent:
            ended.set()
        await asyncio.sleep(HEARTBEAT_S)


def _split_source(config: WorkerConfig, registry: Registry) -> Callable[[], TrafficSplit | None]:
    if not config.pin:
        return lambda: registry.traffic.current(config.model)
    pinned = TrafficSplit(model=config.model, revision=0, blue=registry.versions.get(config.pin).ref)
    return lambda: pinned


def _views(board: Board, registry: Registry, model: str) -> dict[str, View]:
    def show_health() -> Reply:
        found = health(board, registry, model)
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
    parser.add_argument("--worker", type=int, required=True)
    parser.add_argument("--fd", type=int, required=True)
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
