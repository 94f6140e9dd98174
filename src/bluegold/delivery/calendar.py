"""The calendar of a rollout: windows in which it may advance, and freezes in which it may not.  Going back is free."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from bluegold.core.plan import Rollout, Weekday, Window

__all__ = ["closed"]

_DAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def closed(rollout: Rollout, at: dt.datetime) -> str:
    """Why a release may not advance at this moment, or nothing.

    Args:
        rollout: the plan.
        at: the moment, with its zone.

    Example:
        >>> office = Rollout(windows=(Window(days=("mon",), hours="09:00-17:00", zone="Europe/Madrid"),))
        >>> closed(office, dt.datetime(2024, 7, 1, 7, 30, tzinfo=dt.timezone.utc))
        ''
        >>> closed(office, dt.datetime(2024, 7, 1, 6, 30, tzinfo=dt.timezone.utc))
        'outside the rollout windows: mon 09:00-17:00 Europe/Madrid'
    """
    for freeze in rollout.freezes:
        if freeze.since <= at.astimezone(zoneinfo.ZoneInfo(freeze.zone)).date() <= freeze.until:
            return f"frozen from {freeze.since} to {freeze.until}: {freeze.reason}"
    if not rollout.windows or any(_open(window, at) for window in rollout.windows):
        return ""
    return "outside the rollout windows: " + "; ".join(
        f"{','.join(window.days)} {window.hours} {window.zone}" for window in rollout.windows
    )


def _open(window: Window, at: dt.datetime) -> bool:
    local = at.astimezone(zoneinfo.ZoneInfo(window.zone))
    first, _, last = window.hours.partition("-")
    return _DAYS[local.weekday()] in window.days and first <= f"{local:%H:%M}" < last
