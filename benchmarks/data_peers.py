"""What the peers of `data.py` run, each in its own environment: the same work, as its users would write it."""

from __future__ import annotations

# ruff: noqa: S608 - the statements are constants of this file

__all__ = [
    "CLEANSE_PANDAS",
    "EXPECT",
    "SCAN",
    "TRANSFORM_DUCKDB",
    "TRANSFORM_PANDAS",
    "WRITE_DUCKDB",
    "WRITE_PANDAS",
]

_HEAD = """
import json, sys, time
folder = sys.argv[1]
def told(seconds, **more):
    more["seconds"] = seconds
    lines = open("/proc/self/status").read().splitlines()
    more["rss_mb"] = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    print(json.dumps(more))
def arrow_gb(table):
    import pyarrow as pa
    sink = pa.BufferOutputStream()
    table = table.cast(pa.schema([
        (f.name, pa.string_view() if pa.types.is_string(f.type) or pa.types.is_large_string(f.type) else f.type)
        for f in table.schema]))
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.tell() / 1e9
"""

SCAN = (
    _HEAD
    + """
import duckdb
con = duckdb.connect()
con.execute("set enable_progress_bar = false")
columns = [one[0] for one in con.sql(f"describe select * from '{folder}/flights.csv'").fetchall()]
began = time.perf_counter()
con.execute(f"select count(*), {', '.join(f'max({c})' for c in columns)} from '{folder}/flights.csv'").fetchall()
told(time.perf_counter() - began)
"""
)

CLEANSE_PANDAS = (
    _HEAD
    + """
import io, pandas as pd
with open(f"{folder}/flights.csv", "rb") as file:
    raw = file.read(120_000_000)
raw = raw[: raw.rfind(b"\\n") + 1]
began = time.perf_counter()
rows = pd.read_csv(io.BytesIO(raw), parse_dates=["scheduled_at", "departed_at"])
bad = ~rows.origin.isin(["EWR", "JFK", "LGA"])
for name, low, high in (("distance", 10, 6000), ("block", 10, 1440), ("dep_delay", -60, 1500)):
    bad |= rows[name].isna() | ~rows[name].between(low, high)
bad |= rows.tailnum.str.len() > 10
repeated = rows.duplicated()
silent = rows.departed_at.diff() > pd.Timedelta(hours=12)
kept, refused = rows[~bad], rows[bad]
told(time.perf_counter() - began, gb=len(raw) / 1e9)
"""
)

EXPECT = (
    _HEAD
    + """
import warnings; warnings.filterwarnings("ignore")
import great_expectations as gx, pyarrow.parquet as pq
table = pq.ParquetFile(f"{folder}/flights.parquet").read_row_group(0)
gb = arrow_gb(table)
frame = table.to_pandas()
context = gx.get_context(mode="ephemeral")
try:
    context.variables.progress_bars = {"globally": False}
except Exception:
    pass
source = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
suite = gx.ExpectationSuite(name="s")
x = gx.expectations
for column in frame.columns:
    if column != "tailnum":
        suite.add_expectation(x.ExpectColumnValuesToNotBeNull(column=column))
suite.add_expectation(x.ExpectColumnValuesToBeInSet(column="origin", value_set=["EWR", "JFK", "LGA"]))
for column in ("dest", "carrier"):
    suite.add_expectation(x.ExpectColumnValuesToBeInSet(column=column, value_set=sorted(frame[column].unique())))
suite.add_expectation(x.ExpectColumnValueLengthsToBeBetween(column="tailnum", max_value=10))
for column, low, high in (("distance", 10, 6000), ("block", 10, 1440), ("dep_delay", -60, 1500)):
    suite.add_expectation(x.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high))
suite = context.suites.add(suite)
batch = source.get_batch({"dataframe": frame})
began = time.perf_counter()
batch.validate(suite, result_format="COMPLETE")
told(time.perf_counter() - began, gb=gb)
"""
)

_WINDOWS = """
 avg(dep_delay) over o3 as origin_delay_3h, count(dep_delay) over o3 as origin_departures_3h,
 avg(dep_delay) over d6 as dest_delay_6h
"""

TRANSFORM_DUCKDB = (
    _HEAD
    + f"""
import duckdb
con = duckdb.connect()
con.execute("set enable_progress_bar = false")
con.execute(f"create table f as select * from '{{folder}}/flights.parquet' limit 1_000_000")
con.execute(f"create table w as select * from '{{folder}}/weather.parquet'")
gb = arrow_gb(con.sql("select * from f").to_arrow_table())
began = time.perf_counter()
con.execute('''create table r as
select f.origin, f.carrier, f.distance::double, f.block::double, f.dep_delay::double,
 hour(f.scheduled_at) h, isodow(f.scheduled_at) d, {_WINDOWS},
 w.temp, w.humid, w.wind_speed, w.precip, w.visib
from f asof left join w on f.origin = w.origin and f.departed_at >= w.hour_start
window o3 as (partition by f.origin order by f.departed_at
              range between interval 3 hours preceding and interval 1 microsecond preceding),
       d6 as (partition by f.dest order by f.departed_at
              range between interval 6 hours preceding and interval 1 microsecond preceding)''')
told(time.perf_counter() - began, gb=gb)
"""
)

TRANSFORM_PANDAS = (
    _HEAD
    + """
import pandas as pd, pyarrow.parquet as pq
table = pq.ParquetFile(f"{folder}/flights.parquet").read_row_group(0)
gb = arrow_gb(table)
frame, weather = table.to_pandas(), pd.read_parquet(f"{folder}/weather.parquet")
weather = weather.sort_values("hour_start")[["origin", "hour_start", "temp", "humid", "wind_speed", "precip", "visib"]]
began = time.perf_counter()
frame = frame.sort_values("departed_at", kind="stable").reset_index(drop=True)
for by, span, name in (("origin", "3h", "mean"), ("origin", "3h", "count"), ("dest", "6h", "mean")):
    rolled = frame.set_index("departed_at").groupby(by)["dep_delay"].rolling(span, closed="left")
    found = getattr(rolled, name)().reset_index()
    frame[f"{by}_{name}"] = found.sort_values("departed_at", kind="stable")["dep_delay"].to_numpy()
frame = pd.merge_asof(frame, weather, left_on="departed_at", right_on="hour_start", by="origin",
                      tolerance=pd.Timedelta(hours=2))
frame["hour"], frame["weekday"] = frame.scheduled_at.dt.hour, frame.scheduled_at.dt.dayofweek
for column in ("origin", "carrier"):
    frame[column] = frame[column].astype("category").cat.codes
frame.select_dtypes("number").to_numpy(dtype="float64")
told(time.perf_counter() - began, gb=gb)
"""
)

_WIDE = """
import numpy as np, pandas as pd, pyarrow as pa
def wide(rows):
    draw = np.random.default_rng(7)
    score = draw.random(rows)
    base = {"id": np.arange(rows).astype(str), "at": pd.to_datetime(1_700_000_000_000_000 + np.arange(rows) * 1000,
            unit="us"), "version": "v1", "score": score, "value": score > 0.5}
    return pd.DataFrame(base | {f"a{place}": draw.normal(size=rows) for place in range(15)})
"""

WRITE_DUCKDB = (
    _HEAD
    + _WIDE
    + """
import duckdb
given = pa.Table.from_pandas(wide(1_000_000), preserve_index=False)
con = duckdb.connect(f"{folder}/peer.db")
con.register("given", given)
began = time.perf_counter()
con.execute("create table r as select * from given")
con.execute("checkpoint")
con.close()
told(time.perf_counter() - began, gb=arrow_gb(given))
"""
)

WRITE_PANDAS = (
    _HEAD
    + _WIDE
    + """
import sqlite3
frame = wide(100_000)
gb = arrow_gb(pa.Table.from_pandas(frame, preserve_index=False))
with sqlite3.connect(f"{folder}/peer-wide.db") as con:
    con.execute("pragma journal_mode = wal")
    con.execute("pragma synchronous = full")
    began = time.perf_counter()
    frame.to_sql("r", con, index=False)
    con.commit()
told(time.perf_counter() - began, gb=gb)
"""
)
