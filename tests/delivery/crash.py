"""A controller process that kills itself with SIGKILL at its n-th write.  Run by the crash tests, never by hand.

``python crash.py WORKSPACE VERSION WHAT N`` with WHAT one of ``phase`` (just after the n-th phase was written),
``after`` (just after the n-th write of any kind was committed), ``before`` (inside the n-th write, not committed).
``BLUEGOLD_TEST_LEASE`` shortens the controller's lease; ``BLUEGOLD_TEST_WRITES`` names a file that is told of every
write before it is killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Subject
from bluegold.delivery.controller import deliver
from bluegold.registry import Registry
from bluegold.registry.audit import Audit, Change
from bluegold.registry.releases import Releases

COUNT = 0
WRITES = os.environ.get("BLUEGOLD_TEST_WRITES", "")
LEASE = float(os.environ.get("BLUEGOLD_TEST_LEASE", "10"))


def die(limit: int) -> None:
    global COUNT  # noqa: PLW0603 - the one counter of a process that is about to die
    COUNT += 1
    if limit == COUNT:
        os.kill(os.getpid(), signal.SIGKILL)


def tell(change: Any) -> None:
    """Say what one transaction is about to write."""
    if WRITES:
        with Path(WRITES).open("a") as file:
            file.write(json.dumps(getattr(change, "told", [])) + "\n")


def listen() -> None:
    """Keep the audit rows of a transaction with it."""
    append = Change.append

    def appending(self: Change, *row: Any) -> Any:
        self.__dict__.setdefault("told", []).append([str(part) for part in row[1:4]])
        return append(self, *row)

    Change.append = appending  # type: ignore[method-assign] - the point of this process


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
            tell(opened)
            if what == "before":
                die(limit)
        if what == "after":
            die(limit)

    Audit.change = changing  # type: ignore[method-assign] - the point of this process


def main(root: str, version: str, what: str, limit: str) -> None:
    space = Workspace.open(Path(root))
    with Registry.open(space, actor="olga") as registry:
        if WRITES:
            listen()
        arm(what, int(limit))
        plan = Subject(registry, registry.versions.get(version)).facts("plan.json", Plan)
        rollout = msgspec.structs.replace(plan.rollout, lease_s=LEASE)
        sys.stdout.write(deliver(version, registry, space, msgspec.structs.replace(plan, rollout=rollout)).phase)


if __name__ == "__main__":
    main(*sys.argv[1:])
