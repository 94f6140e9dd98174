"""Leases: one holder at a time, the late one is fenced off, and no clock is asked."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec
import pytest

from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.leases import Lease, LeaseLost, Stopwatch

pytestmark = pytest.mark.stores("sqlite", "postgresql")

CONTROLLER = """
import sys, time
from pathlib import Path
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.leases import LeaseLost
with Registry.open(Workspace(Path(sys.argv[1])), actor=sys.argv[2]) as registry:
    turns, until = 0, time.monotonic() + 100
    while turns < 3 and time.monotonic() < until:
        try:
            with registry.leases.hold("m", 60.0, wait=False) as lease:
                for number in range(3):
                    registry.audit.append("", "acted", "m", str(lease.token))
            turns += 1
        except LeaseLost:
            pass
        time.sleep(0.01)
    sys.exit(turns != 3)
"""


@pytest.fixture
def two(space: Workspace) -> Iterator[tuple[Registry, Registry]]:
    with Registry.open(space, actor="olga") as one, Registry.open(space, actor="omar") as other:
        yield one, other


def test_a_second_controller_is_turned_away_while_the_first_shows_life(two: tuple[Registry, Registry]) -> None:
    one, other = two
    with (
        one.leases.hold("m", 1.0) as lease,
        pytest.raises(LeaseLost, match="is held by"),
        other.leases.hold("m", 1.0),
    ):
        pytest.fail("two controllers hold one lease")
    assert lease.token == 1
    with other.leases.hold("m", 1.0) as next_one:
        assert next_one.token == 2
    assert [event.outcome for event in one.audit.events(subject="m")] == ["taken", "released", "taken", "released"]


def test_who_lost_the_lease_writes_nothing_more(two: tuple[Registry, Registry]) -> None:
    """The watchdog ended it while the holder slept: the holder's next write is refused, others go on."""
    one, other = two
    with one.leases.hold("m", 60.0):
        one.audit.append("olga", "before", "m")
        silent = other.leases.current("m")
        assert silent is not None
        assert other.leases.end(silent, "automatic:watchdog", "no life")
        assert not other.leases.end(silent, "automatic:watchdog", "no life"), "somebody was quicker"
        with pytest.raises(LeaseLost, match="no longer holds"):
            one.audit.append("olga", "after", "m")
        other.audit.append("omar", "after", "m")
    assert [event.who for event in one.audit.events(subject="m") if event.action == "after"] == ["omar"]
    assert one.audit.verify().ok


def test_a_silent_holder_is_replaced_after_the_length_of_its_lease(two: tuple[Registry, Registry]) -> None:
    one, other = two
    lost = one.leases._take("m", 1.0, sure=False, wait=True)  # as a process leaves it that is killed at once
    began = time.monotonic()
    with other.leases.hold("m", 1.0) as lease:
        assert time.monotonic() - began >= 1.0
        assert lease.token == lost.token + 1


def test_clocks_are_never_compared() -> None:
    """Silence is measured by the watcher alone; only life ends it."""
    times = iter((100.0, 104.0, 200.0, 200.5))
    watch = Stopwatch(lambda: next(times))
    lease = Lease(name="m", holder="h/1", token=3, beat=0, length_s=5.0)
    assert [watch.silence(lease), watch.silence(lease)] == [0.0, 4.0]
    alive = msgspec.structs.replace(lease, beat=1)
    assert [watch.silence(alive), watch.silence(alive)] == [0.0, 0.5]


def test_two_controllers_at_once_never_act_in_each_others_turn(space: Workspace, registry: Registry) -> None:
    """Processes that want one lease again and again: whatever is written in a turn carries that turn's token."""
    command = [sys.executable, "-c", CONTROLLER, str(space.root)]
    controllers = [subprocess.Popen([*command, name]) for name in ("olga", "omar")]
    assert [controller.wait(120) for controller in controllers] == [0, 0]
    turn: tuple[str, str] | None = None
    tokens = []
    for event in registry.audit.events(subject="m", limit=1000):
        if event.action == "lease" and event.outcome == "taken":
            assert turn is None, "taken while somebody held it"
            turn = (event.who, str(event.details["token"]))
            tokens.append(event.details["token"])
        elif event.action == "lease":
            turn = None
        else:
            assert (event.who, event.outcome) == turn
    assert tokens == list(range(1, 7))
    assert registry.audit.verify().ok
