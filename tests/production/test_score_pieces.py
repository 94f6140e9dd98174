"""Files of any size: piece by piece gives what at once gives, and a killed run goes on exactly where it was."""

from __future__ import annotations

import datetime as dt
import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram
from bluegold.production import reading
from bluegold.production.batch import Options, score
from bluegold.production.reading import pieces
from bluegold.stores.key_value_lmdb import KeyValueLmdb

RUN = """
import sys
from pathlib import Path
from bluegold.core.workspace import Workspace
from bluegold.production import reading
from bluegold.production.batch import score
from bluegold.registry.registry import Registry
reading.CHUNK_BYTES = 4000
space = Workspace.open(Path(sys.argv[1]))
with Registry.open(space, actor="test") as registry:
    done = score(registry, space, "parcels:v2", Path(sys.argv[2]), Path(sys.argv[3]),
                 on_progress=lambda rows, share: print(rows, flush=True))
print("resumed", done.resumed, done.rows, flush=True)
"""


def program(world: Any) -> FeatureProgram:
    return FeatureProgram.from_json(world.registry.versions.artefact("parcels:v2", "program.json"))


def frame(world: Any, count: int, first: int = 0) -> pl.DataFrame:
    made = pl.DataFrame([world.parcel(number) for number in range(first, first + count)])
    swap = np.arange(count)
    swap[2:-2:7], swap[3:-1:7] = swap[3:-1:7].copy(), swap[2:-2:7].copy()  # neighbours out of order
    return made[swap]


def scores_at_once(world: Any, past: pl.DataFrame, rows: pl.DataFrame) -> list[float]:
    """What training computes over the past and the rows together."""
    fitted = program(world)
    valid = fitted.clean(pl.concat([past, rows])).valid
    from bluegold.production.loading import Loader

    store = KeyValueLmdb(world.workspace.online)
    lane = Loader(world.registry, store).lane("parcels:v2")
    found = lane.bundle.predictor.scores(fitted.matrix(fitted.features(valid, {})))
    store.close()
    return found[past.height :].tolist()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_piece_by_piece_equals_at_once(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    past, rows = frame(world, 900), frame(world, 5000, first=900)
    store = KeyValueLmdb(world.workspace.online, durable=False)
    OnlineStore(store, program(world)).materialise(program(world).clean(pl.concat([past, rows])).valid, {})
    store.close()  # it holds the file's own rows too: they must not count twice
    source, output = tmp_path / f"in.{kind}", tmp_path / "out.parquet"
    (rows.write_parquet if kind == "parquet" else rows.write_csv)(source)
    monkeypatch.setattr(reading, "CHUNK_ROWS", 701)
    monkeypatch.setattr(reading, "CHUNK_BYTES", 30_000)
    assert sum(1 for _ in pieces(source)) > 5
    done = score(world.registry, world.workspace, "parcels:v2", source, output)
    written = pl.read_parquet(output)
    assert written["row"].to_list() == list(range(5000))
    late = written["flags"].str.contains("time:late")
    assert late.sum() <= 8  # a swap over a border
    expected = scores_at_once(world, past, rows)
    differ = [at for at, (a, b) in enumerate(zip(written["score"], expected, strict=True)) if a != b]
    assert all(late[max(0, at - 1) : at + 2].any() for at in differ)
    assert done.flags.get("time:late", 0) == late.sum()
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_questions_are_no_events(world: Any, tmp_path: Path) -> None:
    rows = frame(world, 60)
    rows.write_parquet(tmp_path / "in.parquet")
    options = Options(events=False)
    score(world.registry, world.workspace, "parcels:v2", tmp_path / "in.parquet", tmp_path / "a.parquet", options)
    alone = scores_at_once(world, rows.head(0), rows.head(1))
    asked = pl.read_parquet(tmp_path / "a.parquet").filter(pl.col("depot") == rows["depot"][0])
    fitted = program(world)
    assert fitted.histories
    assert asked["score"][0] == alone[0]
    score(world.registry, world.workspace, "parcels:v2", tmp_path / "in.parquet", tmp_path / "b.parquet")
    assert pl.read_parquet(tmp_path / "b.parquet")["score"].to_list() == scores_at_once(world, rows.head(0), rows)
    assert pl.read_parquet(tmp_path / "a.parquet")["score"].to_list() != scores_at_once(world, rows.head(0), rows)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_killed_run_goes_on_where_it_was(world: Any, tmp_path: Path, kind: str) -> None:
    rows = frame(world, 4000)
    broken = rows.with_columns(pl.when(pl.int_range(pl.len()) % 97 == 5).then(None).otherwise("weight").alias("weight"))
    source = tmp_path / ("in.csv" if kind == "csv" else "in.csv.gz")
    text = pl.concat([broken, broken.head(3)]).write_csv().encode()
    source.write_bytes(text if kind == "csv" else gzip.compress(text))
    whole, cut = tmp_path / f"whole.{kind}", tmp_path / f"cut.{kind}"
    command = [sys.executable, "-c", RUN, str(world.workspace.root), str(source)]
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    for lines in (3, 5):  # killed twice
        with subprocess.Popen([*command, str(cut)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(lines):
                process.stdout.readline()
            process.kill()
        assert not cut.exists()
    done = subprocess.run([*command, str(cut)], check=True, capture_output=True, text=True).stdout.split()
    assert int(done[-2]) > 200
    assert int(done[-1]) == 4003
    assert cut.read_bytes() == whole.read_bytes()
    refused = [pl.read_parquet(path.with_suffix(".quarantine.parquet")) for path in (whole, cut)]
    assert refused[0].equals(refused[1])
    assert refused[0]["reasons"].to_list() == [["weight:missing"]] * refused[0].height
    flags = (pl.read_csv(cut) if kind == "csv" else pl.read_parquet(cut))["flags"].tail(3).to_list()
    assert all("row:repeated" in one for one in flags)


def test_quotes_ragged_lines_and_broken_text_are_rows_with_reasons(world: Any, tmp_path: Path) -> None:
    good = '"north","bo\nx",1.5,2024-05-01T12:00:00\n'
    source = tmp_path / "in.csv"
    lines = [good, "south,box,1,2024-05-01T12:00:01,too,many\n", "south,b\xff,1,2024-05-01T12:00:02\n", good]
    source.write_bytes(("depot,kind,weight,handed_in\n" + "".join(lines)).encode("latin-1"))
    done = score(world.registry, world.workspace, "parcels:v2", source, tmp_path / "out.csv")
    assert (done.rows, done.scored) == (4, 2)
    assert done.reasons == {"row:fields": 1, "row:text": 1}
    assert done.flags["row:repeated"] == 1


def test_silences_are_flagged(world: Any, tmp_path: Path) -> None:
    rows = pl.concat([frame(world, 5), frame(world, 5, first=90_000)])
    rows.write_parquet(tmp_path / "in.parquet")
    options = Options(silence=dt.timedelta(hours=12))
    done = score(
        world.registry, world.workspace, "parcels:v2", tmp_path / "in.parquet", tmp_path / "out.parquet", options
    )
    assert done.flags["time:silence"] == 1
