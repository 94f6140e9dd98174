"""BentoML as its guide writes a service: a typed row in, the library's own predict."""

import datetime as dt
import math
import os
from typing import Any

import bentoml
import lightgbm
import numpy as np
import pydantic

__all__ = ["Flight", "Flights"]


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


@bentoml.service(workers=1)
class Flights:
    """One model, defaults everywhere."""

    def __init__(self) -> None:
        self.model = lightgbm.Booster(model_file=os.environ["MODEL"])

    @bentoml.api(route="/v1/predict", input_spec=Flight)
    def predict(self, **row: Any) -> float:
        """The probability of one row."""
        at = row["scheduled_at"]
        known = [0.0, 1.0, row["distance"], row["block"], row["dep_delay"], float(at.hour), float(at.isoweekday())]
        matrix = np.array([known + [math.nan] * (self.model.num_feature() - len(known))])
        return float(self.model.predict(matrix, num_threads=1)[0])
