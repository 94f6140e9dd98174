"""A process that is watched through its pidfd: a child of this supervisor, or one taken over from another."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from pathlib import Path

__all__ = ["Watched", "alive", "is_server_process"]


class Watched:
    """One process.  A signal sent through its pidfd can never reach another one that got the same number.

    Args:
        pid: the process.
        child: set when it is a child of this process and must be waited for.

    Raises:
        ProcessLookupError: there is no such process any more.
    """

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.started = time.monotonic()
        self._child = child

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a process that has ended already gets none."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def ended(self, within: float = 0.0) -> bool:
        """Whether it has ended, waiting so many seconds for it."""
        poll = select.poll()  # select() itself knows no descriptor above 1023
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(max(0.0, within) * 1000))

    def bury(self) -> None:
        """Let go of a process that has ended."""
        if self._child is not None:
            self._child.wait()
        os.close(self.pidfd)

    def end(self, within: float) -> None:
        """Ask it to end, make it end after so many seconds, and let go of it."""
        self.send(signal.SIGTERM)
        if not self.ended(within):
            self.send(signal.SIGKILL)
            self.ended(5.0)
        self.bury()


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended.

    Example:
        >>> alive(os.getpid()), alive(0)
        (True, False)
    """
    try:
        process = Watched(pid) if pid > 0 else None
    except OSError:
        return False
    if process is None:
        return False
    try:
        return not process.ended()
    finally:
        os.close(process.pidfd)


def is_server_process(pid: int, board: Path) -> bool:
    """Whether a process belongs to the server of this board: its command line says so.

    Example:
        >>> is_server_process(os.getpid(), Path("/no/such/board"))
        False
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(board) in words
