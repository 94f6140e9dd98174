"""The hard variant: will a flight arrive more than 15 minutes late?  Said when only its schedule is known."""

import datetime as dt
from pathlib import Path

import polars as pl

import bluegold as bg

flights = bg.load_system(Path(__file__).parent.parent / "flights")  # the same source and weather


class ScheduledFlight(bg.Contract):
    """One flight of the schedule, some time before it leaves."""

    origin: str = bg.category("EWR", "JFK", "LGA", description="airport of departure")
    dest: str = bg.category(unknown="flag", description="airport of arrival")
    carrier: str = bg.category(unknown="flag", description="airline")
    distance: float = bg.number(ge=10, le=6000, unit="miles")
    block: float = bg.number(
        ge=10, le=1440, unit="min", outside="flag", description="arrival clock less departure clock"
    )
    scheduled_at: dt.datetime = bg.time(description="scheduled departure, New York clock")
    planned_at: dt.datetime = bg.time(utc=True, description="scheduled departure, UTC")


system = bg.System(
    "flight-delays-scheduled",
    contract=ScheduledFlight,
    target=pl.col("arr_delay") > 15,
    time="planned_at",
    protected=("origin",),
    split=bg.by_time(validate_from="2013-07-01", holdout_from="2013-09-01", holdout_until="2014-01-02"),
)

system.use("origin", "carrier", "distance", "block")
system.feature("hour", pl.col("scheduled_at").dt.hour())
system.feature("weekday", pl.col("scheduled_at").dt.weekday())
system.lookup("weather", by="origin", at="hour_start", within="2h", columns=("temp", "humid", "wind_speed", "visib"))
system.model("lightgbm", n_estimators=120, learning_rate=0.08, search={"num_leaves": (15, 31)})
system.model("logistic")


@system.source
def load() -> bg.Data:
    """The flights, with their planned moment of departure and without their departure delay."""
    data = flights.load()
    delay = pl.duration(minutes="dep_delay")
    rows = data.rows.with_columns(planned_at=pl.col("departed_at") - delay).drop("dep_delay", "departed_at")
    return bg.Data(rows.sort("planned_at", maintain_order=True), tables=data.tables, notes=data.notes)
