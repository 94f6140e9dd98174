"""What a server is: the one configuration that supervisor, deputy and command line share."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bluegold.production.tls import Tls

__all__ = ["ServerConfig"]


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a workspace.

    Attributes:
        workspace: root of the workspace.
        model: the model it serves.
        fds: one listening socket for each worker.
        follow: end when this process is gone; 0 for none.
        standby: keep a worker ready that takes the seat of one that dies.
        deputy: keep a second supervisor that goes on when the first one dies.
        patience: how many times as long as usual a worker may show no pulse.
        edge: the public listening socket, when an edge stands before the workers; -1 when they have it themselves.
        sentinel: ask known answers every so many seconds; 0 for never.
        drift: look for drift in the decisions every so many seconds; 0 for never.
        anchor: write the ends of the decision logs into the audit chain every so many seconds; 0 for never.
        tls: the files that the workers end TLS with; None for plain connections.
        leader: for a deputy, the supervisor it replaces one day.
    """

    workspace: Path
    model: str
    fds: tuple[int, ...] = ()
    follow: int = 0
    standby: bool = True
    deputy: bool = True
    patience: float = 1.0
    edge: int = -1
    sentinel: float = 0.0
    drift: float = 0.0
    anchor: float = 45.0
    tls: Tls | None = None
    leader: int = 0

    def command(self) -> list[str]:
        """The command line of a supervisor with this configuration.

        Example:
            >>> config = ServerConfig(workspace=Path("w"), model="m", fds=(7,))
            >>> ServerConfig.read(config.command()[-1]) == config
            True
        """
        told = msgspec.json.encode(self, enc_hook=str).decode()
        return [sys.executable, "-m", "bluegold.production.operations.supervisor", "--deputy", told]

    @staticmethod
    def read(text: str) -> ServerConfig:
        """The configuration that :meth:`command` wrote."""
        return msgspec.json.decode(text, type=ServerConfig, dec_hook=lambda kind, value: kind(value))
