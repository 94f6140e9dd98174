"""Neural networks of PyTorch: a small one of our own, or the user's ``nn.Module``, served through ONNX Runtime.

``system.model("torch", hidden=64)`` trains a perceptron; ``system.model("torch", module=net)`` trains a module that
takes (n, columns) float32 and gives (n, 1) margins or numbers, or (n, classes) margins.  Columns are standardised and
the link (sigmoid, softmax) is added; both travel inside the graph.  Weights are drawn anew from the run's seed.
"""

from __future__ import annotations

import copy
import hashlib
import io
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bluegold.core.errors import DefinitionError
from bluegold.development.families.family import Fitted, Training
from bluegold.development.families.through_onnx import imputed, sampled, side_by_side, signed
from bluegold.registry.predictors.onnx import OnnxFacts

__all__ = ["DEFAULTS", "fit", "settle"]

DEFAULTS: dict[str, Any] = {
    "hidden": 32,
    "layers": 2,
    "learning_rate": 0.003,
    "weight_decay": 1e-4,
    "epochs": 30,
    "batch_size": 256,
}
PATIENCE = 5
OPSET = 17

#: modules that systems of this process gave, by the digest of their architecture
_given: dict[str, Any] = {}
#: PyTorch's random state and thread count belong to the process: one training at a time
_turn = threading.Lock()


def settle(given: Mapping[str, Any], numbers: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """The parameters of one configuration as plain data; a module is known by the digest of its architecture.

    Args:
        given: parameters of :data:`DEFAULTS`, and ``module``.
        numbers: settles what are numbers.

    Raises:
        DefinitionError: ``module`` is no ``torch.nn.Module``, or a parameter is unknown.

    Example:
        >>> settle({"hidden": 8}, lambda given: {**DEFAULTS, **given})["hidden"]
        8
    """
    rest = {key: value for key, value in given.items() if key != "module"}
    if "module" not in given:
        return numbers(rest)
    module = given["module"]
    if not isinstance(module, _library().nn.Module):
        raise DefinitionError(
            f"'module' of model family 'torch' is of type {type(module).__name__}",
            way_out="give a torch.nn.Module, for example torch.nn.Sequential(...)",
            subject="torch",
        )
    shapes = [f"{name} {tuple(value.shape)}" for name, value in module.state_dict().items()]
    digest = hashlib.sha256("\n".join([str(module), *shapes]).encode()).hexdigest()
    _given[digest] = module
    return {**numbers(rest), "module": digest, "architecture": str(module)}


def fit(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """Train one network; with ``training.watch`` it stops when the watched loss no longer falls.

    Args:
        training: rows and labels.
        params: all of :data:`DEFAULTS`, and what :func:`settle` made of a module.
        seed: of the weights and of the order of rows.

    Raises:
        DefinitionError: PyTorch or ONNX is not installed, or the module does not fit the rows or has no ONNX form.
        StageError: the converted network decides otherwise than the trained one.
    """
    torch = _library()
    impute, rows = imputed(training.matrix)
    spread = rows.std(axis=0)
    scaling = rows.mean(axis=0), np.where(spread > 0.0, spread, 1.0)
    outputs = len(training.rule.labels) if training.task == "multiclass" else 1
    with _turn, torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its exporter announces its own successor
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            torch.manual_seed(seed)
            network = _Network(torch, _module(torch, params, (rows.shape[1], outputs)), scaling, training)
            epochs = network.learn(rows, params, impute)
            columns = tuple(range(outputs))
            facts = OnnxFacts(impute=tuple(impute.tolist()), outputs=outputs, columns=columns)
            sample = sampled(rows)
            native = network.said(sample)
            asked = sample, native.ravel() if training.task == "regression" else native
            fitted = side_by_side("the network", network.exported, facts, asked, {**params, "epochs": epochs})
        except (RuntimeError, IndexError, TypeError) as error:
            raise DefinitionError(
                "the module of model family 'torch' cannot be trained or converted",
                why=str(error).strip().splitlines()[0][:300],
                way_out=f"let it take ({rows.shape[1]} columns) float32 and give {outputs} numbers a row",
                subject="torch",
            ) from error
        finally:
            torch.set_num_threads(threads)
    return fitted


class _Network:
    """A module with its scaling and link, and how it learns."""

    def __init__(self, torch: Any, module: Any, scaling: tuple[np.ndarray, np.ndarray], training: Training) -> None:
        self._torch, self._training = torch, training
        target = training.labels.astype(np.float64)
        number = training.task == "regression"
        self._centre, self._scale = (float(target.mean()), float(target.std()) or 1.0) if number else (0.0, 1.0)
        self._body = _whole(torch, module, scaling, training.task, (self._centre, self._scale))

    def learn(self, rows: np.ndarray, params: dict[str, Any], impute: np.ndarray) -> int:
        """Train; how many passes over the rows there were up to the best one."""
        torch, body, training = self._torch, self._body, self._training
        inputs, wanted = self._tensors(rows, training.labels)
        watched = None
        if training.watch is not None:
            matrix, labels = training.watch
            known = labels >= 0 if training.task == "multiclass" else np.full(len(labels), fill_value=True)
            watched = self._tensors(np.where(np.isfinite(matrix), matrix, impute)[known], labels[known])
        solver = torch.optim.AdamW(
            body.parameters(), lr=float(params["learning_rate"]), weight_decay=float(params["weight_decay"])
        )
        best, kept, state = np.inf, int(params["epochs"]), None
        for epoch in range(1, int(params["epochs"]) + 1):
            self._pass(solver, inputs, wanted, int(params["batch_size"]))
            if watched is None:
                continue
            body.eval()
            with torch.no_grad():
                loss = float(self._loss(*watched))
            if loss < best:
                best, kept, state = loss, epoch, copy.deepcopy(body.state_dict())
            elif epoch - kept >= PATIENCE:
                break
        if state is not None:
            body.load_state_dict(state)
        body.eval()
        return kept

    def _pass(self, solver: Any, inputs: Any, wanted: Any, size: int) -> None:
        """Learn from every row once."""
        self._body.train()
        for part in self._torch.randperm(len(inputs)).split(size):
            if len(part) > 1:  # a layer that normalises over a batch needs two rows
                solver.zero_grad()
                self._loss(inputs[part], wanted[part]).backward()
                solver.step()

    def said(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities or numbers, (n, outputs)."""
        with self._torch.no_grad():
            found: np.ndarray = self._body(self._torch.from_numpy(rows.astype(np.float32))).numpy().astype(np.float64)
        return found

    def exported(self, facts: OnnxFacts) -> bytes:
        """The network in ONNX."""
        import onnx

        buffer = io.BytesIO()
        example = self._torch.zeros(2, len(facts.impute))
        self._torch.onnx.export(
            self._body,
            (example,),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=["rows"],
            output_names=["scores"],
            dynamic_axes={"rows": {0: "n"}, "scores": {0: "n"}},
        )
        return signed("the network", onnx.load_from_string(buffer.getvalue()), facts)

    def _tensors(self, rows: np.ndarray, labels: np.ndarray) -> tuple[Any, Any]:
        torch = self._torch
        if self._training.task == "multiclass":
            wanted = torch.from_numpy(labels.astype(np.int64))
        else:
            numbers = (labels.astype(np.float64) - self._centre) / self._scale
            wanted = torch.from_numpy(numbers.astype(np.float32))[:, None]
        return torch.from_numpy(rows.astype(np.float32)), wanted

    def _loss(self, rows: Any, wanted: Any) -> Any:
        functional = self._torch.nn.functional
        margins = self._body.margins(rows)
        if self._training.task == "regression":
            return functional.mse_loss(margins, wanted)
        if self._training.task == "binary":
            return functional.binary_cross_entropy_with_logits(margins, wanted)
        return functional.cross_entropy(margins, wanted)


def _whole(
    torch: Any, module: Any, scaling: tuple[np.ndarray, np.ndarray], task: str, target: tuple[float, float]
) -> Any:
    """The module between standardisation and link, as one module."""

    class Whole(torch.nn.Module):  # type: ignore[misc] # PyTorch is an extra: its types are not there
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            for name, values in zip(("mean", "scale"), scaling, strict=True):
                self.register_buffer(name, torch.from_numpy(values.astype(np.float32)))

        def margins(self, rows: Any) -> Any:
            return self.module((rows - self.mean) / self.scale)

        def forward(self, rows: Any) -> Any:
            found = self.margins(rows)
            if task == "binary":
                return torch.sigmoid(found)
            return torch.softmax(found, dim=1) if task == "multiclass" else found * target[1] + target[0]

    return Whole()


def _module(torch: Any, params: dict[str, Any], shape: tuple[int, int]) -> Any:
    if "module" in params:
        if params["module"] not in _given:
            raise DefinitionError(
                "the module of model family 'torch' is not there",
                why="its architecture is kept with the version, its code is not",
                way_out="load the system's definition first",
                subject="torch",
            )
        module = copy.deepcopy(_given[params["module"]])
        for part in module.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
        return module
    width, layers = shape[0], []
    for _ in range(int(params["layers"])):
        layers += [torch.nn.Linear(width, int(params["hidden"])), torch.nn.ReLU()]
        width = int(params["hidden"])
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, shape[1]))


def _library() -> Any:
    try:
        import onnx  # noqa: F401 - the conversion needs it as well
        import torch
    except ImportError as error:
        raise DefinitionError(
            "model family 'torch' cannot be trained here",
            why=f"{error.name} is not installed",
            way_out='pip install "bluegold[torch]"',
            subject="torch",
        ) from error
    return torch
