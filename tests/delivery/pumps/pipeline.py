"""Will a pump need service?  A small system with a hot season, for deliveries that take seconds."""

import datetime as dt

import numpy as np
import polars as pl

import bluegold as bg

START = dt.datetime(2024, 1, 1)
ROWS, DAYS, HOT_DAYS = 4_000, 40, 12


class Pump(bg.Contract):
    """One reading of one pump."""

    pump: str = bg.text(max_length=20)
    site: str = bg.category("north", "south")
    load: float = bg.number(ge=0, le=100, unit="%")
    wear: float = bg.number(ge=-10, le=10)
    noise: float = bg.number(ge=-10, le=10)
    taken_at: dt.datetime = bg.time()


system = bg.System(
    "pumps",
    contract=Pump,
    target=pl.col("serviced"),
    time="taken_at",
    protected=("site",),
    split=bg.by_time(
        validate_from=START + dt.timedelta(days=26),
        validate_until=START + dt.timedelta(days=30),
        holdout_from=START + dt.timedelta(days=30),
    ),
)
system.use("site", "load", "wear", "noise")
system.model("lightgbm", n_estimators=60, search={"num_leaves": (15,)})


def readings(rows: int, seed: int, *, hot: bool | None = None) -> pl.DataFrame:
    """Readings in order of time; the first days are hot (high load), or all of them, or none."""
    random = np.random.default_rng(seed)
    day = np.sort(random.uniform(0, DAYS, rows))
    high = day < HOT_DAYS if hot is None else np.full(rows, hot)
    wear, noise = random.normal(0, 2, rows), random.normal(0, 2, rows)
    serviced = (wear + 0.3 * noise > 0) ^ (random.random(rows) < 0.02)
    return pl.DataFrame(
        {
            "pump": [f"p{number}" for number in random.integers(0, 400, rows)],
            "site": random.choice(["north", "south"], rows),
            "load": np.where(high, random.uniform(55, 100, rows), random.uniform(0, 50, rows)).round(2),
            "wear": wear.clip(-10, 10).round(3),
            "noise": noise.clip(-10, 10).round(3),
            "taken_at": [START + dt.timedelta(days=float(one)) for one in day],
            "serviced": serviced,
        }
    )


@system.source
def load() -> bg.Data:
    """Forty days of readings."""
    return bg.Data(readings(ROWS, seed=1), notes=("readings are made up",))
