"""Leases: one holder at a time, the late one is fenced off, and no clock is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.leases import Lease, LeaseLost, Stopwatch


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "w")


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
