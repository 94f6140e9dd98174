"""What a worker process is told, and the command line that tells it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bluegold.production.tls import Tls

__all__ = ["WorkerConfig"]


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told.

    ``worker`` is its seat, ``fd`` its listening socket, ``log`` the number of its decision log (-1: the seat's),
    ``pin`` a version to serve without the traffic table.  With ``standby`` it gets ready, stands by, and finds
    seat, listening socket and log on the board when it is needed.  ``edge`` is 1 when only the
    edge can reach it, whose word about the caller's address counts then.  ``tls_cert``, ``tls_key`` and
    ``client_ca`` are files in PEM.
    """

    workspace: Path
    model: str
    worker: int
    fd: int
    board: Path
    decisions: Path
    pin: str = ""
    log: int = -1
    standby: int = 0
    edge: int = 0
    tls_cert: str = ""
    tls_key: str = ""
    client_ca: str = ""

    @property
    def tls(self) -> Tls | None:
        """The files that TLS is ended with; None for plain connections."""
        if not self.tls_cert:
            return None
        authorities = Path(self.client_ca) if self.client_ca else None
        return Tls(cert=Path(self.tls_cert), key=Path(self.tls_key), client_ca=authorities)

    def arguments(self) -> list[str]:
        """The command line that gives this configuration to a new process."""
        given = {name: str(getattr(self, name)) for name in self.__struct_fields__}
        return [sys.executable, "-m", "bluegold.production.worker"] + [
            part for name, value in given.items() if value for part in (f"--{name}", value)
        ]
