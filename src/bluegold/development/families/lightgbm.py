"""Gradient-boosted trees (Ke et al. 2017, *LightGBM*), trained repeatably and kept as native text.

One thread a model by default: the search runs models side by side instead, and threads that wait for each
other at every tree cost minutes on a machine whose cores are shared.
"""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np

from bluegold.core.errors import DefinitionError
from bluegold.development.families.family import Fitted, Training
from bluegold.registry.predictors import load_predictor

__all__ = ["ALIASES", "DEFAULTS", "fit"]

DEFAULTS: dict[str, Any] = {
    "num_leaves": 31,
    "learning_rate": 0.1,
    "num_iterations": 160,
    "min_data_in_leaf": 40,
    "max_depth": -1,
    "max_bin": 255,
    "feature_fraction": 1.0,
    "lambda_l1": 0.0,
    "lambda_l2": 1.0,
    "min_gain_to_split": 0.0,
    "cat_smooth": 10.0,
    "cat_l2": 10.0,
    "num_threads": 1,
}
ALIASES = {
    "n_estimators": "num_iterations",
    "num_boost_round": "num_iterations",
    "min_child_samples": "min_data_in_leaf",
    "colsample_bytree": "feature_fraction",
    "reg_alpha": "lambda_l1",
    "reg_lambda": "lambda_l2",
    "eta": "learning_rate",
}
PATIENCE = 15
OBJECTIVES = {
    "binary": {"objective": "binary", "metric": "binary_logloss"},
    "multiclass": {"objective": "multiclass", "metric": "multi_logloss"},
    "regression": {"objective": "regression", "metric": "l2"},
}


def fit(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """Train one booster; with ``training.watch`` it stops when the watched log loss no longer falls.

    Args:
        training: rows and labels.
        params: all of :data:`DEFAULTS`.
        seed: of every random choice inside.

    Raises:
        DefinitionError: LightGBM refuses a parameter's value.
    """
    columns = [index for index, kind in enumerate(training.kinds) if kind == "category"]
    options = {
        **{key: value for key, value in params.items() if key != "num_iterations"},
        **OBJECTIVES[training.task],
        **({"num_class": len(training.rule.labels)} if training.task == "multiclass" else {}),
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbosity": -1,
    }
    try:
        rows = lightgbm.Dataset(
            _clean(training.matrix, columns),
            training.labels.astype(np.float32),
            categorical_feature=columns,
            params=options,
            free_raw_data=True,
        )
        watched, callbacks = [], []
        if training.watch is not None:
            matrix, labels = training.watch
            known = labels >= 0 if training.task == "multiclass" else slice(None)
            matrix, labels = matrix[known], labels[known]
            watched = [rows.create_valid(_clean(matrix, columns), labels.astype(np.float32))]
            callbacks = [lightgbm.early_stopping(PATIENCE, verbose=False)]
        booster = lightgbm.train(
            options, rows, num_boost_round=int(params["num_iterations"]), valid_sets=watched, callbacks=callbacks
        )
    except lightgbm.basic.LightGBMError as error:
        raise DefinitionError(
            "LightGBM refuses its parameters", why=str(error), way_out="correct system.model('lightgbm', ...)"
        ) from error
    best = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    text = booster.model_to_string(num_iteration=best).encode()
    return Fitted(predictor=load_predictor("lightgbm", text), params={**params, "num_iterations": best})


def _clean(matrix: np.ndarray, columns: list[int]) -> np.ndarray:
    """Unknown categories as missing, which is what the trees make of -1 anyway."""
    if not columns:
        return matrix
    clean = matrix.copy()
    clean[:, columns] = np.where(matrix[:, columns] < 0, np.nan, matrix[:, columns])
    return clean
