"""Sealed values: nobody opens them elsewhere, keys are replaced, a destroyed key erases."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bluegold.core.errors import IntegrityError, UsageError
from bluegold.security.pseudonyms import Pseudonyms
from bluegold.security.sealing import KeyRing

VALUE, PLACE = b"ES91 2100 0418", b"payments/account/17"


def test_a_sealed_value_opens_in_its_place_only(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    token = ring.seal(VALUE, PLACE)
    assert VALUE.decode() not in token
    assert token != ring.seal(VALUE, PLACE), "equal values must not look equal"
    assert KeyRing(tmp_path).opened(token, PLACE) == VALUE
    for moved in (b"payments/account/18", b"payments/holder/17", b""):
        with pytest.raises(IntegrityError):
            ring.opened(token, moved)
    middle = len(token) - 8
    with pytest.raises(IntegrityError):
        ring.opened(token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :], PLACE)


def test_keys_are_private_replaced_and_destroyed(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    old = ring.seal(VALUE, PLACE)
    first = ring.ids[0]
    second = ring.rotate()
    new = ring.seal(VALUE, PLACE)
    assert (old.partition(".")[0], new.partition(".")[0]) == (first, second)
    assert ring.opened(old, PLACE) == VALUE
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    ring.destroy(first)
    assert ring.opened(old, PLACE) is None
    assert KeyRing(tmp_path).opened(old, PLACE) is None
    assert ring.opened(new, PLACE) == VALUE
    with pytest.raises(UsageError, match=second):
        ring.destroy(first)


def test_pseudonyms_are_of_one_installation(tmp_path: Path) -> None:
    here, there = Pseudonyms.open(tmp_path / "here"), Pseudonyms.open(tmp_path / "there")
    assert here.of("ada") == Pseudonyms.open(tmp_path / "here").of("ada")
    assert here.of("ada") != there.of("ada")
    assert here.of("ada") != here.of("Ada")
