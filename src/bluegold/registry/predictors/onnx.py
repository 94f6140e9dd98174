"""Models through ONNX Runtime: what another library trained, as one file that needs none of it.

Everything travels in the file: the graph, and beside it (in its metadata) how a row of the feature matrix becomes the
graph's input.  Imputation happens in float64 and is rounded to float32 once, for a batch as for a row.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bluegold.core.errors import DataError, RegistryError, ServingError
from bluegold.registry.predictors.protocol import Score

__all__ = ["KEY", "OnnxFacts", "OnnxPredictor"]

#: the entry of the file's metadata that holds :class:`OnnxFacts`
KEY = "bluegold"
#: rows that are scored at a time, so that memory stays bounded
BLOCK = 8192
#: the largest number that float32 can say
LARGEST = float(np.finfo(np.float32).max)


class OnnxFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How rows become the graph's input, and its output the scores.

    Args:
        impute: what stands in for a missing number, one a column.
        outputs: 1, or the number of classes.
        columns: the class of each column of the graph's output; for one output the column to take.
        alone: whether a batch is scored row by row, because the graph gives other bits for many rows than for one.
    """

    impute: tuple[float, ...]
    outputs: int
    columns: tuple[int, ...]
    alone: bool = False


class OnnxPredictor:
    """A model in ONNX format; one thread a call, so that equal rows give equal bits.

    Args:
        data: the file.

    Raises:
        RegistryError: the bytes are no such model, or it carries no facts.
        ServingError: ONNX Runtime is not installed.
    """

    family = "onnx"

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._session = _session(data)
        try:
            text = self._session.get_modelmeta().custom_metadata_map[KEY]
            self.facts = msgspec.json.decode(text, type=OnnxFacts)
        except (KeyError, msgspec.MsgspecError) as error:
            raise RegistryError(
                "this ONNX model does not say how rows become its input",
                why=str(error),
                way_out="develop it with one of the families",
            ) from error
        self.shares = not self.facts.alone
        self.width, self.outputs = len(self.facts.impute), self.facts.outputs
        self._input = self._session.get_inputs()[0].name
        self._wanted = [self._session.get_outputs()[-1].name]
        self._impute = np.array(self.facts.impute, dtype=np.float64)

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities or numbers (n,), or (n, outputs) for several classes, of a matrix (n, width).

        Raises:
            DataError: the matrix has another width.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise DataError(
                f"a matrix of shape {matrix.shape} does not fit", why=f"the model takes {self.width} columns"
            )
        size = 1 if self.facts.alone else BLOCK
        parts = [self._run(matrix[first : first + size]) for first in range(0, len(matrix), size)]
        if not parts:
            return np.empty((0,) if self.outputs == 1 else (0, self.outputs))
        return np.concatenate(parts)

    def score_row(self, row: Sequence[float]) -> Score:
        """The probability or number of one row, or its probabilities, one a class.

        Raises:
            DataError: the row has another length.
        """
        if len(row) != self.width:
            raise DataError(f"a row of {len(row)} values does not fit", why=f"the model takes {self.width}")
        said = self._run(np.array([row], dtype=np.float64))[0]
        return float(said) if self.outputs == 1 else tuple(said.tolist())

    def dump(self) -> bytes:
        """The model as it was given."""
        return self._data

    def _run(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        filled = np.where(np.isfinite(rows), rows, self._impute)
        narrow = np.clip(filled, -LARGEST, LARGEST).astype(np.float32)
        try:
            [said] = self._session.run(self._wanted, {self._input: narrow})
        except _faults() as error:
            raise ServingError("ONNX Runtime failed", why=str(error)[:300]) from error
        found = np.asarray(said, dtype=np.float64).reshape(len(rows), -1)
        if self.outputs == 1:
            return found[:, self.facts.columns[0]]
        scores = np.zeros((len(rows), self.outputs))
        scores[:, list(self.facts.columns)] = found
        return scores


@functools.cache
def _faults() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: classes of its own without a common base, by their names in its interface."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("EPFail", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented")
    return (RuntimeError, ValueError, state.RuntimeException, *(getattr(state, name) for name in names))


def _session(data: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ServingError("ONNX Runtime is not installed", way_out='pip install "bluegold[onnx]"') from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.use_deterministic_compute = True
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except _faults() as error:
        raise RegistryError("this is no ONNX model", why=str(error)[:300], way_out="register it again") from error
