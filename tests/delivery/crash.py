"""A controller process that kills itself with SIGKILL at its n-th write.  Run by the crash tests, never by hand.

``python crash.py WORKSPACE VERSION WHAT N`` with WHAT one of ``phase`` (just after the n-th phase was written),
``after`` (just after the n-th write of any kind was committed), ``before`` (inside the n-th write, not committed).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bluegold.core.workspace import Workspace
from bluegold.delivery.controller import deliver
from bluegold.registry import Registry
from bluegold.registry.audit import Audit
from bluegold.registry.releases import Releases

COUNT = 0


def die(limit: int) -> None:
    global COUNT  # noqa: PLW0603 - the one counter of a process that is about to die
    COUNT += 1
    if limit == COUNT:
        os.kill(os.getpid(), signal.SIGKILL)


def arm(what: str, limit: int) -> None:
    if what == "phase":
        advance = Releases.advance

        def advancing(self: Releases, *given: Any, **named: Any) -> Any:
            found = advance(self, *given, **named)
            die(limit)
            return found

        Releases.advance = advancing  # type: ignore[method-assign] - the point of this process
        return
    change = Audit.change

    @contextmanager
    def changing(self: Audit, actor: str = "") -> Iterator[Any]:
        with change(self, actor) as opened:
            yield opened
            if what == "before":
                die(limit)
        if what == "after":
            die(limit)

    Audit.change = changing  # type: ignore[method-assign] - the point of this process


def main(root: str, version: str, what: str, limit: str) -> None:
    space = Workspace.open(Path(root))
    with Registry.open(space, actor="olga") as registry:
        arm(what, int(limit))
        sys.stdout.write(deliver(version, registry, space).phase)


if __name__ == "__main__":
    main(*sys.argv[1:])
