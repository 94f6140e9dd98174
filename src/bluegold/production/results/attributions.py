"""Attributions: how much each feature moved a score, computed behind the decisions and never in a request.

A run takes the exported decisions that have none yet, all of them or a sample chosen by the decision's id, and writes
Shapley values of the margin (log-odds) beside them.  LightGBM's own ``pred_contrib`` is exact and slow; with the extra
``explain``, large batches go through WOODELF (Nadel & Wettenstein 2025), held against LightGBM on rows of every batch.
A linear model's attributions are its terms.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.core.errors import IntegrityError, ServingError
from bluegold.production.results.results_store import ResultsStore
from bluegold.registry.bundle import Bundle, load_bundle
from bluegold.registry.predictors.linear import CategoryTerm, LinearPredictor, NumberTerm
from bluegold.registry.registry import Registry

__all__ = ["Attributed", "attribute", "contributions"]

Matrix = NDArray[np.float64]
#: From so many rows on the fast way is faster.
MANY = 5_000
CHECKED = 32
TOGETHER = 65_536
READ = ["id", "at", "model", "version", "vector"]
#: The largest difference from the exact values that is rounding (float32 sums over trees).
ROUNDING = 1e-3


class _Linear(msgspec.Struct):
    intercept: float
    terms: tuple[NumberTerm | CategoryTerm, ...]


class Attributed(msgspec.Struct, frozen=True, kw_only=True):
    """What one run added: decisions explained, files, and the largest difference from the exact values."""

    rows: int
    files: int
    difference: float

    def and_then(self, more: Attributed) -> Attributed:
        """This run and what came after it."""
        return Attributed(
            rows=self.rows + more.rows,
            files=self.files + more.files,
            difference=max(self.difference, more.difference),
        )


def attribute(store: ResultsStore, registry: Registry, *, share: float = 1.0) -> Attributed:
    """Explain the exported decisions that have no attributions yet.

    Files are taken together, :data:`TOGETHER` rows at a time: a call costs as much for a few rows as for thousands.

    Args:
        store: where decisions are and attributions go.
        registry: where their versions are.
        share: which share of the decisions, chosen by their ids.

    Raises:
        StoreError: another process attributes.
        IntegrityError: the fast way and the exact one disagree.
        BluegoldError: a version cannot be loaded.
    """
    found = Attributed(rows=0, files=0, difference=0.0)
    with store.attributions.writing():
        queue = _Queue(store, registry)
        done, away = store.attributions.positions, store.decisions.away
        for part in (part for batch in store.decisions.batches for part in batch.parts):
            if part.path in done or part.path in away:
                continue
            queue.put(part.path, pl.read_parquet(store.decisions.root / part.path, columns=READ).filter(_chosen(share)))
            if queue.rows >= TOGETHER:
                found = found.and_then(queue.flush())
        return found.and_then(queue.flush())


class _Queue:
    """Decisions that wait to be explained, by version."""

    def __init__(self, store: ResultsStore, registry: Registry) -> None:
        self._store, self._registry = store, registry
        self._waiting: dict[str, list[tuple[str, pl.DataFrame]]] = {}
        self._bundles: dict[str, Bundle] = {}
        self.rows = 0

    def put(self, path: str, frame: pl.DataFrame) -> None:
        """Add one file's decisions."""
        if frame.height:
            self._waiting.setdefault(f"{frame['model'][0]}:{frame['version'][0]}", []).append((path, frame))
            self.rows += frame.height

    def flush(self) -> Attributed:
        """Explain what waits and write it down, version by version."""
        rows = files = 0
        worst = 0.0
        for ref, waiting in self._waiting.items():
            if ref not in self._bundles:
                self._bundles[ref] = load_bundle(self._registry, ref)
            explained, difference = _explained(self._bundles[ref], pl.concat([frame for _, frame in waiting]))
            folders: dict[str, list[pl.DataFrame]] = {}
            done: dict[str, int] = {}
            at = 0
            for path, frame in waiting:
                folders.setdefault(path.rpartition("/")[0], []).append(explained.slice(at, frame.height))
                done[path] = frame.height
                at += frame.height
            batch = self._store.attributions.add({folder: pl.concat(some) for folder, some in folders.items()}, done)
            rows, files, worst = rows + at, files + len(batch.parts), max(worst, difference)
        self._waiting.clear()
        self.rows = 0
        return Attributed(rows=rows, files=files, difference=worst)


def contributions(bundle: Bundle, matrix: Matrix) -> tuple[Matrix, float]:
    """Attributions (n, features + 1), the last column what a row without features scores; and the difference found.

    Raises:
        ServingError: models of this family cannot be explained so.
        IntegrityError: the fast way and the exact one disagree.
    """
    predictor: Any = getattr(bundle.predictor, "inner", bundle.predictor)  # a calibration changes no feature's part
    if isinstance(predictor, LinearPredictor):
        model = msgspec.json.decode(predictor.dump(), type=_Linear)
        columns = [term.column(matrix[:, place]) for place, term in enumerate(model.terms)]
        return np.column_stack([*columns, np.full(len(matrix), model.intercept)]), 0.0
    if predictor.family != "lightgbm" or predictor.outputs != 1:
        raise ServingError(
            f"decisions of {bundle.ref} are not explained",
            why="attributions are known for LightGBM with one score and for linear models",
            way_out="explain another version",
        )
    import lightgbm

    booster = lightgbm.Booster(model_str=predictor.dump().decode())
    fast = _fast(booster) if len(matrix) >= MANY else None
    if fast is None:
        return np.asarray(booster.predict(matrix, pred_contrib=True)), 0.0
    places = np.linspace(0, len(matrix) - 1, CHECKED).astype(int)
    exact = np.asarray(booster.predict(matrix[places], pred_contrib=True))
    values = fast(matrix)
    difference = float(np.abs(values[places] - exact[:, :-1]).max())
    if difference > ROUNDING:
        raise IntegrityError(
            f"attributions of {bundle.ref} differ by {difference:.2g} from the exact ones",
            way_out="uninstall woodelf-explainer: LightGBM's own way is used then",
        )
    return np.column_stack((values, np.full(len(matrix), exact[0, -1]))), difference


def _fast(booster: Any) -> Callable[[Matrix], Matrix] | None:
    if importlib.util.find_spec("woodelf") is None:
        return None
    import pandas as pd
    from woodelf import WoodelfExplainer

    explainer = WoodelfExplainer(booster)

    def explain(matrix: Matrix) -> Matrix:
        found = explainer.shap_values(pd.DataFrame(matrix, columns=booster.feature_name()), verbose=False)
        return np.asarray(found, dtype=np.float64)

    return explain


def _explained(bundle: Bundle, frame: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    cells = frame["vector"].explode(empty_as_null=False).cast(pl.Float64)  # null is NaN in the matrix
    matrix = cells.to_numpy().reshape(frame.height, len(bundle.names))
    values, difference = contributions(bundle, matrix)
    columns = [pl.Series(f"a:{name}", values[:, place]) for place, name in enumerate(bundle.names)]
    base = pl.Series("a:base", values[:, -1])
    return frame.select("id", "at", "model", "version").with_columns(*columns, base), difference


def _chosen(share: float) -> pl.Expr:
    """Which decisions belong to the sample: the same ones whenever it is asked."""
    if share >= 1.0:
        return pl.lit(value=True)
    limit = int(share * 2**32)
    return pl.col("id").map_elements(
        lambda one: int.from_bytes(hashlib.sha256(one.encode()).digest()[:4], "big") < limit, return_dtype=pl.Boolean
    )
