"""Load: named callers that ask the scratch server without pause while a probe does something to it."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from types import TracebackType

import msgspec

from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client, bodies

__all__ = ["Answered", "Load"]

CALLERS = ("ada", "grace", "")
#: Connections of each caller.  The kernel spreads connections over the workers by chance; with so many, some are
#: at every worker.
EACH = 4
PAUSE_S = 0.05


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One acknowledged decision: its id, who asked, and the moments around it (microseconds since 1970)."""

    id: str
    caller: str
    asked_at: int
    answered_at: int


class Load:
    """Several threads for each caller; a request that fails is counted and not repeated.

    Args:
        bench: whose scratch server is asked.
        keep: whether a caller keeps its connection from one request to the next.

    Attributes:
        answered: what was acknowledged with 200.
        failed: what was not, in words.
    """

    def __init__(self, bench: Bench, *, keep: bool = True) -> None:
        self.answered: list[Answered] = []
        self.failed: list[str] = []
        self._endpoint = bench.scratch().endpoint
        self._bodies = bodies(bench)
        self._keep = keep
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(caller,), name=f"load-{caller}", daemon=True)
            for caller in CALLERS * EACH
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def answers_after(self, moment_us: int) -> bool:
        """Whether something that was asked after a moment has been answered by now."""
        return any(one.asked_at >= moment_us for one in self.answered[-100:])

    def _ask(self, caller: str) -> None:
        with Client(self._endpoint, caller) as client:
            for body in itertools.cycle(self._bodies):
                if self._stopping.is_set():
                    return
                before = time.time_ns() // 1000
                try:
                    status, answer = client.post("/v1/predict", body)
                except (OSError, http.client.HTTPException) as error:
                    self.failed.append(f"{type(error).__name__}: {error}")
                else:
                    after = time.time_ns() // 1000
                    if status == 200:
                        found = Answered(id=answer["id"], caller=caller, asked_at=before, answered_at=after)
                        self.answered.append(found)
                    else:
                        self.failed.append(f"status {status}")
                if not self._keep:
                    client.close()
                time.sleep(PAUSE_S)
