"""Linear regression with an L2 penalty (ridge): numbers standardised, categories one-hot, missing values marked."""

from __future__ import annotations

from typing import Any

from sklearn.linear_model import Ridge

from bluegold.development.families.design import Design
from bluegold.development.families.family import Fitted, Training
from bluegold.registry.predictors.linear import LinearPredictor

__all__ = ["ALIASES", "DEFAULTS", "fit"]

DEFAULTS: dict[str, Any] = {"alpha": 1.0}
ALIASES: dict[str, str] = {"l2": "alpha"}


def fit(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """Train one model.

    Args:
        training: rows and the numbers to predict.
        params: all of :data:`DEFAULTS`.
        seed: unused by this solver, which makes no random choice; taken so that families are alike.

    Example:
        >>> import numpy as np
        >>> rows = Training(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]), ("number",))
        >>> round(fit(rows, {"alpha": 1e-9}, 7).predictor.score_row([3.0]), 3)
        7.0
    """
    design = Design(training)
    solver = Ridge(alpha=float(params["alpha"]), solver="sparse_cg", tol=1e-10, random_state=seed)
    solver.fit(design.rows, training.labels)
    predictor = LinearPredictor(
        intercept=float(solver.intercept_), terms=design.terms(solver.coef_.ravel()), link="identity"
    )
    return Fitted(predictor=predictor, params=dict(params))
