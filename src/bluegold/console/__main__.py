"""The console's server: ``python -m bluegold.console --workspace W [--port N]``; read-only, loopback only."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bluegold.console.render import render
from bluegold.console.view import look
from bluegold.core.errors import BluegoldError, ServingError, UsageError
from bluegold.core.workspace import Workspace

__all__ = ["main", "serve"]

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_NAMES = {"127.0.0.1", "localhost", "[::1]"}


class _Handler(BaseHTTPRequestHandler):
    workspace: Workspace
    timeout = 10

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        name = self.headers.get("host", "").rsplit(":", 1)[0]
        if name not in _NAMES:  # a foreign name that resolves to this machine must not read the page
            self._send(403, f"this console answers at 127.0.0.1, not at {name[:100]!r}\n", "text/plain")
        elif url.path != "/":
            self._send(404, "there is only one page: /\n", "text/plain")
        else:
            self._page(parse_qs(url.query))

    def _page(self, query: dict[str, list[str]]) -> None:
        refresh = query.get("refresh", ["5"])[0]
        seconds = int(refresh) if refresh.isdecimal() and len(refresh) < 5 else 5
        try:
            self._send(200, render(look(self.workspace, query.get("model", [""])[0]), seconds), "text/html")
        except UsageError as error:
            self._send(404, f"{error}\n", "text/plain")
        except BluegoldError as error:
            self._send(503, f"{error}\n", "text/plain")

    def _send(self, status: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        for header, value in {**_HEADERS, "content-type": f"{kind}; charset=utf-8"}.items():
            self.send_header(header, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Looking is not an event."""


def serve(workspace: Workspace, port: int) -> ThreadingHTTPServer:
    """A server of the console on loopback; the caller runs it.

    Raises:
        ServingError: the port is taken.
    """
    handler = type("Handler", (_Handler,), {"workspace": workspace})
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
