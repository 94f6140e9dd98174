"""Companions: processes beside the workers that are kept alive too, such as the supervisor's deputy."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bluegold.production.operations.board import Board, Head
from bluegold.production.operations.watched import Watched

__all__ = ["Companion"]

AGAIN_S = 1.0

Watch = Callable[[Watched, Callable[[], object]], None]


class Companion:
    """One process that is started when the workers serve, and again when it ends.

    Args:
        command: its command line, asked for at each start.
        log: file that gets what it says.
        fds: descriptors it inherits.
        after: seconds that the workers must have served before it is started.
        again: seconds between its end and its next start.
        place: where its number is kept on the board, so that another supervisor finds it; it is not started twice.
    """

    def __init__(
        self,
        command: Callable[[], list[str]],
        log: Path,
        fds: tuple[int, ...] = (),
        after: float = 0.0,
        again: float = AGAIN_S,
        place: tuple[Board, Head] | None = None,
    ) -> None:
        self._command = command
        self._log = log
        self._fds = fds
        self._after = after
        self._again = again
        self._place = place
        self._due = 0.0
        self.process: Watched | None = None

    def tend(self, now: float, whole_since: float, watch: Watch) -> None:
        """Start it when it is not there and it is time."""
        if self.process is not None or now < self._due or now - whole_since < self._after:
            return
        if (found := self._found()) is not None:
            self.process = found
            watch(found, self._ended)
            return
        with self._log.open("ab") as log:
            child = subprocess.Popen(
                self._command(),
                pass_fds=self._fds,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.process = Watched(child.pid, child)
        self._remember(child.pid)
        watch(self.process, self._ended)

    def ask_to_end(self) -> None:
        """Ask it to end, without waiting."""
        if self.process is not None:
            self.process.send(signal.SIGTERM)

    def end(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.end(5.0)
            self.process = None

    def _ended(self) -> None:
        if self.process is not None:
            self.process.bury()
            self.process = None
        self._due = time.monotonic() + self._again
        self._remember(0)

    def _remember(self, pid: int) -> None:
        if self._place is not None:
            board, cell = self._place
            board[cell] = pid

    def _found(self) -> Watched | None:
        """The one that another supervisor started, if it is still there."""
        pid = self._place[0][self._place[1]] if self._place is not None else 0
        if pid <= 0 or pid == os.getpid():
            return None
        module = self._command()[2].encode()
        try:
            found = Watched(pid)
            if module in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return found
        except OSError:
            return None
        os.close(found.pidfd)
        return None
