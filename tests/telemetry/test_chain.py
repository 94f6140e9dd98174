"""The chain holds exactly as long as nothing in it changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bluegold.telemetry.chain import GENESIS, Link, canonical, link, verify


def chain(bodies: list[bytes]) -> list[Link]:
    links, previous = [], GENESIS
    for number, body in enumerate(bodies):
        digest = link(previous, body)
        links.append(Link(f"entry {number}", previous, body, digest))
        previous = digest
    return links


bodies = st.lists(st.binary(max_size=8), min_size=2, max_size=10, unique=True)


@given(bodies)
def test_an_untouched_chain_holds(bodies: list[bytes]) -> None:
    links = chain(bodies)
    assert verify(links) == (len(links), links[-1].digest, None)
    half, digest, _ = verify(links[:1])
    assert verify(links[1:], digest) == (len(links) - 1, links[-1].digest, None)
    assert half == 1


@given(bodies=bodies, data=st.data())
def test_any_change_is_named(bodies: list[bytes], data: st.DataObject) -> None:
    links = chain(bodies)
    place = data.draw(st.integers(0, len(links) - 1))
    old = links[place]
    how = data.draw(st.sampled_from(["body", "digest", "previous", "remove", "repeat", "swap"]))
    if how == "body":
        links[place] = Link(old.name, old.previous, old.body + b"!", old.digest)
    elif how == "digest":
        links[place] = Link(old.name, old.previous, old.body, "f" * 64)
    elif how == "previous":
        links[place] = Link(old.name, "f" * 64, old.body, old.digest)
    elif how == "remove":
        del links[place]
        if place == len(links):
            assert verify(links)[0] == len(links)  # a cut tail needs a signed head to be seen
            return
    elif how == "repeat":
        links.insert(place, old)
    else:
        place = min(place, len(links) - 2)
        links[place], links[place + 1] = links[place + 1], links[place]
    checked, _, broken = verify(links)
    assert broken is not None
    assert broken.checked == checked <= place + 1
    assert broken.name == links[checked].name


def test_canonical_text_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"a": 1, "b": {"y": 1.5, "x": None}}) == canonical({"b": {"x": None, "y": 1.5}, "a": 1})
