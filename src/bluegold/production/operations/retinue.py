"""The retinue: which processes stand beside the workers of a server, each by its own choice."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Head
from bluegold.production.operations.companions import Companion
from bluegold.production.operations.edge import EdgeConfig
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.reader_config import ReaderConfig
from bluegold.production.operations.sentinel_config import SentinelConfig
from bluegold.production.operations.server_config import ServerConfig

__all__ = ["companions"]

DEPUTY_AFTER_S = 0.2
SENTINEL_AFTER_S = 1.0
DRIFT_AFTER_S = 2.0
ANCHOR_AFTER_S = 15.0


def companions(server: ServerConfig, endpoint: Endpoint, board: Board) -> list[Companion]:
    """The companions that a server asks for.

    Args:
        server: what the server is.
        endpoint: where it answers.
        board: its board, which remembers their numbers.
    """
    found = []
    if server.edge >= 0:
        found.append(_edge(server, endpoint, board))
    if server.sentinel > 0:
        found.append(_sentinel(server, endpoint, board))
    if server.drift > 0:
        found.append(_drift(server, board))
    if server.anchor > 0:
        found.append(_anchor(server, board))
    if server.deputy:
        found.append(_deputy(server, board))
    return found


def _edge(server: ServerConfig, endpoint: Endpoint, board: Board) -> Companion:
    config = EdgeConfig(
        fd=server.edge,
        ports=endpoint.direct,
        board=Path(endpoint.board),
        tls=server.tls,
        keys=Workspace(server.workspace).keys,
    )
    return Companion(config.command, _log(server, "edge"), (server.edge,), again=0.0, place=(board, Head.EDGE))


def _sentinel(server: ServerConfig, endpoint: Endpoint, board: Board) -> Companion:
    config = SentinelConfig(workspace=server.workspace, endpoint=endpoint, every=server.sentinel)
    return Companion(config.command, _log(server, "sentinel"), after=SENTINEL_AFTER_S, place=(board, Head.SENTINEL))


def _drift(server: ServerConfig, board: Board) -> Companion:
    command = _reader(server, "drift_watch", server.drift)
    return Companion(command, _log(server, "drift"), after=DRIFT_AFTER_S, place=(board, Head.DRIFT))


def _anchor(server: ServerConfig, board: Board) -> Companion:
    command, after = _reader(server, "anchoring", server.anchor), min(ANCHOR_AFTER_S, server.anchor)
    return Companion(command, _log(server, "anchor"), after=after, place=(board, Head.ANCHOR))


def _reader(server: ServerConfig, module: str, every: float) -> Callable[[], list[str]]:
    """The command line of a process that reads what this server recorded."""
    board = Workspace(server.workspace).run / "board"
    return partial(
        ReaderConfig(workspace=server.workspace, board=board, every=every).command, f"bluegold.production.{module}"
    )


def _deputy(server: ServerConfig, board: Board) -> Companion:
    told = msgspec.structs.replace(server, leader=os.getpid())
    fds = (*server.fds, server.edge) if server.edge >= 0 else server.fds
    return Companion(told.command, _log(server, "deputy"), fds, after=DEPUTY_AFTER_S, place=(board, Head.DEPUTY))


def _log(server: ServerConfig, name: str) -> Path:
    return Workspace(server.workspace).run / f"{name}.log"
