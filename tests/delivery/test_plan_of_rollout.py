"""The rollout plan as data: windows, freezes, approval points, what pauses and what takes back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from bluegold.core.errors import AccessDenied, DefinitionError, UsageError
from bluegold.core.plan import Freeze, Rollout, Window
from bluegold.core.plan_file import read_plan
from bluegold.core.workspace import Workspace
from bluegold.delivery.calendar import closed
from bluegold.delivery.points import let_past, passed, point_of
from bluegold.registry import Registry

from .test_watch import Bench, record

OFFICE = Window(days=("mon", "tue", "wed", "thu"), hours="09:00-16:30", zone="America/New_York")


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2024-07-01T13:00:00+00:00", True),  # Monday 09:00 there
        ("2024-07-01T12:59:59+00:00", False),
        ("2024-07-01T20:30:00+00:00", False),  # 16:30 there
        ("2024-07-05T15:00:00+00:00", False),  # Friday
        ("2024-12-02T13:30:00+00:00", False),  # the same hour in winter time
    ],
)
def test_windows_mean_the_clock_of_their_zone(moment: str, open_: bool) -> None:
    assert (closed(Rollout(windows=(OFFICE,)), at(moment)) == "") is open_


def test_a_freeze_holds_whole_days_and_names_its_reason() -> None:
    plan = Rollout(freezes=(Freeze(since=dt.date(2024, 12, 20), until=dt.date(2025, 1, 2), reason="holidays"),))
    assert "holidays" in closed(plan, at("2025-01-02T23:59:00+00:00"))
    assert closed(plan, at("2025-01-03T00:00:00+00:00")) == ""


@pytest.mark.parametrize(
    ("rollout", "what"),
    [
        ("windows: [{hours: '17:00-09:00'}]", "does not end after it begins"),
        ("windows: [{zone: Mars/Olympus}]", "time zone"),
        ("freezes: [{since: 2025-02-01, until: 2025-01-01, reason: r}]", "ends before it begins"),
        ("windows: [{days: [someday]}]", "not a valid plan"),
    ],
)
def test_a_calendar_that_means_nothing_is_refused(rollout: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "architecture.yaml"
    path.write_text(f"system: s\nrollout:\n  {rollout}\n")
    with pytest.raises(DefinitionError, match=what):
        read_plan(path)


def test_points_are_passed_by_somebody_else_for_this_release_only(registry: Registry, workspace: Workspace) -> None:
    release = registry.releases.open("pumps:v2")
    for actor in ("ada", "automatic"):
        with pytest.raises(AccessDenied):
            let_past(registry, "v2", "canary", actor=actor)
    let_past(registry, "v2", point_of("canary"), actor="ben", reason="looks good")
    assert passed(registry, release) == {"canary": "ben"}
    registry.releases.advance(release.id, "refused")
    assert passed(registry, registry.releases.open("pumps:v2")) == {}
    with pytest.raises(UsageError, match="canary, shift, promotion"):
        point_of("breakfast")


def test_what_pauses_for_a_person_and_what_takes_back(tmp_path: Path) -> None:
    """Gold says yes far more often: nobody knows yet whether that is wrong, so a person is asked."""
    bench = Bench(tmp_path)
    bench.write([record(number % 5 == 0 or number % 2 == 0, number % 2 == 0) for number in range(2_000)], [])
    found = bench.look()
    assert (found.verdict, "positive answers" in found.reason) == ("hold", False)
    bench.write([record(number % 5 < 2, number % 5 < 1) for number in range(3_000)], [])
    found = bench.look()
    assert (found.verdict, "positive answers" in found.reason) == ("pause", True)
