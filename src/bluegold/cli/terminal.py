"""What verbs share: common options, one place for output, one place for errors."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from bluegold.core.errors import BluegoldError, UsageError, WorkspaceError
from bluegold.core.settings import settings

__all__ = ["ActorOption", "JsonOption", "WorkspaceOption", "actor_name", "emit", "guarded", "say", "workspace_path"]

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="Folder of the workspace (default: $BLUEGOLD_WORKSPACE or ./workspace)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
ActorOption = Annotated[
    str | None, typer.Option("--actor", help="Identity for the audit trail (default: $BLUEGOLD_ACTOR or the login).")
]


def workspace_path(given: Path | None) -> Path:
    """The workspace folder a verb works on."""
    return given if given is not None else settings().workspace


def actor_name(given: str | None) -> str:
    """The identity a verb acts under."""
    name = (given if given is not None else settings().actor).strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise UsageError(f"actor {name!r} is no usable identity", way_out="give --actor a short printable name")
    return name


def emit(value: Any, *, as_json: bool, text: str | Callable[[], str]) -> None:
    """Print a result: ``value`` as one JSON document, or ``text`` for people."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
    else:
        sys.stdout.write((text if isinstance(text, str) else text()).rstrip("\n") + "\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """Print one line about progress on stderr, so that stdout stays the result's."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def guarded(run: Callable[[], Any]) -> int:
    """Run the command line and turn what can go wrong into one clear sentence and an exit status.

    Returns:
        0 done, 1 failed or refused, 2 usage, 130 interrupted.
    """
    try:
        run()  # ends in SystemExit; usage errors leave with status 2 by themselves
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as ended:
        if ended.code == 130:  # how typer ends on Ctrl-C, without a word
            return _interrupted()
        raise
    except BluegoldError as error:
        say(f"bluegold: {error}")
        return error.exit_status
    except BrokenPipeError:
        return 0
    except OSError as error:
        say(f"bluegold: {_disk(error)}")
        return 1
    return 0


def _interrupted() -> int:
    say("bluegold: interrupted; finished work is kept, the same command goes on from there.")
    return 130


def _disk(error: OSError) -> WorkspaceError:
    where = f" ('{error.filename}')" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WorkspaceError(f"the disk is full{where}", way_out="free some space and run the same command again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WorkspaceError(
            f"no right to write or read{where}", way_out="fix the owner or rights, or choose another --workspace"
        )
    return WorkspaceError(
        f"the system said: {error.strerror or error}{where}", way_out="fix that and run the same command again"
    )
