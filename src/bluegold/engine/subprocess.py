"""The isolating engine: the work runs in a fresh process that can be stopped at any moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar, cast

from bluegold.core.errors import BluegoldError, StageError
from bluegold.engine.local import TimedOut
from bluegold.engine.protocol import DEFAULT, Limits

__all__ = ["SubprocessEngine"]

T = TypeVar("T")


class SubprocessEngine:
    """Run work in a fresh interpreter; a hang or a crash there never harms this process.

    The task must be importable by name and its arguments picklable: both travel over a private pipe
    between this process and its own child, never through a file.

    Example:
        >>> SubprocessEngine().name
        'subprocess'
    """

    name = "subprocess"

    def run(self, task: Callable[..., T], *args: Any, limits: Limits = DEFAULT) -> T:
        """Run ``task(*args)`` in a child; see :meth:`Engine.run`."""
        for attempt in range(limits.retries + 1):
            try:
                return cast("T", _attempt(task, args, limits.timeout_s))
            except (TimedOut, _Died):
                if attempt == limits.retries:
                    raise
        raise AssertionError("unreachable")


class _Died(StageError):
    """The child ended without an answer."""


def _attempt(task: Callable[..., Any], args: tuple[Any, ...], timeout_s: float) -> Any:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    child = spawn.Process(target=_serve, args=(there, task, args), daemon=True)
    child.start()
    there.close()
    try:
        if not here.poll(timeout_s):
            raise TimedOut(f"the work did not end within {timeout_s:g} s", way_out="raise timeout_s or give it less")
        answer, error = here.recv()
    except EOFError as closed:
        child.join()
        raise _Died(
            f"the process doing the work died (exit status {child.exitcode})",
            way_out="look for a lack of memory, then run it again",
        ) from closed
    finally:
        child.kill()
        child.join()
        here.close()
    if error is not None:
        raise error
    return answer


def _serve(pipe: Connection, task: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        pipe.send((task(*args), None))
    except BluegoldError as error:
        pipe.send((None, StageError(error.what, why=error.why, way_out=error.way_out, subject=error.subject)))
    except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        pipe.send((None, StageError(f"{type(error).__name__}: {error}")))
    finally:
        pipe.close()
