"""CSV in blocks: numbers that are read at once say what their text says, and refused rows stay as they were written."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegold.core.errors import DataError
from bluegold.features import table_files
from bluegold.features.cleaning import Cleaned, clean_frame
from bluegold.features.fields import ContractSpec, FieldSpec
from bluegold.production import reading
from bluegold.production.csv_blocks import Block, BlockReader
from bluegold.production.reading import pieces

SPEC = ContractSpec(
    name="T",
    description="",
    fields=(
        FieldSpec(name="a", kind="number", ge=0, le=100),
        FieldSpec(name="b", kind="text", missing="flag", max_length=6),
        FieldSpec(name="c", kind="number", integer=True, missing="flag", outside="clip", le=50),
    ),
)
NAMES = ["a", "b", "c", "other"]
PLAIN = ["1", "1.50", "", "7e1", "0.1", "300", "-0", "00012", "+4", "1e400", "9007199254740993", ".5"]
ODD = [
    "nan",
    "inf",
    " 1",
    "1 ",
    "\t1",
    '""',
    '"1"',
    '" 1"',
    "x",
    "1_0",
    "1,5",
    '"1,5"',
    "é",
    "0x10",
    '"a\nb"',
    "-",
    "NA",
    "N/A",
    "NaN",
]
WORDS = ["x", "", "two words", '""', '"a,b"', '"say ""so"""', "é", " y", "longer than six"]


def cleaned(block: Block) -> Cleaned:
    return clean_frame(SPEC, block.frame, spoiled=block.spoiled, original=block.original)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from(PLAIN), st.sampled_from(PLAIN + ODD)),
            st.sampled_from(WORDS),
            st.sampled_from(PLAIN),
            st.sampled_from(["1", "", '"q"', "z"]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.booleans(),
    st.booleans(),
)
def test_numbers_read_at_once_clean_as_their_text_does(
    rows: list[tuple[str, str, str, str]], blank: bool, ended: bool
) -> None:
    lines = [",".join(row) for row in rows] + ([""] if blank else []) + ["5,end,5,5"]
    raw = ("\n".join(lines) + ("\n" if ended else "")).encode()
    fast, text = cleaned(BlockReader(NAMES, ["a", "c"]).read(raw)), cleaned(BlockReader(NAMES).read(raw))
    assert fast.counts == text.counts
    assert fast.valid.equals(text.valid)
    assert fast.quarantine.rows() == text.quarantine.rows()


def test_plain_numbers_are_read_at_once_and_refused_rows_stay_as_they_were_written() -> None:
    reader = BlockReader(NAMES, ["a", "c"])
    block = reader.read(b"1.50,x,1,z\n300.0,y,2,z\n,w,3,z\n")
    assert block.frame.schema["a"] == pl.Float64
    found = cleaned(block)
    assert found.quarantine["a"].to_list() == ["300.0", None]
    assert found.quarantine["_row"].to_list() == [1, 2]


def test_a_column_that_held_something_else_stays_text_and_the_others_do_not() -> None:
    reader = BlockReader(NAMES, ["a", "c"])
    assert reader.read(b"soon,x,1,z\n").frame.schema["c"] == pl.String
    assert reader.read(b"1,x,1,z\n").frame.schema == {
        "a": pl.String,
        "b": pl.String,
        "c": pl.Float64,
        "other": pl.String,
    }


@pytest.mark.parametrize("size", [64, 100, 1000])
def test_pieces_are_the_same_from_wherever_reading_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(reading, "CHUNK_BYTES", size)
    source = tmp_path / "rows.csv"
    long = "w" * 700
    lines = [f'{number},"{long if number == 9 else "t"}\nu",{number / 4}' for number in range(40)]
    source.write_text("a,b,c\n" + "\n".join(lines) + "\n")
    whole = list(pieces(source, numbers=["a", "c"]))
    assert [value for piece in whole for value in piece.frame["c"].cast(pl.Float64)] == [n / 4 for n in range(40)]
    for place, piece in enumerate(whole[:-1]):
        rest = list(pieces(source, piece.end, ["a", "c"]))
        assert [(one.end, one.frame.height) for one in rest] == [
            (one.end, one.frame.height) for one in whole[place + 1 :]
        ]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip"),
        (b"PAR1" + bytes(20), "Parquet"),
    ],
    ids=["utf-16", "gzip", "parquet"],
)
def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path, raw: bytes, said: str) -> None:
    source = tmp_path / "rows.csv"
    source.write_bytes(raw)
    with pytest.raises(DataError, match=said):
        next(pieces(source))


def packed(tmp_path: Path, raw: bytes, level: int = 6) -> Path:
    source = tmp_path / "rows.csv.gz"
    source.write_bytes(gzip.compress(raw, level, mtime=0))
    return source


def test_compressed_pieces_are_those_of_the_same_text_from_wherever_reading_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK_BYTES", 300)
    monkeypatch.setattr(table_files, "STEP", 70)
    raw = ("a,b,c\n" + "".join(f'{number},"t\nu",{number / 4}\n' for number in range(200))).encode()
    (tmp_path / "rows.csv").write_bytes(raw)
    source = packed(tmp_path, raw)
    plain, found = list(pieces(tmp_path / "rows.csv", numbers=["a"])), list(pieces(source, numbers=["a"]))
    assert len(found) > 5
    assert [(one.end, one.frame.rows()) for one in found] == [(one.end, one.frame.rows()) for one in plain]
    assert [one.share for one in found] == sorted(one.share for one in found)
    for place, piece in enumerate(found[:-1]):
        rest = list(pieces(source, piece.end, ["a"]))
        assert [(one.end, one.frame.rows()) for one in rest] == [
            (one.end, one.frame.rows()) for one in found[place + 1 :]
        ]


def test_a_compressed_file_that_is_damaged_or_grows_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "FREE", 1 << 20)
    source = packed(tmp_path, b"a,b\n" + b"1,2\n" * 2_000_000)
    with pytest.raises(DataError, match="expands to more than 250 times"):
        list(pieces(source))
    rng = np.random.default_rng(7).integers(0, 10**9, 20_000)
    whole = packed(tmp_path, b"a\n" + b"\n".join(b"%d" % one for one in rng.tolist())).read_bytes()
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF
    for raw in (whole[:-2000], bytes(broken), b"a,b\n1,2\n"):
        source.write_bytes(raw)
        with pytest.raises(DataError, match="cannot be read"):
            list(pieces(source))


def test_one_word_for_what_is_missing_keeps_numbers_numbers() -> None:
    reader = BlockReader(NAMES, ["a", "c"])
    reader.read(b"NA,NA,1,z\n2,x,1,z\n")
    block = reader.read(b"NA,NA,1,z\n2,x,1,z\n")
    assert block.frame.schema["a"] == pl.Float64
    found = cleaned(block)
    assert found.quarantine["_reasons"].to_list() == [["a:missing"]]
    assert found.quarantine["a"].to_list() == ["NA"]
    assert found.quarantine["b"].to_list() == ["NA"]  # as text it is a word


def test_a_marked_file_with_one_column_is_read_from_block_to_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK_BYTES", 50)
    source = tmp_path / "rows.csv"
    source.write_text("\ufeffa\r\n" + "".join(f"{number}\r\n" for number in range(100)), encoding="utf-8")
    found = list(pieces(source, numbers=["a"]))
    assert len(found) > 5
    assert [value for piece in found for value in piece.frame["a"].cast(pl.Float64)] == list(range(100))
