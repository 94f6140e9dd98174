"""S4 predictors: trained models as safe files that serving can load without the library that trained them."""

from __future__ import annotations

from bluegold.registry.predictors.protocol import FAMILIES, Predictor, load_predictor

__all__ = ["FAMILIES", "Predictor", "load_predictor"]
