"""LitServe as its guide writes a service: one row in, the library's own predict."""

import datetime as dt
import math
import os
import sys
from typing import Any

import lightgbm
import litserve
import numpy as np

__all__ = ["Flights"]


class Flights(litserve.LitAPI):
    """One model, defaults everywhere."""

    def setup(self, _: str) -> None:
        """Load the model."""
        self.model = lightgbm.Booster(model_file=os.environ["MODEL"])

    def decode_request(self, request: dict[str, Any]) -> Any:
        """The body as a matrix of one row."""
        at = dt.datetime.fromisoformat(request["scheduled_at"])
        known = [0.0, 1.0, request["distance"], request["block"], request["dep_delay"], at.hour, at.isoweekday()]
        return np.array([known + [math.nan] * (self.model.num_feature() - len(known))], dtype=float)

    def predict(self, x: Any) -> float:
        """The probability of one row."""
        return float(self.model.predict(x, num_threads=1)[0])

    def encode_response(self, output: float) -> dict[str, float]:
        """The answer."""
        return {"score": output}


if __name__ == "__main__":
    litserve.LitServer(Flights(api_path="/v1/predict"), accelerator="cpu").run(
        host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="error"
    )
