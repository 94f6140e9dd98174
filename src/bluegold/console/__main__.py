"""The console's server: ``python -m bluegold.console --workspace W [--port N]``; loopback only."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path

from bluegold.console.attempts import Attempts
from bluegold.console.handler import Handler
from bluegold.console.sessions import Sessions
from bluegold.core.errors import BluegoldError, ServingError
from bluegold.core.workspace import Workspace
from bluegold.security.identities import Identities

__all__ = ["main", "serve"]


def serve(workspace: Workspace, port: int) -> ThreadingHTTPServer:
    """A server of the console on loopback; the caller runs it.

    Raises:
        ServingError: the port is taken.
    """
    identities = Identities.open(workspace)
    parts = {"workspace": workspace, "sessions": Sessions(identities), "attempts": Attempts(identities)}
    handler = type("WorkspaceHandler", (Handler,), parts)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise ServingError(
            f"port {port} on 127.0.0.1 cannot be used", why=error.strerror or str(error), way_out="choose another"
        ) from error
    server.daemon_threads = True
    return server


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="bluegold.console")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--follow", action="store_true", help="end when the process that started this one is gone")
    given = parser.parse_args(argv)
    try:
        server = serve(Workspace.open(given.workspace), given.port)
    except BluegoldError as error:
        sys.stderr.write(f"bluegold console: {error}\n")
        return error.exit_status
    sys.stderr.write(f"console at http://127.0.0.1:{server.server_address[1]}/\n")
    sys.stderr.flush()
    if given.follow:
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
