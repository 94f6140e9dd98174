"""Decisions as Parquet: each exactly once whatever is killed, queried, explained, and found from their input."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from bluegold.core.errors import DataError, IntegrityError
from bluegold.production.results.about import about, write
from bluegold.production.results.attributions import attribute
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.results.end_user import ResultPages
from bluegold.production.results.partitions import Partitions
from bluegold.production.results.records import DecisionRecord
from bluegold.production.results.results_store import ResultsStore

STREAM = "import sys; from bluegold.cli.main import main; sys.argv = ['bluegold', *sys.argv[1:]]; main()"


def streamed(world: Any, numbers: range) -> None:
    lines = "".join(json.dumps(world.parcel(number)) + "\n" for number in numbers)
    source = world.workspace.root / f"{numbers.start}.jsonl"
    source.write_text(lines)
    command = [sys.executable, "-c", STREAM, "stream", str(source), "--out", str(source.with_suffix(".out"))]
    subprocess.run([*command, "-w", str(world.workspace.root)], check=True, capture_output=True)


def test_every_decision_arrives_once_and_both_ways_are_found(world: Any, tmp_path: Path) -> None:
    world.promote("v1")
    streamed(world, range(500))
    store = ResultsStore(world.workspace)
    assert store.export().decisions == 500
    assert store.export().decisions == 0
    streamed(world, range(500, 600))
    assert store.export().decisions == 100
    log = {
        one.id: one for one in DecisionReader(world.workspace.decisions).records() if isinstance(one, DecisionRecord)
    }
    found = store.query("SELECT id, score, version, input_digest, payload FROM decisions ORDER BY id")
    assert sorted(found["id"]) == sorted(log)
    assert all(log[one["id"]].score == one["score"] for one in found.iter_rows(named=True))
    one = found.row(0, named=True)
    assert store.find(one["input_digest"]) == [one["id"]]
    assert json.loads(one["payload"])["depot"] in {"north", "south"}
    assert store.decisions.verify() == 2
    with pytest.raises(DataError, match="cannot be answered"):
        store.query("SELECT nothing FROM decisions")

    done = attribute(store, world.registry)
    assert (done.rows, attribute(store, world.registry).rows) == (600, 0)
    joined = store.query("SELECT a.*, d.score FROM attributions a JOIN decisions d ON a.id = d.id")
    margin = joined.select(pl.sum_horizontal(pl.col("^a:.*$"))).to_series().to_numpy()
    assert np.allclose(1 / (1 + np.exp(-margin)), joined["score"].to_numpy(), atol=1e-12)

    entity = store.query("SELECT entity FROM decisions WHERE entity <> '' LIMIT 1").item()
    told = about(store, [entity])
    assert told.height == (store.query("SELECT entity FROM decisions")["entity"] == entity).sum()
    assert told["a:base"].null_count() == 0
    for name in ("all.csv", "all.db", "all.json", "all.parquet"):
        assert write(told, tmp_path / name).stat().st_size > 0
    assert pl.read_csv(tmp_path / "all.csv")["id"].to_list() == told["id"].to_list()
    with ResultPages(tmp_path / "all.db") as pages:
        assert pl.concat(pages.frames()).equals(told)
    with pytest.raises(DataError, match="nothing is on record"):
        about(store, ["nobody"])

    victim = store.decisions.files()[0]
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError):
        store.decisions.verify()


WRITER = """
import sys, pathlib
import polars as pl
from bluegold.production.results.partitions import Partitions
parts = Partitions(pathlib.Path(sys.argv[1]))
with parts.writing():
    while True:
        at = parts.positions.get("at", 0)
        frames = {f"day={n}": pl.DataFrame({"n": [at, at + 1]}) for n in range(3)}
        parts.add(frames, {"at": at + 2})
        print(at, flush=True)
"""


def test_killed_writers_leave_every_row_once(tmp_path: Path) -> None:
    for number in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.013 * number)
            process.send_signal(signal.SIGKILL)
    parts = Partitions(tmp_path)
    with parts.writing():
        pass
    rows = parts.scan().collect()["n"].sort().to_list()
    assert rows == sorted(3 * list(range(parts.positions["at"])))
    assert sorted(tmp_path.rglob("*.parquet")) == sorted(parts.files())
    assert list(tmp_path.rglob("*.pending")) == []


def test_a_line_of_the_manifest_names_what_is_new_and_older_manifests_stay_readable(tmp_path: Path) -> None:
    parts, frame = Partitions(tmp_path), pl.DataFrame({"a": [1]})
    with parts.writing():
        for number in range(200):
            parts.add(
                {"day=1": frame}, {**parts.positions, f"file-{number}": 1} if number < 3 else {f"file-{number}": 1}
            )
    lines = (tmp_path / "manifest.jsonl").read_bytes().splitlines()
    assert max(map(len, lines)) < 1.1 * min(map(len, lines))
    assert parts.positions == {f"file-{number}": 1 for number in range(200)}
    every = [msgspec.json.decode(line) for line in lines]
    for number, line in enumerate(every):  # as they were written once: each with everything before it
        line["positions"] = {f"file-{place}": 1 for place in range(number + 1)}
    (tmp_path / "manifest.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in every))
    with parts.writing():
        assert parts.add({"day=1": frame}, {"file-7": 2, "file-8": 1}).positions == {"file-7": 2}
    assert len(parts.positions) == 200
    assert parts.positions["file-7"] == 2
    assert [batch.number for batch in parts.batches] == list(range(201))


def test_versions_that_differ_in_columns_are_read_together(tmp_path: Path) -> None:
    parts = Partitions(tmp_path)
    with parts.writing():
        parts.add({"model=m/version=v1/day=2024-05-01": pl.DataFrame({"id": ["a"], "a:x": [1.0]})}, {})
        parts.add({"model=m/version=v2/day=2024-05-01": pl.DataFrame({"id": ["b"], "a:y": [2.0]})}, {})
    assert parts.scan().sort("id").collect().rows() == [("a", 1.0, None), ("b", None, 2.0)]
