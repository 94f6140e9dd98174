"""FastAPI with the same C predictor: typed body, no contract, no history or look-up features, no record."""

import datetime as dt
import math
import os
from pathlib import Path

import fastapi
import pydantic

from bluegold.registry.predictors.lightgbm_native import LightgbmPredictor

__all__ = ["app"]

MODEL = LightgbmPredictor(Path(os.environ["MODEL"]).read_bytes())
EMPTY = [math.nan] * (MODEL.width - 7)
app = fastapi.FastAPI()


class Flight(pydantic.BaseModel):
    """One row of the benchmark."""

    origin: str
    dest: str
    carrier: str
    distance: float
    block: float
    scheduled_at: dt.datetime
    departed_at: dt.datetime
    dep_delay: float
    tailnum: str | None = None


@app.post("/v1/predict")
async def predict(row: Flight) -> dict[str, float]:
    """The probability of one row."""
    at = row.scheduled_at
    known = [0.0, 1.0, row.distance, row.block, row.dep_delay, float(at.hour), float(at.isoweekday())]
    return {"score": MODEL.score_row(known + EMPTY)}
