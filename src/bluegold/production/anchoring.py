"""Anchoring: a process beside the workers that writes where their decision logs end into the signed audit chain.

Without an anchor, lines that are cut off the end of a log look like a crash.  A registry that is away delays an anchor
and nothing else: the next one vouches for all that was written meanwhile.

``python -m bluegold.production.anchoring CONFIG`` is started by the supervisor.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

from bluegold.core.errors import BluegoldError
from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board
from bluegold.production.operations.pulse import followed
from bluegold.production.operations.reader_config import ReaderConfig
from bluegold.production.reaching import Reached
from bluegold.production.results.anchors import anchor
from bluegold.telemetry.log import Log, configure

__all__ = ["main"]

_LOG = Log("anchor")
NICE = 10
LOOK_S = 1.0  # how long it goes on without a supervisor


class _Anchoring:
    """One round after the other; a trouble is told when it begins and when it is over."""

    def __init__(self, workspace: Workspace, reached: Reached) -> None:
        self._workspace = workspace
        self._reached = reached
        self._trouble = ""

    def round(self) -> None:
        """Anchor every log that moved since the last time."""
        try:
            anchor(self._reached.registry, self._workspace.decisions)
        except (BluegoldError, OSError) as error:
            if not self._trouble:
                _LOG.warning("decision logs are not anchored for now", why=str(error))
            self._trouble = str(error)
            return
        if self._trouble:
            _LOG.info("decision logs are anchored again")
        self._trouble = ""


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process."""
    [told] = sys.argv[1:] if argv is None else argv
    config = ReaderConfig.read(told)
    configure("info")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.suppress(OSError):
        os.nice(NICE)
    space = Workspace(config.workspace)
    led = followed(Board(config.board))
    with contextlib.closing(Reached(space, "automatic:anchor")) as reached:
        anchoring = _Anchoring(space, reached)
        due = time.monotonic()
        while led() and not ended.wait(min(LOOK_S, config.every)):
            if time.monotonic() >= due:
                anchoring.round()
                due = time.monotonic() + config.every
        anchoring.round()
    return 0


if __name__ == "__main__":
    sys.exit(main())
