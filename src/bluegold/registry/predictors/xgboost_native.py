"""XGBoost through its C interface: the library that trained answers, without its Python package.

The shared library is found beside the package, which is never imported, so that a serving process loads neither
pandas nor scikit-learn.  Source: XGBoost C API, https://xgboost.readthedocs.io/en/stable/c.html
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import math
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bluegold.core.errors import DataError, RegistryError, ServingError
from bluegold.registry.predictors.protocol import Score

__all__ = ["OBJECTIVES", "XgboostPredictor", "xgboost_library"]

#: what a model may have been trained for
OBJECTIVES = ("binary:logistic", "multi:softprob", "reg:squarederror")
#: the largest number that float32 can say
LARGEST = float(np.finfo(np.float32).max)

_NAMES = ("libxgboost.so", "libxgboost.dylib", "xgboost.dll")
_ASK = (
    b'{"type": 0, "training": false, "iteration_begin": 0, "iteration_end": 0, "strict_shape": false,'
    b' "missing": NaN, "cache_id": 0}'
)


def xgboost_library() -> Path:
    """Where XGBoost's shared library is.

    Raises:
        ServingError: XGBoost is not installed.

    Example:
        >>> try:
        ...     name = xgboost_library().stem
        ... except ServingError as error:
        ...     name = "libxgboost" if "bluegold[xgboost]" in error.way_out else ""
        >>> name
        'libxgboost'
    """
    spec = importlib.util.find_spec("xgboost")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for path in (Path(root) / "lib" / name for name in _NAMES):
            if path.is_file():
                return path
    raise ServingError("XGBoost's shared library was not found", way_out='pip install "bluegold[xgboost]"')


@functools.cache
def _library() -> Any:
    try:
        library = ctypes.CDLL(str(xgboost_library()))
    except OSError as error:
        raise ServingError(
            "XGBoost's shared library cannot be loaded", why=str(error), way_out="install libgomp (the OpenMP runtime)"
        ) from error
    library.XGBGetLastError.restype = ctypes.c_char_p
    library.XGBoosterPredictFromDense.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        *[ctypes.c_void_p] * 4,
    ]
    return library


def _call(function: str, *arguments: Any) -> None:
    library = _library()
    if getattr(library, function)(*arguments) != 0:
        raise RegistryError(
            "XGBoost refuses the model or the data",
            why=library.XGBGetLastError().decode(errors="replace").strip().splitlines()[0][:300],
            way_out="register the model again",
        )


class _Objective(msgspec.Struct):
    name: str


class _Shape(msgspec.Struct):
    num_class: str
    num_feature: str


class _Learner(msgspec.Struct):
    objective: _Objective
    learner_model_param: _Shape


class _File(msgspec.Struct):
    learner: _Learner


class XgboostPredictor:
    """An XGBoost model in its JSON format: a probability, a probability a class, or a number.

    Values are rounded to float32, which is what the trees compare; ``score_row`` and ``scores`` then give the bits
    that ``xgboost.Booster.predict`` gives.  A code below zero (an unknown category) counts as missing for a category.
    Threads may share an instance: each has its own place for a row and for the answer.

    Args:
        data: the text that ``Booster.save_raw("json")`` gives.

    Raises:
        RegistryError: the text is no such model, or its objective is not one of :data:`OBJECTIVES`.
        ServingError: XGBoost is not installed.
    """

    family = "xgboost"
    shares = True

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._booster = ctypes.c_void_p()
        try:
            learner = msgspec.json.decode(data, type=_File).learner
            self.width, classes = (
                int(learner.learner_model_param.num_feature),
                int(learner.learner_model_param.num_class),
            )
        except (msgspec.MsgspecError, ValueError) as error:
            raise RegistryError("this is no XGBoost model", why=str(error)[:300], way_out="train it again") from error
        if learner.objective.name not in OBJECTIVES:
            raise RegistryError(
                "this XGBoost model gives no probability and no number",
                why=f"its objective '{learner.objective.name}' is not one of {', '.join(OBJECTIVES)}",
                way_out="train it with one of these objectives",
            )
        self.outputs = max(classes, 1)
        _call("XGBoosterCreate", None, ctypes.c_uint64(0), ctypes.byref(self._booster))
        _call("XGBoosterLoadModelFromBuffer", self._booster, data, ctypes.c_uint64(len(data)))
        _call("XGBoosterSetParam", self._booster, b"nthread", b"1")
        self._categories = self._category_columns()
        self._desks = threading.local()

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities or numbers (n,), or (n, outputs) for several classes, of a matrix (n, width).

        Raises:
            DataError: the matrix has another width.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise DataError(
                f"a matrix of shape {matrix.shape} does not fit", why=f"the model takes {self.width} columns"
            )
        wide = np.clip(matrix, -LARGEST, LARGEST)
        for column in self._categories:
            wide[:, column] = np.where(wide[:, column] < 0, np.nan, wide[:, column])
        rows = np.ascontiguousarray(wide, dtype=np.float32)
        if not len(rows):
            return np.empty((0,) if self.outputs == 1 else (0, self.outputs))
        answer = _Answer()
        answer.ask(self._booster, _described(rows.ctypes.data, *rows.shape))
        found = np.ctypeslib.as_array(answer.values, (len(rows) * self.outputs,)).astype(np.float64)
        return found if self.outputs == 1 else found.reshape(len(rows), self.outputs)

    def score_row(self, row: Sequence[float]) -> Score:
        """The probability or number of one row, or its probabilities, one a class.

        Raises:
            DataError: the row has another length or holds something that is no number.
        """
        desk: _Desk | None = getattr(self._desks, "mine", None)
        if desk is None:
            desk = self._desks.mine = _Desk(self.width, self._categories)
        values = desk.ask(self._booster, row)
        return values[0] if self.outputs == 1 else tuple(values[: self.outputs])

    def dump(self) -> bytes:
        """The model as it was given."""
        return self._data

    def _category_columns(self) -> tuple[int, ...]:
        length, names = ctypes.c_uint64(), ctypes.POINTER(ctypes.c_char_p)()
        _call("XGBoosterGetStrFeatureInfo", self._booster, b"feature_type", ctypes.byref(length), ctypes.byref(names))
        return tuple(place for place in range(length.value) if names[place] == b"c")

    def __del__(self) -> None:
        if getattr(self, "_booster", None):
            _library().XGBoosterFree(self._booster)


class _Answer:
    """Where XGBoost says how many numbers it found and where they are; they are its own, until it is asked again."""

    def __init__(self) -> None:
        self.values = ctypes.POINTER(ctypes.c_float)()
        self._shape, self._dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        places = (self._shape, self._dimensions, self.values)
        self._places = tuple(ctypes.addressof(place) for place in places)

    def ask(self, booster: ctypes.c_void_p, rows: bytes) -> None:
        if _library().XGBoosterPredictFromDense(booster, rows, _ASK, None, *self._places) != 0:
            said = _library().XGBGetLastError().decode(errors="replace").strip()
            raise ServingError("XGBoost failed", why=said[:300])


class _Desk:
    """One thread's place for a row, described once."""

    def __init__(self, width: int, categories: tuple[int, ...]) -> None:
        self._width, self._categories = width, categories
        self._row = (ctypes.c_float * width)()
        self._pack = struct.Struct(f"{width}f").pack_into
        self._described = _described(ctypes.addressof(self._row), 1, width)
        self._answer = _Answer()

    def ask(self, booster: ctypes.c_void_p, row: Sequence[float]) -> Any:
        if len(row) != self._width:
            raise DataError(f"a row of {len(row)} values does not fit", why=f"the model takes {self._width}")
        values = [min(max(value, -LARGEST), LARGEST) if value == value else value for value in row]  # noqa: PLR0124 - NaN
        for column in self._categories:
            if values[column] < 0:
                values[column] = math.nan
        try:
            self._pack(self._row, 0, *values)
        except (struct.error, TypeError) as error:
            raise DataError("a row holds something that is no number", why=str(error)) from error
        self._answer.ask(booster, self._described)
        return self._answer.values


def _described(address: int, rows: int, width: int) -> bytes:
    """Rows of float32 in memory, as NumPy's array interface says it."""
    return msgspec.json.encode({"data": [address, True], "shape": [rows, width], "typestr": "<f4", "version": 3})
