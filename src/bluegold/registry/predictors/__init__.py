"""S4 predictors: trained models as safe files that serving can load without the library that trained them."""

from __future__ import annotations

from bluegold.registry.predictors.families import FAMILIES, load_predictor
from bluegold.registry.predictors.protocol import Predictor, Score

__all__ = ["FAMILIES", "Predictor", "Score", "load_predictor"]
