"""Files and streams through the same program and model as HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bluegold.core.errors import DataError, UnknownVersion
from bluegold.production.batch import score
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.results.records import DecisionRecord

RUN = """
import sys, typer
from bluegold.cli.terminal import guarded
from bluegold.cli.{0} import {0}
app = typer.Typer()
app.command()({0})
sys.exit(guarded(app))
"""


def command(verb: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", RUN.format(verb), *arguments]


def frame(world: Any, count: int) -> pl.DataFrame:
    return pl.DataFrame([world.parcel(number) for number in range(count)])


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_file_is_scored_as_the_live_path_would(world: Any, tmp_path: Path, kind: str) -> None:
    rows = frame(world, 40)
    source, output = tmp_path / f"in.{kind}", tmp_path / f"out.{kind}"
    (rows.write_parquet if kind == "parquet" else rows.write_csv)(source)
    done = score(world.registry, world.workspace, "parcels:v2", source, output)
    assert (done.rows, done.scored, done.quarantined) == (40, 40, 0)
    written = pl.read_parquet(output) if kind == "parquet" else pl.read_csv(output)
    assert written["row"].to_list() == list(range(40))
    assert set(written["version"]) == {"v2"}
    assert done.positive == written["value"].sum()

    world.promote("v2")
    lines = "\n".join(json.dumps(world.parcel(number)) for number in range(3)) + "\n"
    answered = subprocess.run(
        command("stream", "--workspace", str(world.workspace.root)),
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    live = [json.loads(line)["score"] for line in answered.stdout.splitlines()]
    # the stream's rows are events for the rows after them; its first row sees what the file's first row saw
    assert live[0] == written["score"][0]


def test_refused_rows_go_to_quarantine_with_reasons(world: Any, tmp_path: Path) -> None:
    rows = frame(world, 10).with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(pl.lit("east")).otherwise("depot").alias("depot"),
        pl.when(pl.int_range(pl.len()) == 5).then(1e9).otherwise("weight").alias("weight"),
    )
    rows.write_parquet(tmp_path / "in.parquet")
    done = score(world.registry, world.workspace, "v1", tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert (done.rows, done.scored, done.quarantined) == (10, 9, 1)
    assert done.flags == {"weight:clipped": 1}
    refused = pl.read_parquet(done.quarantine)
    assert refused["row"].to_list() == [3]
    assert refused["reasons"].to_list() == [["depot:unknown"]]


@pytest.mark.parametrize(
    ("name", "content"), [("in.txt", b"x"), ("none.csv", None), ("in.parquet", b"no parquet"), ("in.csv", b"")]
)
def test_bad_input_leaves_nothing_behind(world: Any, tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    folder = tmp_path / "out"
    with pytest.raises(DataError):
        score(world.registry, world.workspace, "v1", tmp_path / name, folder / "out.parquet")
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_missing_column_and_an_unknown_version_are_named(world: Any, tmp_path: Path) -> None:
    frame(world, 3).drop("weight").write_csv(tmp_path / "in.csv")
    with pytest.raises(DataError, match="weight"):
        score(world.registry, world.workspace, "v1", tmp_path / "in.csv", tmp_path / "out.csv")
    with pytest.raises(UnknownVersion):
        score(world.registry, world.workspace, "v9", tmp_path / "in.csv", tmp_path / "out.csv")


def test_the_score_command(world: Any, tmp_path: Path) -> None:
    frame(world, 5).write_csv(tmp_path / "in.csv")
    arguments = [str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), "-w", str(world.workspace.root)]
    none = subprocess.run(command("score", *arguments), capture_output=True, text=True, check=False)
    assert none.returncode == 1
    assert "no version of 'parcels' is in production" in none.stderr
    world.promote("v1")
    done = subprocess.run(command("score", *arguments, "--json"), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["scored"] == 5


def stream(world: Any, source: Path, output: Path) -> subprocess.CompletedProcess[str]:
    arguments = [str(source), "--out", str(output), "-w", str(world.workspace.root)]
    return subprocess.run(command("stream", *arguments), capture_output=True, text=True, check=True)


def test_a_stream_goes_on_where_it_stopped_and_survives_poison(world: Any, tmp_path: Path) -> None:
    world.promote("v1")
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    good = [json.dumps(world.parcel(number)) for number in range(600)]
    source.write_text("\n".join([*good[:10], "{poison", json.dumps({"depot": 1}), *good[10:]]) + "\n")
    assert "602 lines answered, 2 of them refused" in stream(world, source, output).stderr
    answers = [json.loads(line) for line in output.read_text().splitlines()]
    assert [answer.get("status") for answer in answers[10:12]] == [400, 422]
    assert sum("score" in answer for answer in answers) == 600
    with source.open("a") as file:
        file.write(good[0] + "\n")
    assert "1 lines answered" in stream(world, source, output).stderr
    assert len(output.read_text().splitlines()) == 603
    records = [one for one in DecisionReader(world.workspace.decisions).records() if isinstance(one, DecisionRecord)]
    assert len(records) == 601
    os.truncate(source, 10)
    arguments = [str(source), "-w", str(world.workspace.root)]
    wrong = subprocess.run(command("stream", *arguments), capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "not the file that was read before" in wrong.stderr


def test_a_killed_stream_skips_no_line(world: Any, tmp_path: Path) -> None:
    world.promote("v1")
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(world.parcel(number)) + "\n" for number in range(4000)))
    arguments = [str(source), "--out", str(output), "-w", str(world.workspace.root)]
    with subprocess.Popen(command("stream", *arguments), stderr=subprocess.DEVNULL) as process:
        while not output.exists() or output.stat().st_size < 100_000:
            assert process.poll() is None
        process.kill()
    stream(world, source, output)
    reader = DecisionReader(world.workspace.decisions)
    seen = {one.payload["handed_in"] for one in reader.records() if isinstance(one, DecisionRecord)}
    assert len(seen) == 4000
    assert reader.verify().ok
