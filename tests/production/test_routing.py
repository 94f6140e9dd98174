"""Laws of routing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bluegold.core.nouns import TrafficSplit
from bluegold.production.routing import place, route

SHARES = st.floats(0.0, 1.0)


def split(share: float, mode: str = "canary") -> TrafficSplit:
    return TrafficSplit(model="m", revision=1, blue="v1", gold="v2", gold_share=share, mode=mode)  # type: ignore[arg-type]


@given(st.text(), SHARES, SHARES)
def test_a_larger_share_never_takes_an_entity_from_gold(entity: str, one: float, two: float) -> None:
    small, large = sorted((one, two))
    if route(split(small), entity) == "gold":
        assert route(split(large), entity) == "gold"


@given(st.text())
def test_the_ends_of_the_scale(entity: str) -> None:
    assert 0.0 <= place("m", entity) < 1.0
    assert route(split(0.0), entity) == "blue"
    assert route(split(1.0), entity) == "gold"


@given(st.text(), st.sampled_from(["off", "rehearsal", "shadow"]))
def test_gold_answers_nobody_outside_canary_and_shift(entity: str, mode: str) -> None:
    assert route(split(1.0, mode), entity) == "blue"


def test_shares_are_kept() -> None:
    for share in (0.05, 0.25, 0.5):
        gold = sum(route(split(share), f"N{number:05d}") == "gold" for number in range(20_000))
        assert abs(gold / 20_000 - share) < 0.012
