"""A small system that uses every kind of field, feature, history and lookup; tests share it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

import bluegold as bg


class Sale(bg.Contract):
    """One sale, as known at the till."""

    shop: str = bg.category("north", "south")
    kind: str = bg.category(missing="flag")
    amount: float = bg.number(ge=-50, le=1000, outside="clip", missing="flag")
    pieces: int = bg.number(ge=0, le=20, outside="flag")
    client: str = bg.text(max_length=12, missing="flag")
    member: bool = bg.flag(missing="flag")
    at: dt.datetime = bg.time(utc=True)

    rules = (
        bg.rule("paid", pl.col("amount") > -40),
        bg.rule("single", (pl.col("pieces") < 15) | (pl.col("amount") > 10), broken="flag"),
    )


def system() -> bg.System:
    made = bg.System(
        "sales",
        contract=Sale,
        target=pl.col("returned") > 0,
        time="at",
        protected=("shop",),
        split=bg.by_time(validate_from="2024-01-15", holdout_from="2024-01-22"),
    )
    made.use("shop", "kind", "amount", "pieces", "member")
    made.feature("hour", pl.col("at").dt.hour())
    made.feature("price", (pl.col("amount") / pl.col("pieces")).fill_nan(None))
    made.feature("third", pl.col("amount") / 3)
    made.feature("label", pl.col("shop") + "-" + pl.col("kind").fill_null("none"))
    made.feature("above_usual", pl.col("amount") > pl.col("usual"))
    made.history("usual", pl.col("amount").mean(), by="shop", window="6h")
    made.history("spent", (pl.col("amount") * 1.1).sum(), by=("client",), window="2d")
    made.history("sales", pl.len(), by=("shop", "kind"), window="1d")
    made.history("known", pl.col("amount").count(), by="shop", window="6h")
    made.history("least", pl.col("amount").min(), by="client", window="3d")
    made.history("most", pl.col("pieces").max(), by="shop", window="90m")
    made.lookup("weather", by="shop", at="hour", within="2h", columns=("temp", "sky"))
    made.lookup("shops", by="shop", columns=("area", "city"))
    made.model("lightgbm", search={"num_leaves": (7, 15)})
    made.model("logistic")
    made.source(lambda: data(500))
    return made


def data(rows: int, seed: int = 1) -> bg.Data:
    draw = np.random.default_rng(seed)
    start = dt.datetime(2024, 1, 1)
    minutes = np.sort(draw.integers(0, 28 * 24 * 60, rows))  # many sales share a moment
    optional = draw.random((4, rows)) < 0.1
    frame = pl.DataFrame(
        {
            "shop": draw.choice(["north", "south"], rows).tolist(),
            "kind": [
                None if gone else k for gone, k in zip(optional[0], draw.choice(["a", "b", "é"], rows), strict=True)
            ],
            "amount": [
                None if gone else float(v)
                for gone, v in zip(optional[1], draw.normal(40, 25, rows).round(3), strict=True)
            ],
            "pieces": draw.integers(0, 20, rows),
            "client": [
                None if gone else f"c{v}" for gone, v in zip(optional[2], draw.integers(0, 12, rows), strict=True)
            ],
            "member": [
                None if gone else bool(v) for gone, v in zip(optional[3], draw.integers(0, 2, rows), strict=True)
            ],
            "at": [start + dt.timedelta(minutes=int(m)) for m in minutes],
            "returned": draw.integers(0, 2, rows),
        }
    )
    hours = [start + dt.timedelta(hours=int(h)) for h in np.flatnonzero(draw.random(28 * 24) < 0.7)]
    weather = pl.DataFrame(
        {
            "shop": ["north"] * len(hours) + ["south"] * len(hours),
            "hour": hours * 2,
            "temp": [None if v > 25 else float(v) for v in draw.normal(15, 6, 2 * len(hours))],
            "sky": draw.choice(["sun", "rain"], 2 * len(hours)).tolist(),
        }
    )
    shops = pl.DataFrame({"shop": ["north"], "area": [120], "city": ["Bilbao"]})
    return bg.Data(frame, tables={"weather": weather, "shops": shops})
