"""Models of scikit-learn that serving runs through ONNX Runtime: trained here, converted, and held side by side.

The graph computes in float32.  So the model learns from values that were rounded to float32 already, and after the
conversion both are asked about the same rows: the largest difference of their scores and the decisions that flip are
recorded with the version, and a conversion that flips more than one decision in a thousand is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from bluegold.core.errors import DefinitionError, StageError
from bluegold.development.families.family import Fitted, Training
from bluegold.registry.predictors.onnx import KEY, OnnxFacts, OnnxPredictor
from bluegold.security.onnx_scan import scan_onnx

__all__ = [
    "FLIPS",
    "FOREST",
    "NETWORK",
    "compare",
    "fit_estimator",
    "fit_extra_trees",
    "fit_forest",
    "fit_network",
    "formless",
    "imputed",
    "sampled",
    "side_by_side",
    "signed",
]

FOREST: dict[str, Any] = {"n_estimators": 60, "max_depth": 10, "min_samples_leaf": 10, "max_features": 0.5}
NETWORK: dict[str, Any] = {"hidden": 32, "alpha": 1e-4, "learning_rate": 0.003, "max_iter": 60}
#: the largest tolerated share of decisions that the conversion changes
FLIPS = 0.001
ROWS = 10_000
OPSET = {"": 17, "ai.onnx.ml": 3}


def fit_forest(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """A random forest (Breiman 2001).

    Raises:
        DefinitionError: the conversion's libraries are not installed, or a parameter's value is refused.
        StageError: the converted model decides otherwise than the trained one.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    return fit_estimator(
        training, _trees(training, RandomForestClassifier, RandomForestRegressor, params, seed), params
    )


def fit_extra_trees(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """Extremely randomised trees (Geurts, Ernst & Wehenkel 2006).

    Raises:
        DefinitionError: the conversion's libraries are not installed, or a parameter's value is refused.
        StageError: the converted model decides otherwise than the trained one.
    """
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    return fit_estimator(training, _trees(training, ExtraTreesClassifier, ExtraTreesRegressor, params, seed), params)


def fit_network(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """A neural network with one hidden layer over standardised columns; categories enter as their codes.

    Raises:
        DefinitionError: the conversion's libraries are not installed, or a parameter's value is refused.
        StageError: the converted model decides otherwise than the trained one.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kind = MLPRegressor if training.task == "regression" else MLPClassifier
    network = kind(
        hidden_layer_sizes=(int(params["hidden"]),),
        alpha=float(params["alpha"]),
        learning_rate_init=float(params["learning_rate"]),
        max_iter=int(params["max_iter"]),
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the search judges the result, not the last digit
        return fit_estimator(training, make_pipeline(StandardScaler(), network), params)


def _trees(
    training: Training, classifier: Callable[..., Any], regressor: Callable[..., Any], params: dict[str, Any], seed: int
) -> Any:
    whole = {name: int(params[name]) for name in ("n_estimators", "max_depth", "min_samples_leaf")}
    kind = regressor if training.task == "regression" else classifier
    return kind(**whole, max_features=float(params["max_features"]), random_state=seed, n_jobs=1)


def fit_estimator(training: Training, model: Any, params: dict[str, Any]) -> Fitted:
    """Train an estimator on imputed float32 values, convert it, and hold both forms side by side.

    Args:
        training: rows and labels.
        model: an untrained classifier with ``predict_proba``, or a regressor.
        params: what the model is known by.

    Raises:
        DefinitionError: the conversion's libraries are not installed, the model refuses a parameter's value, or it has
            no ONNX form that may be served.
        StageError: the converted model decides otherwise than the trained one.
    """
    impute, rows = imputed(training.matrix)
    labels = training.labels.astype(np.int64) if training.task == "binary" else training.labels
    try:
        model.fit(rows, labels)
    except ValueError as error:
        raise DefinitionError(
            f"{_name(model)} refuses its parameters",
            why=str(error)[:300],
            way_out="correct the values in system.model(...)",
        ) from error
    facts = OnnxFacts(impute=tuple(impute.tolist()), **_shape(training, model))
    sample = sampled(rows)
    native = model.predict(sample) if training.task == "regression" else model.predict_proba(sample)
    return side_by_side(_name(model), lambda given: _converted(model, given), facts, (sample, native), params)


def imputed(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What stands in for a missing number, one a column (its median), and the rows with it, rounded to float32.

    Example:
        >>> impute, rows = imputed(np.array([[1.0], [np.nan], [3.0]]))
        >>> impute.tolist(), rows.tolist()
        ([2.0], [[1.0], [2.0], [3.0]])
    """
    known = np.where(np.isfinite(matrix), matrix, np.nan)
    impute = np.array([float(np.median(c[~np.isnan(c)])) if not np.isnan(c).all() else 0.0 for c in known.T])
    return impute, np.where(np.isnan(known), impute, known).astype(np.float32).astype(np.float64)


def sampled(rows: np.ndarray) -> np.ndarray:
    """The rows that both forms of a model are asked about: at most 10,000, evenly spread."""
    chosen = np.linspace(0, len(rows) - 1, min(ROWS, len(rows))).astype(int)
    found: np.ndarray = rows[chosen]
    return found


def side_by_side(
    name: str,
    convert: Callable[[OnnxFacts], bytes],
    facts: OnnxFacts,
    asked: tuple[np.ndarray, np.ndarray],
    params: dict[str, Any],
) -> Fitted:
    """The converted model, held against the trained one.

    Args:
        name: of the model, for messages.
        convert: makes the file that carries the facts.
        facts: how rows become its input.
        asked: rows, and what the trained model says of them.
        params: what the model is known by.

    Raises:
        StageError: more than one decision in a thousand flips.
    """
    sample, native = asked
    predictor = OnnxPredictor(convert(facts))
    if not _same_alone(predictor, sample[:256]):
        facts = msgspec.structs.replace(facts, alone=True)
        predictor = OnnxPredictor(convert(facts))
    found = compare(native, predictor.scores(sample), facts)
    if found["flipped_share"] > FLIPS:
        raise StageError(
            f"the ONNX form of {name} decides otherwise than the trained model",
            why=f"{found['flipped_share']:.2%} of {found['rows']:,} decisions flip, {FLIPS:.2%} are tolerated",
            way_out="use a smaller model, or the family lightgbm or xgboost, which are served natively",
        )
    return Fitted(predictor=predictor, params=dict(params), facts={"conversion": found})


def compare(native: np.ndarray, served: np.ndarray, facts: OnnxFacts) -> dict[str, Any]:
    """What the conversion to float32 changed.

    Args:
        native: scores of the trained model, (n,) numbers or (n, classes seen).
        served: scores of the converted one.
        facts: what the columns are.

    Example:
        >>> facts = OnnxFacts(impute=(0.0,), outputs=1, columns=(1,))
        >>> found = compare(np.array([[0.4, 0.6], [0.6, 0.4]]), np.array([0.6, 0.5]), facts)
        >>> found["flipped"], round(found["largest_difference"], 3)
        (1, 0.1)
    """
    if native.ndim == 1:
        scale = float(native.std()) or 1.0
        difference = np.abs(native - served) / scale
        flipped = int((difference > 0.01).sum())
    elif facts.outputs == 1:
        difference = np.abs(native[:, facts.columns[0]] - served)
        flipped = int(((native[:, facts.columns[0]] >= 0.5) != (served >= 0.5)).sum())
    else:
        difference = np.abs(native - served[:, list(facts.columns)])
        flipped = int((native.argmax(axis=1) != served[:, list(facts.columns)].argmax(axis=1)).sum())
    return {
        "rows": len(native),
        "largest_difference": float(difference.max()),
        "flipped": flipped,
        "flipped_share": flipped / len(native),
        "tolerated_share": FLIPS,
        "computes_in": "float32",
        "row_by_row": facts.alone,
    }


def _name(model: Any) -> str:
    return type(getattr(model, "_final_estimator", model)).__name__


def _shape(training: Training, model: Any) -> dict[str, Any]:
    if training.task == "regression":
        return {"outputs": 1, "columns": (0,)}
    if training.task == "binary":
        return {"outputs": 1, "columns": (1,)}
    return {"outputs": len(training.rule.labels), "columns": tuple(int(label) for label in model.classes_)}


def _same_alone(predictor: OnnxPredictor, rows: np.ndarray) -> bool:
    """Whether a batch gives each row the bits that it gets alone."""
    alone = np.array([predictor.score_row(row) for row in rows.tolist()])
    return bool((predictor.scores(rows) == alone).all())


def _converted(model: Any, facts: OnnxFacts) -> bytes:
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError as error:
        raise DefinitionError(
            f"{_name(model)} cannot be converted for serving",
            why=f"{error.name} is not installed",
            way_out='pip install "bluegold[onnx]"',
        ) from error
    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    shape = [("rows", FloatTensorType([None, len(facts.impute)]))]
    try:
        made = to_onnx(model, initial_types=shape, options=options, target_opset=OPSET)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise formless(_name(model), f"{type(error).__name__}: {str(error).strip()[-200:]}") from error
    return signed(_name(model), made, facts)


def signed(name: str, made: Any, facts: OnnxFacts) -> bytes:
    """An ONNX model with its facts inside, as the bytes that are served.

    Args:
        name: of the trained model, for messages.
        made: an ``onnx.ModelProto``.
        facts: how rows become its input.

    Raises:
        DefinitionError: the graph may not be served.
    """
    entry = made.metadata_props.add()
    entry.key, entry.value = KEY, msgspec.json.encode(facts).decode()
    data: bytes = made.SerializeToString(deterministic=True)
    problem = scan_onnx(data)
    if problem:
        raise formless(name, problem)
    return data


def formless(name: str, why: str) -> DefinitionError:
    """The refusal of a model that ONNX cannot say, or not safely."""
    return DefinitionError(
        f"{name} has no ONNX form that may be served",
        why=why,
        way_out="use an estimator that skl2onnx supports, or the family lightgbm or xgboost, which are served natively",
    )
