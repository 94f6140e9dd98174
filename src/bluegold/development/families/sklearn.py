"""Any classifier or regressor of scikit-learn that ONNX can say: ``system.model("sklearn", estimator=...)``.

The estimator may be a pipeline.  Its parameters may be searched under their scikit-learn names, for example
``search={"alpha": (0.1, 1.0)}`` or ``{"svc__C": ...}``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from bluegold.core.errors import DefinitionError
from bluegold.development.families.family import Fitted, Training
from bluegold.development.families.recipe import built, recipe
from bluegold.development.families.through_onnx import fit_estimator
from bluegold.registry.rule import Task

__all__ = ["fit", "settle"]


def settle(given: Mapping[str, Any], numbers: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG001 - one signature for every family
    """The parameters of one configuration as plain data: the recipe of an untrained estimator.

    Args:
        given: ``estimator``, and values for parameters of it.
        numbers: unused: the estimator judges its own parameters.

    Raises:
        DefinitionError: there is no estimator, it cannot be written down, or it has no such parameter.

    Example:
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> settle({"estimator": DecisionTreeClassifier(), "max_depth": 3}, dict)["estimator"]["params"]["max_depth"]
        3
    """
    if "estimator" not in given or not hasattr(given["estimator"], "get_params"):
        raise DefinitionError(
            "model family 'sklearn' needs an estimator",
            way_out="for example system.model('sklearn', estimator=GradientBoostingClassifier())",
            subject="sklearn",
        )
    estimator = built(recipe(given["estimator"]))
    try:
        estimator.set_params(**{key: value for key, value in given.items() if key != "estimator"})
    except (ValueError, AttributeError, TypeError) as error:
        raise DefinitionError(
            f"the estimator {type(estimator).__name__} does not have that parameter",
            why=str(error)[:300],
            way_out="name parameters as its get_params() does, a part's as part__name",
            subject="sklearn",
        ) from error
    return {"estimator": recipe(estimator)}


def fit(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """Train one estimator; every ``random_state`` that is None becomes the seed.

    Raises:
        DefinitionError: the conversion's libraries are not installed, the estimator does not fit the task, refuses
            its parameters or has no ONNX form that may be served.
        StageError: the converted model decides otherwise than the trained one.
    """
    from sklearn.base import is_classifier, is_regressor
    from sklearn.exceptions import ConvergenceWarning

    model = built(params["estimator"])
    _fits(model, training.task, classifier=is_classifier(model), regressor=is_regressor(model))
    unset = [name for name, value in model.get_params().items() if name.endswith("random_state") and value is None]
    model.set_params(**dict.fromkeys(unset, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the search judges the result, not the last digit
        return fit_estimator(training, model, params)


def _fits(model: Any, task: Task, *, classifier: bool, regressor: bool) -> None:
    problem, way_out = "", ""
    if task == "regression" and not regressor:
        problem, way_out = "it is no regressor", "give one, for example GradientBoostingRegressor()"
    elif task != "regression" and not classifier:
        problem, way_out = "it is no classifier", "give one, for example GradientBoostingClassifier()"
    elif task != "regression" and not hasattr(model, "predict_proba"):
        problem, way_out = "it gives no probabilities", "wrap it in CalibratedClassifierCV, or give one that does"
    if problem:
        raise DefinitionError(
            f"{type(model).__name__} does not learn a {task} target", why=problem, way_out=way_out, subject="sklearn"
        )
