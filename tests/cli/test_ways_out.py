"""What the end of a command tells a newcomer to do next."""

from __future__ import annotations

import datetime as dt

import pytest

from bluegold.cli.deliver import ended
from bluegold.cli.score import _told
from bluegold.core.errors import DeliveryError
from bluegold.production.batch import Scored
from bluegold.registry.tables import Release

AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("gates", "way_out"),
    [
        ({"1 model": "hold", "4 performance": "pass"}, "larger hold-out"),
        ({"1 model": "pass", "3 data quality": "hold", "4 performance": "hold"}, "larger hold-out"),
        ({"1 model": "pass", "4 performance": "hold"}, "'bluegold deliver parcels:v1' again"),
    ],
)
def test_evidence_that_cannot_grow_is_not_waited_for(gates: dict[str, str], way_out: str) -> None:
    detail = {"gates": gates, "reason": "93 rows, needed >= 100"}
    held = Release(id="r1", ref="parcels:v1", phase="held", detail=detail, opened_at=AT, updated_at=AT, actor="ada")
    with pytest.raises(DeliveryError, match=way_out):
        ended(held)


@pytest.mark.parametrize(("positive", "shown"), [(0, True), (None, False)])
def test_only_yes_or_no_is_counted_as_positive(positive: int | None, shown: bool) -> None:
    done = Scored(
        version="parcels:v1",
        rows=5,
        scored=5,
        quarantined=0,
        positive=positive,
        output="out.csv",
        quarantine="",
        reasons={},
        flags={},
        seconds=0.1,
    )
    assert ("positive" in _told(done)) is shown
