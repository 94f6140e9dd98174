"""Evil, damaged and unknown content is refused by what it is, whatever it is called."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import zipfile

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegold.security.artefact_scan import FORMATS, scan


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


REFUSED = {
    **{f"evil pickle {n}": (pickle.dumps(Evil(), protocol=n), "would call") for n in range(6)},
    **{f"plain pickle {n}": (pickle.dumps([1, 2], protocol=n), "is a pickle") for n in range(2, 6)},
    "object pickle": (pickle.dumps(collections.OrderedDict(a=1)), "would call"),
    "pickle with a tail": (pickle.dumps(Evil()) + b"harmless text", "would call"),
    "truncated pickle": (pickle.dumps(Evil())[:-3], "damaged pickle"),
    "protocol-less stack global": (pickle.dumps(Evil(), protocol=4)[2:], "would call"),
    "zip slip": (zipped("ok.txt", "../../etc/cron.d/x"), "outside the folder"),
    "absolute member": (zipped("/etc/passwd"), "outside the folder"),
    "windows member": (zipped("..\\..\\x"), "outside the folder"),
    "torch archive": (zipped("archive/data.pkl"), "is a pickle"),
    "plain archive": (zipped("a.txt"), "one by one"),
    "damaged archive": (zipped("a.txt")[:20], "damaged zip"),
    "program": (b"\x7fELF" + b"\0" * 60, "machine program"),
    "windows program": (b"MZ" + b"\0" * 60, "machine program"),
    "script": (b"#!/bin/sh\nrm -rf /\n", "script"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 60, "HDF5"),
    "numpy objects": (saved(np.array([{"a": 1}], dtype=object)), "Parquet"),
    "gzip": (b"\x1f\x8b" + b"\0" * 20, "compressed"),
}


@pytest.mark.parametrize("suffix", sorted(FORMATS))
@pytest.mark.parametrize("case", sorted(REFUSED))
def test_dangerous_content_is_refused_under_every_name(case: str, suffix: str) -> None:
    data, problem = REFUSED[case]
    found = scan(f"model{suffix}", data)
    assert found
    assert problem in found[0]


def parquet() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"a": [1, 2]}).write_parquet(buffer)
    return buffer.getvalue()


ACCEPTED = {
    "model.txt": b"tree\nversion=v4\nnum_class=1\n",
    "environment.txt": b"colorama==0.4\nclick==8.1\ncryptography==50.0.2\n.\nRich\n",
    "pipeline.py": b"import datetime as dt\nimport polars as pl\n\nclass Row:\n    ...\n",
    "architecture.yaml": b"system: flights\nregulated: false\n",
    "decision.json": b'{"threshold": 0.5}',
    "holdout.parquet": parquet(),
    "plot.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="1"/></svg>',
    "empty.txt": b"",
    "I.csv": b"I1\n2.\n",
}


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_what_versions_are_made_of_is_accepted(name: str) -> None:
    assert scan(name, ACCEPTED[name]) == ()


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("x.json", b"{", "not JSON"),
        ("x.json", b"[" * 100_000, "not JSON"),
        ("x.py", b"def (", "not Python"),
        ("x.parquet", parquet()[:-1], "not Parquet"),
        ("x.txt", b"\xff\xfe", "not UTF-8"),
        ("x.txt", b"a\x00b", "zero byte"),
        ("x.svg", b"<svg><script>alert(1)</script></svg>", "script"),
        ("x.svg", b'<svg onload="x()"></svg>', "script"),
        ("x.svg", b"<html></html>", "not SVG"),
        ("x.bin", b"abc", "format is not known"),
        ("noname", b"abc", "format is not known"),
    ],
)
def test_content_that_is_not_what_its_name_says_is_refused(name: str, data: bytes, problem: str) -> None:
    assert problem in scan(name, data)[0]


@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_no_json_is_taken_for_something_evil(value: object) -> None:
    assert scan("x.json", json.dumps(value).encode()) == ()


@given(data=st.binary(max_size=200))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    for name in ("a.txt", "a.json", "a.py", "a.parquet", "a.svg", "a.zip"):
        assert isinstance(scan(name, data), tuple)
