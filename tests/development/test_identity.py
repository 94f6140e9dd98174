"""Digests: the same content has one, other content another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bluegold as bg
from bluegold.core.nouns import Port
from bluegold.development import data_transforms, model_tuning
from bluegold.development.artefacts import Artefacts
from bluegold.development.definition import PARTS, definition
from bluegold.development.digests import code_digest, frame_digest
from bluegold.development.pipeline import STAGES
from bluegold.stores.object_files import ObjectFiles

FRAME = pl.DataFrame(
    {
        "words": ["a", None, "", "é"],
        "numbers": [1.5, None, float("nan"), -0.0],
        "flags": [True, None, False, True],
        "times": [dt.datetime(2024, 1, 1), None, dt.datetime(2024, 1, 2), dt.datetime(1999, 1, 1)],
        "lists": [["x"], [], None, ["y", "z"]],
    }
)


def test_the_layout_in_memory_does_not_matter() -> None:
    chunked = pl.concat([FRAME[:1], FRAME[1:3], FRAME[3:]], rechunk=False)
    taken = FRAME[::-1].gather_every(1)[::-1]
    assert frame_digest(chunked) == frame_digest(taken) == frame_digest(FRAME)


def test_what_hides_under_a_null_does_not_matter() -> None:
    hidden = pl.DataFrame({"x": [1, 2, 3]}).select(pl.when(pl.col("x") != 2).then(pl.col("x")))
    plain = pl.DataFrame({"x": [1, None, 3]})
    assert frame_digest(hidden) == frame_digest(plain)


@pytest.mark.parametrize(
    "other",
    [
        FRAME[::-1],
        FRAME.rename({"words": "word"}),
        FRAME.with_columns(pl.col("words").fill_null("")),
        FRAME.with_columns(pl.col("numbers").cast(pl.Float32)),
        FRAME.with_columns(words=pl.Series(["", None, "a", "é"])),
        FRAME.head(3),
        FRAME.with_columns(lists=pl.Series([["x"], [], None, ["yz"]])),
        FRAME.select(reversed(FRAME.columns)),
    ],
)
def test_other_content_has_another_digest(other: pl.DataFrame) -> None:
    assert frame_digest(other) != frame_digest(FRAME)


@given(st.lists(st.text(max_size=3), max_size=6), st.lists(st.text(max_size=3), max_size=6))
def test_words_never_run_together(one: list[str], two: list[str]) -> None:
    same = frame_digest(pl.DataFrame({"w": one}, schema={"w": pl.String})) == frame_digest(
        pl.DataFrame({"w": two}, schema={"w": pl.String})
    )
    assert same == (one == two)


def test_artefacts_come_back_as_they_went(tmp_path: Path) -> None:
    table, facts, model = Port(name="t"), Port(name="f", kind="json"), Port(name="m", kind="model")
    kept = Artefacts(ObjectFiles(tmp_path))
    digests = [kept.put(table, FRAME), kept.put(facts, {"a": (1, 2)}), kept.put(model, b"\x00bytes")]
    many = kept.put(table, {"one": FRAME, "two": FRAME.head(1)})
    cold = Artefacts(ObjectFiles(tmp_path))
    assert cold.get(table, digests[0]).equals(FRAME)
    assert cold.get(facts, digests[1]) == kept.get(facts, digests[1]) == {"a": [1, 2]}
    assert cold.get(model, digests[2]) == b"\x00bytes"
    assert cold.get(table, many)["two"].equals(FRAME.head(1))


def test_a_stages_code_covers_what_it_imports(tmp_path: Path) -> None:
    source = tmp_path / "stage.py"
    source.write_text("from bluegold.development.thresholds import global_threshold\n")
    one = code_digest(source)
    other = tmp_path / "other.py"
    other.write_text("from bluegold.development.tables import decide\n")
    assert one != code_digest(other)
    assert code_digest(Path(str(data_transforms.__file__))) != code_digest(Path(str(model_tuning.__file__)))


def test_every_part_that_a_stage_reads_exists() -> None:
    for stage in STAGES:
        assert set(stage.reads) <= set(PARTS), stage.contract.name


def test_each_change_of_a_definition_shows_in_its_part(machines: Callable[[], bg.System]) -> None:
    def changed(change: Callable[[bg.System], object]) -> set[str]:
        before, system = machines(), machines()
        change(system)
        one, two = definition(before), definition(system)
        return {part for part in PARTS if one[part] != two[part]}

    assert changed(lambda s: None) == set()
    assert changed(lambda s: s.feature("hot", pl.col("heat") > 90)) == {"features"}
    assert changed(lambda s: s.model("logistic", C=2.0)) == {"models"}
    assert changed(lambda s: setattr(s, "target", ~pl.col("failed"))) == {"target"}
    assert changed(lambda s: setattr(s, "split", bg.by_share())) == {"split"}
    assert changed(lambda s: setattr(s, "protected", ("maker",))) == {"protected"}
