"""Data summary: what the data looks like, in numbers and pictures; the reference for drift."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from bluegold.core.nouns import Port, StageContract
from bluegold.development.plots import bars, heat, histogram
from bluegold.development.stage import StageContext
from bluegold.development.tables import matrix_of
from bluegold.development.tasks import kind_of
from bluegold.features.profile import profile

__all__ = ["CONTRACT", "READS", "correlations", "run"]

BINS = 24
MOST_FIGURES = 12
MOST_CORRELATED = 24

CONTRACT = StageContract(
    name="data_summary",
    section="S1",
    purpose="Describe features and label: statistics, correlations, class balance, plots, the profile for drift.",
    inputs=(
        Port(name="program", kind="model"),
        Port(name="quality", kind="report"),
        Port(name="train"),
        Port(name="validate"),
        Port(name="holdout"),
    ),
    outputs=(
        Port(name="summary", kind="report", description="statistics, correlations, balance, quality"),
        Port(name="profile", kind="model", description="feature distributions of training, the reference for drift"),
        Port(name="figures", kind="figure", description="histograms, correlations, class balance as SVG"),
    ),
    gate="none of its own: feeds gate 2 (profile) and gate 3 (quality)",
    owner="data science",
)
READS: tuple[str, ...] = ()
BALANCES = {
    "binary": "Share of positives by part",
    "multiclass": "Share of the commonest class by part",
    "regression": "Share above the median by part",
}


def correlations(matrix: np.ndarray) -> np.ndarray:
    """Pearson correlations of columns; a missing value counts as its column's mean, a constant as 0.

    Args:
        matrix: (n, d) float64.

    Example:
        >>> correlations(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])).round(3).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    known = np.isfinite(matrix)
    filled = np.where(known, matrix, 0.0)
    means = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, matrix - means, 0.0)
    lengths = np.sqrt((centred**2).sum(axis=0))
    scale = np.where(lengths > 0, lengths, 1.0)
    found: np.ndarray = (centred / scale).T @ (centred / scale)
    np.fill_diagonal(found, 1.0)
    return found.clip(-1.0, 1.0)


def run(ctx: StageContext) -> dict[str, Any]:
    """Summarise the training rows; the other parts are only counted."""
    program = ctx.program()
    parts: dict[str, pl.DataFrame] = {name: ctx.take(name) for name in ("train", "validate", "holdout")}
    matrix = matrix_of(parts["train"], program.names)
    labels = parts["train"]["y"].to_numpy()
    high = _high(parts["train"]["y"])
    features = {name: _feature(matrix[:, i], program.kinds[i], high) for i, name in enumerate(program.names)}
    numbers = [i for i, kind in enumerate(program.kinds) if kind == "number"][:MOST_CORRELATED]
    named = [program.names[i] for i in numbers]
    column = high.astype(float) if labels.dtype.kind == "b" else _ranked(parts["train"]["y"])
    related = correlations(np.column_stack([matrix[:, numbers], column]))
    summary = {
        "quality": ctx.take("quality"),
        "parts": {name: _part(table) for name, table in parts.items()},
        "features": features,
        "correlations": {"names": [*named, "y"], "matrix": related.round(4).tolist()},
        "task": kind_of(parts["train"]["y"]),
        "balance": _balance(parts),
    }
    figures = {
        "rows": bars("Rows by part", {name: float(t.height) for name, t in parts.items()}, unit="rows"),
        "balance": bars(BALANCES[summary["task"]], summary["balance"], unit="share"),
        "correlations": heat("Correlation of numbers and label", [*named, "y"], related.tolist()),
    }
    for index in numbers[:MOST_FIGURES]:
        known = matrix[:, index][np.isfinite(matrix[:, index])]
        if known.size:
            figures[f"feature {program.names[index]}"] = _histogram(program.names[index], known)
    return {"summary": summary, "profile": profile(matrix, program).to_json(), "figures": figures}


def _high(labels: pl.Series) -> np.ndarray:
    """The rows that are positive: for classes those of the commonest one, for numbers those above the median."""
    if labels.dtype == pl.Boolean:
        return labels.to_numpy()
    if labels.dtype == pl.String:
        common: np.ndarray = (labels == labels.mode().sort()[0]).to_numpy()
        return common
    numbers = labels.to_numpy()
    above: np.ndarray = numbers > np.median(numbers)
    return above


def _ranked(labels: pl.Series) -> np.ndarray:
    return _high(labels).astype(float) if labels.dtype == pl.String else labels.to_numpy()


def _balance(parts: dict[str, pl.DataFrame]) -> dict[str, float]:
    return {name: float(_high(table["y"]).mean()) for name, table in parts.items()}


def _feature(column: np.ndarray, kind: str, labels: np.ndarray) -> dict[str, Any]:
    known = column[np.isfinite(column)]
    if kind == "category":
        codes, counts = np.unique(known.astype(int), return_counts=True)
        return {
            "kind": kind,
            "levels": int((codes >= 0).sum()),
            "unknown_share": float((known < 0).mean()) if known.size else 0.0,
            "largest_share": float(counts.max() / column.size) if counts.size else 0.0,
        }
    if not known.size:
        return {"kind": kind, "missing_share": 1.0}
    quantiles = np.quantile(known, (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0))
    positive = column[labels & np.isfinite(column)]
    return {
        "kind": kind,
        "missing_share": float(1.0 - known.size / column.size),
        "mean": float(known.mean()),
        "std": float(known.std()),
        "quantiles": quantiles.tolist(),
        "zero_share": float((known == 0.0).mean()),
        "mean_of_positives": float(positive.mean()) if positive.size else None,
    }


def _part(table: pl.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {"rows": table.height, "positives": int(_high(table["y"]).sum())}
    if "_time" in table.columns:
        found |= {"first": str(table["_time"].min()), "last": str(table["_time"].max())}
    return found


def _histogram(name: str, known: np.ndarray) -> str:
    low, high = np.quantile(known, (0.005, 0.995))
    if low == high:
        low, high = float(known.min()), float(known.max())
    if np.all(known == np.round(known)) and high - low < BINS:  # few whole numbers: a bar for each
        bins, low, high = int(high - low) + 1, low - 0.5, high + 0.5
    else:
        bins = BINS
    counts, edges = np.histogram(known, bins=bins, range=(low, high if high > low else low + 1.0))
    return histogram(f"{name} (training)", edges.tolist(), counts.tolist(), label="middle 99 %")
