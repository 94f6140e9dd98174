"""`bluegold up`: serve a model with supervised workers, and show the console."""

from __future__ import annotations

import contextlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluegold.cli.identity import permitted
from bluegold.cli.terminal import WorkspaceOption, say, workspace_path
from bluegold.core.errors import UsageError

if TYPE_CHECKING:
    from bluegold.core.workspace import Workspace
    from bluegold.production.tls import Tls

__all__ = ["up"]

SENTINEL_S = 4.0
"""Seconds between two rounds of known answers, and at most the age of the health view on the disk."""


DRIFT_S = 5.0
"""Seconds between two looks for drift."""


#: The options of the command: name -> (type with its help, default).
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "port": (
        Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="Port; 0 takes any free one.")],
        8080,
    ),
    "workers": (Annotated[int, typer.Option("--workers", min=1, max=64, help="Serving processes.")], 2),
    "host": (Annotated[str, typer.Option("--host", help="Address; loopback unless you decide.")], "127.0.0.1"),
    "model": (Annotated[str, typer.Option("--model", help="Model to serve, when the workspace holds several.")], ""),
    "console": (
        Annotated[
            int,
            typer.Option("--console", min=-1, max=65535, help="Port of the console; 0 any free one, -1 no console."),
        ],
        0,
    ),
    "edge": (
        Annotated[bool, typer.Option("--edge", help="A process before the workers; it repeats what a dead one left.")],
        False,
    ),
    "drift": (
        Annotated[bool, typer.Option("--drift/--no-drift", help="Watch decisions for drift, and alert.")],
        True,
    ),
    "tls_cert": (
        Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain (PEM): the workers speak TLS.")],
        None,
    ),
    "tls_key": (Annotated[Path | None, typer.Option("--tls-key", help="Its key (PEM).")], None),
    "client_ca": (
        Annotated[
            Path | None,
            typer.Option("--client-ca", help="Authorities (PEM); with them clients need a certificate (mutual TLS)."),
        ],
        None,
    ),
    "workspace": (WorkspaceOption, None),
}


def up(**options: Any) -> None:
    """Serve over HTTP until Ctrl-C; workers that die or hang are replaced."""
    from bluegold.core.settings import settings
    from bluegold.production.kept import served
    from bluegold.production.operations.server_config import ServerConfig
    from bluegold.production.operations.supervisor import run, sockets
    from bluegold.production.reaching import Reached
    from bluegold.production.selection import served_model

    tls = _tls(options)
    space = served(workspace_path(options["workspace"]))
    with contextlib.closing(Reached(space, permitted(space, "serve"))) as reached:
        name = served_model(reached, space, options["model"])
    listeners, front = sockets(options["host"], options["port"], options["workers"], edge=options["edge"])
    page = _console(space, options["console"]) if options["console"] >= 0 else None
    server = ServerConfig(
        workspace=space.root,
        model=name,
        sentinel=SENTINEL_S,
        drift=DRIFT_S if options["drift"] else 0.0,
        patience=settings().patience,
        tls=tls,
    )
    try:
        run(server, listeners, front=front, on_start=lambda at: say(f"{name} answers at {at.url}/v1/predict"))
    finally:
        if page is not None:
            page.terminate()
            page.wait()
    say("bluegold: stopped; every answered decision is recorded.")


def _tls(options: dict[str, Any]) -> Tls | None:
    """The files of TLS; without them what leaves this machine is plain, and said so."""
    from bluegold.production.tls import Tls

    cert, key, authorities = options["tls_cert"], options["tls_key"], options["client_ca"]
    if (cert is None) is not (key is None) or (authorities is not None and cert is None):
        raise UsageError("TLS needs a certificate and its key", way_out="give --tls-cert and --tls-key together")
    if cert is None:
        if options["host"] not in {"127.0.0.1", "::1", "localhost"}:
            say("bluegold: without --tls-cert everybody on the way can read and change what is asked and answered.")
        return None
    return Tls(cert=cert.absolute(), key=key.absolute(), client_ca=authorities and authorities.absolute())


def _signature() -> inspect.Signature:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [inspect.Parameter(name, kind, default=first, annotation=told) for name, (told, first) in _OPTIONS.items()]
    )


up.__signature__ = _signature()  # type: ignore[attr-defined]  # typer reads it, mypy does not know it
up.__annotations__ = {name: told for name, (told, _) in _OPTIONS.items()}


def _console(space: Workspace, port: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "bluegold.console",
        "--workspace",
        str(Path(space.root)),
        "--port",
        str(port),
        "--follow",
    ]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
