"""Attributions: how much each feature moved a score, computed behind the decisions and never in a request.

A run takes the exported decisions that have none yet, all of them or a sample chosen by the decision's id, and writes
Shapley values of the margin (log-odds) beside them.  LightGBM's own ``pred_contrib`` is exact and slow; with the extra
``explain``, large batches go through WOODELF (Nadel & Wettenstein 2025), held against LightGBM on rows of every batch.
A linear model's attributions are its terms.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.core.errors import IntegrityError, ServingError
from bluegold.production.results.results_store import ResultsStore
from bluegold.registry.bundle import Bundle, load_bundle
from bluegold.registry.predictors.linear import CategoryTerm, LinearPredictor, NumberTerm
from bluegold.registry.registry import Registry

__all__ = ["Attributed", "attribute", "contributions"]

Matrix = NDArray[np.float64]
#: From so many rows on the fast way is faster.
MANY = 5_000
CHECKED = 32
#: The largest difference from the exact values that is rounding (float32 sums over trees).
ROUNDING = 1e-3


class _Linear(msgspec.Struct):
    intercept: float
    terms: tuple[NumberTerm | CategoryTerm, ...]


class Attributed(msgspec.Struct, frozen=True, kw_only=True):
    """What one run added: decisions explained, files, and the largest difference from the exact values."""

    rows: int
    files: int
    difference: float


def attribute(store: ResultsStore, registry: Registry, *, share: float = 1.0) -> Attributed:
    """Explain the exported decisions that have no attributions yet.

    Args:
        store: where decisions are and attributions go.
        registry: where their versions are.
        share: which share of the decisions, chosen by their ids.

    Raises:
        StoreError: another process attributes.
        IntegrityError: the fast way and the exact one disagree.
        BluegoldError: a version cannot be loaded.
    """
    rows = files = 0
    worst = 0.0
    bundles: dict[str, Bundle] = {}
    with store.attributions.writing():
        done, away = store.attributions.positions, store.decisions.away
        for batch in store.decisions.batches:
            for part in batch.parts:
                if part.path in done or part.path in away:
                    continue
                frame = pl.read_parquet(store.decisions.root / part.path).filter(_chosen(share))
                done[part.path] = frame.height
                if frame.is_empty():
                    continue
                ref = f"{frame['model'][0]}:{frame['version'][0]}"
                bundle = bundles.setdefault(ref, load_bundle(registry, ref))
                explained, difference = _explained(bundle, frame)
                store.attributions.add({part.path.rpartition("/")[0]: explained}, done)
                rows, files, worst = rows + frame.height, files + 1, max(worst, difference)
    return Attributed(rows=rows, files=files, difference=worst)


def contributions(bundle: Bundle, matrix: Matrix) -> tuple[Matrix, float]:
    """Attributions (n, features + 1), the last column what a row without features scores; and the difference found.

    Raises:
        ServingError: models of this family cannot be explained so.
        IntegrityError: the fast way and the exact one disagree.
    """
    predictor: Any = getattr(bundle.predictor, "inner", bundle.predictor)  # a calibration changes no feature's part
    if isinstance(predictor, LinearPredictor):
        model = msgspec.json.decode(predictor.dump(), type=_Linear)
        columns = [term.column(matrix[:, place]) for place, term in enumerate(model.terms)]
        return np.column_stack([*columns, np.full(len(matrix), model.intercept)]), 0.0
    if predictor.family != "lightgbm" or predictor.outputs != 1:
        raise ServingError(
            f"decisions of {bundle.ref} are not explained",
            why="attributions are known for LightGBM with one score and for linear models",
            way_out="explain another version",
        )
    import lightgbm

    booster = lightgbm.Booster(model_str=predictor.dump().decode())
    fast = _fast(booster) if len(matrix) >= MANY else None
    if fast is None:
        return np.asarray(booster.predict(matrix, pred_contrib=True)), 0.0
    places = np.linspace(0, len(matrix) - 1, CHECKED).astype(int)
    exact = np.asarray(booster.predict(matrix[places], pred_contrib=True))
    values = fast(matrix)
    difference = float(np.abs(values[places] - exact[:, :-1]).max())
    if difference > ROUNDING:
        raise IntegrityError(
            f"attributions of {bundle.ref} differ by {difference:.2g} from the exact ones",
            way_out="uninstall woodelf-explainer: LightGBM's own way is used then",
        )
    return np.column_stack((values, np.full(len(matrix), exact[0, -1]))), difference


def _fast(booster: Any) -> Callable[[Matrix], Matrix] | None:
    if importlib.util.find_spec("woodelf") is None:
        return None
    import pandas as pd
    from woodelf import WoodelfExplainer

    explainer = WoodelfExplainer(booster)

    def explain(matrix: Matrix) -> Matrix:
        found = explainer.shap_values(pd.DataFrame(matrix, columns=booster.feature_name()), verbose=False)
        return np.asarray(found, dtype=np.float64)

    return explain


def _explained(bundle: Bundle, frame: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    matrix = np.array(frame["vector"].to_list(), dtype=np.float64).reshape(frame.height, len(bundle.names))
    values, difference = contributions(bundle, matrix)
    columns = [pl.Series(f"a:{name}", values[:, place]) for place, name in enumerate(bundle.names)]
    base = pl.Series("a:base", values[:, -1])
    return frame.select("id", "at", "model", "version").with_columns(*columns, base), difference


def _chosen(share: float) -> pl.Expr:
    """Which decisions belong to the sample: the same ones whenever it is asked."""
    if share >= 1.0:
        return pl.lit(value=True)
    limit = int(share * 2**32)
    return pl.col("id").map_elements(
        lambda one: int.from_bytes(hashlib.sha256(one.encode()).digest()[:4], "big") < limit, return_dtype=pl.Boolean
    )
