"""Logistic regression with an L2 penalty: numbers standardised, categories one-hot, missing values marked."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from bluegold.development.families.design import Design
from bluegold.development.families.family import Fitted, Training
from bluegold.registry.predictors.linear import LinearPredictor
from bluegold.registry.predictors.softmax import SoftmaxPredictor

__all__ = ["ALIASES", "DEFAULTS", "fit"]

DEFAULTS: dict[str, Any] = {"C": 1.0, "max_iter": 200}
ALIASES: dict[str, str] = {"c": "C"}

#: the margin of a class that the training rows do not show
ABSENT = -30.0


def fit(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """Train one model; it does not watch, because its parameters do not depend on when it stops.

    Args:
        training: rows and labels of two or more classes.
        params: all of :data:`DEFAULTS`.
        seed: unused by this solver, which makes no random choice; taken so that families are alike.

    Example:
        >>> rows = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> fitted = fit(Training(rows, np.array([False, False, True, True]), ("number",)), DEFAULTS, 7)
        >>> bool(fitted.predictor.score_row([3.0]) > 0.5)
        True
    """
    design = Design(training)
    solver = LogisticRegression(C=float(params["C"]), max_iter=int(params["max_iter"]), tol=1e-4, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the search judges the result, not the last digit
        solver.fit(design.rows, training.labels)
    if training.task == "binary":
        predictor = LinearPredictor(intercept=float(solver.intercept_[0]), terms=design.terms(solver.coef_[0]))
        return Fitted(predictor=predictor, params=dict(params))
    weights, intercepts = solver.coef_, solver.intercept_
    if len(solver.classes_) == 2:  # scikit-learn gives the second class's margin only
        weights, intercepts = np.vstack([0.0 * weights, weights]), np.concatenate([[0.0], intercepts])
    place = {int(label): row for row, label in enumerate(solver.classes_)}
    margins = [
        LinearPredictor(
            intercept=float(intercepts[place[label]]), terms=design.terms(weights[place[label]]), link="identity"
        )
        if label in place
        else LinearPredictor(intercept=ABSENT, terms=design.terms(0.0 * weights[0]), link="identity")
        for label in range(len(training.rule.labels))
    ]
    return Fitted(predictor=SoftmaxPredictor(margins), params=dict(params))
