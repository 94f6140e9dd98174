"""Gradient-boosted trees (Chen & Guestrin 2016, *XGBoost*), trained repeatably and kept as the library's own JSON.

Serving asks the same library through its C interface.  What training saw and what serving says are compared on up to
10,000 rows, bit by bit, and the comparison is recorded with the version.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bluegold.core.errors import DefinitionError, StageError
from bluegold.development.families.family import Fitted, Training
from bluegold.registry.predictors import load_predictor

__all__ = ["ALIASES", "DEFAULTS", "fit"]

DEFAULTS: dict[str, Any] = {
    "max_depth": 6,
    "learning_rate": 0.1,
    "n_estimators": 160,
    "min_child_weight": 1.0,
    "gamma": 0.0,
    "subsample": 1.0,
    "colsample_bytree": 1.0,
    "reg_alpha": 0.0,
    "reg_lambda": 1.0,
    "max_bin": 256,
    "max_leaves": 0,
    "max_cat_to_onehot": 4,
}
ALIASES = {
    "eta": "learning_rate",
    "num_boost_round": "n_estimators",
    "num_iterations": "n_estimators",
    "lambda_l1": "reg_alpha",
    "alpha": "reg_alpha",
    "lambda_l2": "reg_lambda",
    "min_split_loss": "gamma",
}
PATIENCE = 15
ROWS = 10_000
WHOLE = ("max_depth", "max_bin", "max_leaves", "max_cat_to_onehot")
OBJECTIVES = {
    "binary": {"objective": "binary:logistic", "eval_metric": "logloss"},
    "multiclass": {"objective": "multi:softprob", "eval_metric": "mlogloss"},
    "regression": {"objective": "reg:squarederror", "eval_metric": "rmse"},
}


def fit(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """Train one booster; with ``training.watch`` it stops when the watched loss no longer falls.

    Args:
        training: rows and labels.
        params: all of :data:`DEFAULTS`.
        seed: of every random choice inside.

    Raises:
        DefinitionError: XGBoost is not installed or refuses a parameter's value.
        StageError: the served model gives other bits than the trained one.
    """
    library = _library()
    options = {
        **{key: int(value) if key in WHOLE else value for key, value in params.items() if key != "n_estimators"},
        **OBJECTIVES[training.task],
        **({"num_class": len(training.rule.labels)} if training.task == "multiclass" else {}),
        "tree_method": "hist",
        "nthread": 1,
        "seed": seed,
        "verbosity": 0,
    }
    try:
        rows = _rows(library, training.matrix, training.labels, training.kinds)
        watched = {}
        if training.watch is not None:
            matrix, labels = training.watch
            known = labels >= 0 if training.task == "multiclass" else slice(None)
            watched = {
                "evals": [(_rows(library, matrix[known], labels[known], training.kinds), "watched")],
                "early_stopping_rounds": PATIENCE,
            }
        booster = library.train(options, rows, int(params["n_estimators"]), verbose_eval=False, **watched)
        if watched:
            booster = booster[: booster.best_iteration + 1]
    except (library.core.XGBoostError, ValueError) as error:
        raise DefinitionError(
            "XGBoost refuses its parameters",
            why=str(error).strip().splitlines()[0][:300],
            way_out="correct system.model('xgboost', ...)",
        ) from error
    predictor = load_predictor("xgboost", bytes(booster.save_raw("json")))
    found = _compared(booster, predictor.scores, training, library)
    return Fitted(
        predictor=predictor,
        params={**params, "n_estimators": booster.num_boosted_rounds()},
        facts={"conversion": found},
    )


def _compared(booster: Any, scores: Any, training: Training, library: Any) -> dict[str, Any]:
    """What training says and what serving says of the same rows."""
    chosen = np.linspace(0, len(training.matrix) - 1, min(ROWS, len(training.matrix))).astype(int)
    sample = training.matrix[chosen]
    native = booster.predict(_rows(library, sample, None, training.kinds)).astype(np.float64)
    difference = np.abs(native - scores(sample))
    changed = int((difference != 0.0).reshape(len(sample), -1).any(axis=1).sum())
    if changed:
        raise StageError(
            "XGBoost gives other scores through its C interface than it gave in training",
            why=f"{changed:,} of {len(sample):,} rows differ, by at most {difference.max():.3g}",
            way_out="install one version of XGBoost only, then develop again",
        )
    return {
        "rows": len(sample),
        "largest_difference": float(difference.max()),
        "changed_rows": changed,
        "computes_in": "float32",
        "served_by": f"XGBoost {library.__version__}, C interface",
    }


def _rows(library: Any, matrix: np.ndarray, labels: np.ndarray | None, kinds: tuple[str, ...]) -> Any:
    """Rows as XGBoost takes them: unknown categories as missing, numbers within float32."""
    limit = float(np.finfo(np.float32).max)
    clean = np.clip(matrix, -limit, limit)
    for column, kind in enumerate(kinds):
        if kind == "category":
            clean[:, column] = np.where(matrix[:, column] < 0, np.nan, matrix[:, column])
    return library.DMatrix(
        clean.astype(np.float32),
        label=None if labels is None else labels.astype(np.float32),
        feature_types=["c" if kind == "category" else "q" for kind in kinds],
        enable_categorical=True,
        nthread=1,
    )


def _library() -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise DefinitionError(
            "model family 'xgboost' cannot be trained here",
            why=f"{error.name} is not installed",
            way_out='pip install "bluegold[xgboost]"',
            subject="xgboost",
        ) from error
    return xgboost
