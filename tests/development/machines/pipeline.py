"""Will a machine fail within the day?  A small system that is nothing like flights."""

import datetime as dt

import numpy as np
import polars as pl

import bluegold as bg

START = dt.datetime(2024, 1, 1)
ROWS = 3_000


class Reading(bg.Contract):
    """One reading of one machine."""

    machine: str = bg.text(max_length=20)
    site: str = bg.category("north", "south", "lab")
    maker: str = bg.category(unknown="flag")
    heat: float = bg.number(ge=-50, le=200, unit="C", outside="clip")
    strokes: int = bg.number(ge=0)
    taken_at: dt.datetime = bg.time()
    rules = (bg.rule("cold machines stand still", (pl.col("heat") > -20) | (pl.col("strokes") == 0)),)


system = bg.System(
    "machines",
    contract=Reading,
    target=pl.col("failed"),
    time="taken_at",
    entity="machine",
    protected=("site",),
    split=bg.by_time(validate_from=START + dt.timedelta(days=25), holdout_from=START + dt.timedelta(days=32)),
)
system.use("maker", "heat", "strokes")
system.feature("hour", pl.col("taken_at").dt.hour())
system.history("heat_before", pl.col("heat").mean(), by="machine", window="12h")
system.model("lightgbm", n_estimators=40, search={"num_leaves": (7, 15), "learning_rate": (0.05, 0.1)})
system.model("logistic", search={"C": (0.1, 1.0)})


@system.source
def load() -> bg.Data:
    """Readings in order of time; failing depends on heat, maker and work done."""
    random = np.random.default_rng(1)
    heat = random.normal(60, 20, ROWS)
    strokes = np.where(random.random(ROWS) < 0.4, 0, random.poisson(30, ROWS))
    maker = random.choice(["acme", "bolt", "cog"], ROWS)
    margin = (heat - 70) / 8 + (maker == "bolt") * 1.5 + strokes / 40 - 1.0
    rows = pl.DataFrame(
        {
            "machine": [f"m{i}" for i in random.integers(0, 40, ROWS)],
            "site": random.choice(["north", "south", "lab"], ROWS, p=[0.6, 0.39, 0.01]),
            "maker": maker,
            "heat": heat,
            "strokes": strokes,
            "taken_at": [START + dt.timedelta(minutes=20 * i) for i in range(ROWS)],
            "failed": random.random(ROWS) < 1 / (1 + np.exp(-margin)),
        }
    )
    return bg.Data(rows, notes=("readings are made up",))
