"""LightGBM through its C interface: the library that trained answers, without its Python package.

The shared library is found beside the package, which is never imported, so that a serving process loads neither
pandas nor scikit-learn.  Source: LightGBM C API, https://lightgbm.readthedocs.io/en/stable/C-API.html
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegold.core.errors import DataError, RegistryError, ServingError
from bluegold.registry.predictors.protocol import Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["OBJECTIVES", "LightgbmPredictor", "library_path"]

#: What a model may have been trained for.
OBJECTIVES = ("binary", "multiclass", "regression")

_FLOAT64, _ROW_MAJOR, _PROBABILITY = 1, 1, 0
_ALL_TREES = (0, -1)
_OBJECTIVE = re.compile(rb"\nobjective=(\w+)")
_NAMES = ("lib_lightgbm.so", "lib_lightgbm.dylib", "lib_lightgbm.dll")


def library_path() -> Path:
    """Where LightGBM's shared library is.

    Raises:
        ServingError: LightGBM is not installed.

    Example:
        >>> library_path().stem
        'lib_lightgbm'
    """
    spec = importlib.util.find_spec("lightgbm")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for path in (Path(root) / folder / name for folder in ("lib", "bin", ".") for name in _NAMES):
            if path.is_file():
                return path
    raise ServingError("LightGBM's shared library was not found", way_out="pip install lightgbm")


@functools.cache
def _libraries() -> tuple[Any, Any]:
    """The library twice: calls through the first let other threads run, calls through the second do not.

    A row takes a few microseconds, less than handing the interpreter over and taking it back.
    """
    path = str(library_path())
    try:
        free, held = ctypes.CDLL(path), ctypes.PyDLL(path)
    except OSError as error:
        raise ServingError(
            "LightGBM's shared library cannot be loaded", why=str(error), way_out="install libgomp (the OpenMP runtime)"
        ) from error
    free.LGBM_GetLastError.restype = ctypes.c_char_p
    pointer, number = ctypes.c_void_p, ctypes.c_int
    held.LGBM_BoosterPredictForMatSingleRowFast.argtypes = [pointer, ctypes.c_char_p, pointer, pointer]
    free.LGBM_BoosterPredictForMat.argtypes = [
        pointer,
        pointer,
        number,
        ctypes.c_int32,
        ctypes.c_int32,
        number,
        number,
        number,
        number,
        ctypes.c_char_p,
        pointer,
        pointer,
    ]
    return free, held


def _call(function: str, *arguments: Any) -> None:
    free, _ = _libraries()
    if getattr(free, function)(*arguments) != 0:
        raise RegistryError(
            "LightGBM refuses the model or the data",
            why=free.LGBM_GetLastError().decode(errors="replace"),
            way_out="register the model again",
        )


class LightgbmPredictor:
    """A LightGBM model in its native text format: a probability, a probability a class, or a number.

    ``score_row`` and ``scores`` give the bits that ``lightgbm.Booster.predict`` gives.  Threads may share an
    instance: a row is scored without releasing the interpreter lock and into memory of its own, a batch takes
    LightGBM's own shared lock.

    Args:
        data: the text that ``Booster.save_model`` or ``model_to_string`` writes.

    Raises:
        RegistryError: the text is no such model, or its objective is not one of :data:`OBJECTIVES`.
        ServingError: LightGBM is not installed.
    """

    family = "lightgbm"
    shares = False

    def __init__(self, data: bytes) -> None:
        if not data.startswith(b"tree\n") or b"\x00" in data:
            raise RegistryError(
                "this is no LightGBM model", why="it does not start with 'tree'", way_out="train it again"
            )
        self._data = data
        self._booster, self._fast = ctypes.c_void_p(), ctypes.c_void_p()
        iterations = ctypes.c_int()
        _call("LGBM_BoosterLoadModelFromString", data, ctypes.byref(iterations), ctypes.byref(self._booster))
        classes, width = ctypes.c_int(), ctypes.c_int()
        _call("LGBM_BoosterGetNumClasses", self._booster, ctypes.byref(classes))
        _call("LGBM_BoosterGetNumFeature", self._booster, ctypes.byref(width))
        objective = _OBJECTIVE.search(data)
        if objective is None or objective[1].decode() not in OBJECTIVES:
            raise RegistryError(
                "this LightGBM model gives no probability and no number",
                why=f"its objective is not one of {', '.join(OBJECTIVES)}",
                way_out="train it with objective='binary'",
            )
        self.width, self.outputs = width.value, classes.value
        _call(
            "LGBM_BoosterPredictForMatSingleRowFastInit",
            self._booster,
            _PROBABILITY,
            *_ALL_TREES,
            _FLOAT64,
            ctypes.c_int32(self.width),
            b"num_threads=1",
            ctypes.byref(self._fast),
        )
        self._pack = struct.Struct(f"{self.width}d").pack
        self._predict = _libraries()[1].LGBM_BoosterPredictForMatSingleRowFast
        self._result = ctypes.c_double * self.outputs
        self._length = ctypes.c_int64()
        self._length_at = ctypes.addressof(self._length)

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities or numbers (n,), or (n, outputs) for several classes, of a matrix (n, width).

        Raises:
            DataError: the matrix has another width.
        """
        import numpy as np

        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise DataError(
                f"a matrix of shape {matrix.shape} does not fit", why=f"the model takes {self.width} columns"
            )
        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        result = np.empty(len(rows) if self.outputs == 1 else (len(rows), self.outputs), dtype=np.float64)
        if not len(rows):
            return result
        length = ctypes.c_int64()
        _call(
            "LGBM_BoosterPredictForMat",
            self._booster,
            rows.ctypes.data,
            _FLOAT64,
            len(rows),
            self.width,
            _ROW_MAJOR,
            _PROBABILITY,
            *_ALL_TREES,
            b"",
            ctypes.addressof(length),
            result.ctypes.data,
        )
        return result

    def score_row(self, row: Sequence[float]) -> Score:
        """The probability or number of one row, or its probabilities, one a class.

        Raises:
            DataError: the row has another length or holds something that is no number.
        """
        try:
            packed = self._pack(*row)
        except (struct.error, TypeError) as error:
            raise DataError(
                f"a row of {len(row)} values does not fit", why=f"the model takes {self.width} numbers ({error})"
            ) from error
        result = self._result()
        if self._predict(self._fast, packed, self._length_at, ctypes.addressof(result)) != 0:
            raise ServingError("LightGBM failed", why=_libraries()[0].LGBM_GetLastError().decode(errors="replace"))
        return result[0] if self.outputs == 1 else tuple(result)

    def dump(self) -> bytes:
        """The model as it was given."""
        return self._data

    def __del__(self) -> None:
        free, _ = _libraries()
        if getattr(self, "_fast", None):
            free.LGBM_FastConfigFree(self._fast)
        if getattr(self, "_booster", None):
            free.LGBM_BoosterFree(self._booster)
