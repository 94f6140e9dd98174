"""The table from family to loader: each library is loaded when a model of its family is."""

from __future__ import annotations

from collections.abc import Callable

from bluegold.core.errors import RegistryError
from bluegold.registry.predictors.protocol import Predictor
from bluegold.security.artefact_scan import scan

__all__ = ["FAMILIES", "load_predictor"]


def _lightgbm(data: bytes) -> Predictor:
    from bluegold.registry.predictors.lightgbm_native import LightgbmPredictor

    return LightgbmPredictor(data)


def _logistic(data: bytes) -> Predictor:
    from bluegold.registry.predictors.linear import LinearPredictor

    return LinearPredictor.load(data)


def _softmax(data: bytes) -> Predictor:
    from bluegold.registry.predictors.softmax import SoftmaxPredictor

    return SoftmaxPredictor.load(data)


def _onnx(data: bytes) -> Predictor:
    from bluegold.registry.predictors.onnx import OnnxPredictor

    return OnnxPredictor(data)


def _xgboost(data: bytes) -> Predictor:
    from bluegold.registry.predictors.xgboost_native import XgboostPredictor

    return XgboostPredictor(data)


def _ensemble(data: bytes) -> Predictor:
    from bluegold.registry.predictors.ensemble import EnsemblePredictor

    return EnsemblePredictor.load(data, _member)


def _member(family: str, data: bytes) -> Predictor:
    """A model inside a file, scanned as it would be on its own."""
    problems = scan(FAMILIES[family][0], data) if family in FAMILIES else ()
    if problems:
        raise RegistryError(f"a member of family '{family}' is refused", why="; ".join(problems))
    return load_predictor(family, data)


#: family -> (file name of its artefact, loader).
FAMILIES: dict[str, tuple[str, Callable[[bytes], Predictor]]] = {
    "lightgbm": ("model.txt", _lightgbm),
    "logistic": ("model.json", _logistic),
    "linear": ("model.json", _logistic),
    "softmax": ("model.json", _softmax),
    "onnx": ("model.onnx", _onnx),
    "xgboost": ("model.json", _xgboost),
    "ensemble": ("ensemble.json", _ensemble),
}


def load_predictor(family: str, data: bytes) -> Predictor:
    """Load a predictor from the bytes of its artefact.

    Args:
        family: one of :data:`FAMILIES`.
        data: what ``dump`` gave.

    Raises:
        RegistryError: the family is not known, or the file is not one of that family.

    Example:
        >>> from bluegold.registry.predictors.linear import LinearPredictor, NumberTerm
        >>> model = LinearPredictor(intercept=0.0, terms=(NumberTerm(mean=1.0, scale=1.0, weight=2.0),))
        >>> load_predictor("logistic", model.dump()).score_row([1.0])
        0.5
    """
    entry = FAMILIES.get(family)
    if entry is None:
        raise RegistryError(
            f"no predictor of family '{family}'", way_out=f"known families are {', '.join(sorted(FAMILIES))}"
        )
    return entry[1](data)
