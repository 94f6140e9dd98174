"""The sentinel: asks the running server known answers without end, through the real HTTP path, traffic or none.

A wrong answer of Gold takes the traffic back to Blue at once.  Each round also writes the health view down, keeps
account of how long the server answered, and raises or ends alerts.

``python -m bluegold.production.operations.sentinel CONFIG`` is started by the supervisor.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import Color, TrafficSplit
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.production.canary import canary_token
from bluegold.production.kept import Kept
from bluegold.production.operations.alerts import Alerts
from bluegold.production.operations.board import Board, Cell, Head
from bluegold.production.operations.health import shown
from bluegold.production.operations.known_answers import KnownAnswers, ask
from bluegold.production.operations.pulse import followed
from bluegold.production.operations.safe_mode import to_safety
from bluegold.production.operations.sentinel_config import SentinelConfig
from bluegold.production.reaching import Reached
from bluegold.registry.bundle import CanaryRecord, Versioned
from bluegold.registry.registry import Registry
from bluegold.telemetry.log import Log, configure

__all__ = ["Account", "Sentinel", "account", "main"]

_LOG = Log("sentinel")

ASK_S = 2.0
GAP = 3.0


class Account(msgspec.Struct, kw_only=True):
    """For how long the server was watched, and for how long of that it answered; seconds."""

    since: float
    watched: float = 0.0
    answered: float = 0.0
    rounds: int = 0
    failed: int = 0

    def add(self, seconds: float, *, answers: bool) -> None:
        """One round, which stands for the time since the round before."""
        self.watched += seconds
        self.answered += seconds if answers else 0.0
        self.rounds += 1
        self.failed += not answers


class Sentinel:
    """One round after the other.

    Args:
        config: what is watched.
        registry: gives where the split and the known answers come from, or raises; what was read last (or kept)
            counts while it cannot be read.
        board: the server's board.
        alerts: where alerts go.
    """

    def __init__(self, config: SentinelConfig, registry: Callable[[], Registry], board: Board, alerts: Alerts) -> None:
        self._config = config
        self._registry = registry
        self._board = board
        self._alerts = alerts
        self._space = Workspace(config.workspace)
        self._token = canary_token(self._space.keys)
        self._split: TrafficSplit | None = None
        self._known: dict[str, tuple[CanaryRecord, ...]] = {}
        self._turn = itertools.count()
        self._restarts = self._count(Cell.RESTARTS)
        self._takeovers = board[Head.TAKEOVERS]
        self._last = time.monotonic()
        self.account = account(self._space) or Account(since=time.time())

    def round(self) -> None:
        """Ask, judge, account, write down."""
        unread = self._look()
        asked = {color: self._asked(color, ref) for color, ref in self._colors()}
        answers = asked.get("blue", True)
        moment = time.monotonic()
        gap, self._last = moment - self._last, moment
        if self._split is not None:  # before the first version nobody expects an answer
            self.account.add(min(gap, GAP * self._config.every), answers=answers)
        self._tell(unread)
        found = shown(self._board, self._config.endpoint.model, self._split, unread)
        write_atomic(self._space.run / "health.json", msgspec.json.encode({"at": time.time(), "health": found}))
        write_atomic(self._space.run / "availability.json", msgspec.json.encode(self.account))

    def _look(self) -> str:
        """Read the split; why that was not possible."""
        try:
            registry = self._registry()
            self._split = registry.traffic.current(self._config.endpoint.model)
            self._learn(registry)
        except (BluegoldError, msgspec.MsgspecError) as error:
            if self._split is None:
                self._fall_back()
            return str(error)
        return ""

    def _learn(self, versions: Versioned) -> None:
        """Read the known answers of what answers now."""
        for _, ref in self._colors():
            if ref not in self._known:
                raw = versions.versions.artefact(ref, "canaries.json")
                self._known[ref] = msgspec.json.decode(raw, type=tuple[CanaryRecord, ...])

    def _fall_back(self) -> None:
        """Since the start nothing could be read: expect what was kept, as the workers answer by it."""
        kept = Kept(self._space, self._config.endpoint.model)
        with contextlib.suppress(BluegoldError, msgspec.MsgspecError):
            self._split = kept.safe()
            self._learn(kept)

    def _colors(self) -> list[tuple[Color, str]]:
        split = self._split
        if split is None:
            return []
        gold: list[tuple[Color, str]] = [("gold", split.gold)] if split.gold and split.mode != "off" else []
        return [("blue", split.blue), *gold]

    def _asked(self, color: Color, ref: str) -> bool:
        """Ask every worker one known answer of a version, the next one each time; whether they answered."""
        records = self._known.get(ref, ())
        if not records:
            return True
        one = records[next(self._turn) % len(records)]
        silent, found = "", None
        try:
            found = ask(self._config.endpoint, self._token, [one], color, timeout=ASK_S)
        except BluegoldError as error:
            silent = str(error)
        self._alerts.check(f"answers of {color}", "critical" if color == "blue" else "warning", silent)
        self._judge(color, ref, found)
        return not silent

    def _judge(self, color: Color, ref: str, found: KnownAnswers | None) -> None:
        if found is None or not found.asked:
            return
        wrong = f"{ref} gives a wrong known answer: {found.wrong[0]}" if found.wrong else ""
        self._alerts.check(f"known answers of {color}", "critical", wrong)
        if wrong and color == "gold":
            try:
                safe = to_safety(self._registry(), self._config.endpoint.model, reason=wrong, board=self._board)
                _LOG.error("the traffic was taken back", to=safe.split.blue, because=wrong)
            except BluegoldError as error:
                self._alerts.found("safety", "critical", f"the traffic could not be taken back: {error}")

    def _tell(self, unread: str) -> None:
        """Raise or end the alerts about what the board and the registry show."""
        views = self._board.views()
        mute = [str(view.worker) for view in views if not view.records]
        told = f"worker {', '.join(mute)} cannot record decisions, so it gives none" if mute else ""
        self._alerts.check("recording", "critical", told)
        absent = [str(view.worker) for view in views if view.state not in {"ready", "degraded"}]
        self._alerts.check("workers", "warning", f"worker {', '.join(absent)} does not serve" if absent else "")
        restarts, takeovers = self._count(Cell.RESTARTS), self._board[Head.TAKEOVERS]
        lost = restarts - self._restarts
        self._alerts.check("losses", "warning", f"{lost} workers were lost and replaced" if lost > 0 else "")
        changed = "the supervisor died, its deputy leads" if takeovers > self._takeovers else ""
        self._alerts.check("supervisor", "warning", changed)
        self._restarts, self._takeovers = restarts, takeovers
        self._alerts.check("registry", "warning", unread and f"the registry cannot be read: {unread}")

    def _count(self, cell: Cell) -> int:
        return sum(slot[cell] for slot in self._board.slots())


def account(space: Workspace) -> Account | None:
    """How long the server of a workspace was watched and answered, over all its runs; None when it never was."""
    try:
        return msgspec.json.decode((space.run / "availability.json").read_bytes(), type=Account)
    except (OSError, msgspec.MsgspecError):
        return None


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process."""
    [told] = sys.argv[1:] if argv is None else argv
    config = msgspec.json.decode(told, type=SentinelConfig, dec_hook=lambda kind, value: kind(value))
    configure("info")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    space = Workspace(config.workspace)
    board = Board(Path(config.endpoint.board))
    led = followed(board)
    try:
        with contextlib.closing(Reached(space, "automatic:safety")) as reached:
            alerts = Alerts(space.run / "alerts.jsonl", settings().webhook)
            sentinel = Sentinel(config, lambda: reached.registry, board, alerts)
            while led() and not ended.is_set():
                sentinel.round()
                ended.wait(config.every)
    except (BluegoldError, OSError) as error:
        _LOG.critical(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
