"""Gate 2, feature: training and serving make identical features, distributed as the profile expects.

The parity report must belong to exactly this feature program, and a sample is asked again here.  Drift is the
population stability index against the training profile; its limit is each feature's own placebo, and never below
0.5: a wrong unit or a broken join lies far above 1, while what a calm month does to the model is measured, on the
same rows, by gates 1 and 6.  A feature that moves by more than 1 between stretches of the training data itself is
seasonal: its index is shown and not judged, because on such data it raises nothing but false alarms.  A rise of
missing or unknown values is judged for all.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from bluegold.core.nouns import GateReport, Measure
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.reporting import judge, report, shown
from bluegold.development.tables import matrix_of
from bluegold.features.profile import Profile, drift

__all__ = ["NAME", "check"]

NAME = "2 feature"

_ROWS = 10_000
_SAMPLE = 200
_SHOWN = 5
_LEAST_LIMIT = 0.5
_SEASONAL = 2.0
_MISSING_RISE = 0.05


def check(candidate: Candidate) -> GateReport:
    """Hold parity, identity and distribution of the features against their limits."""
    started = time.monotonic()
    needed = ("parity.json", "profile.json", "holdout.parquet", "program.json")
    if not all(candidate.has(name) for name in needed):
        return report(NAME, candidate.ref, (), started)
    matrix = matrix_of(candidate.holdout, candidate.program.names)
    measures = [*_parity(candidate), _asked_again(candidate, matrix), *_drift(candidate, matrix)]
    return report(NAME, candidate.ref, measures, started)


def _parity(candidate: Candidate) -> list[Measure]:
    found = candidate.facts("parity.json", dict[str, Any])
    rows, wrong = int(found.get("rows") or 0), int(found.get("mismatches", -1))
    wanted = min(_ROWS, _available(candidate))
    mine = found.get("features") == candidate.program.digest == candidate.version.lineage.features
    return [
        Measure(
            name="parity report belongs to these features",
            value=float(mine),
            limit=1.0,
            n=rows,
            verdict="pass" if mine else "fail",
        ),
        Measure(
            name="parity rows compared",
            value=float(rows),
            limit=float(wanted),
            n=rows,
            verdict="pass" if rows >= wanted > 0 else "hold",
        ),
        Measure(
            name="parity mismatches",
            value=float(wrong) if wrong >= 0 else None,
            limit=0.0,
            direction="<=",
            unit="cells",
            n=rows * int(found.get("columns") or 0),
            verdict=judge(float(wrong) if wrong >= 0 else None, 0.0, "<="),
            note=", ".join(f"fallback: {name}" for name in found.get("fallbacks", ())[:_SHOWN]),
        ),
    ]


def _available(candidate: Candidate) -> int:
    if not candidate.has("summary.json"):
        return _ROWS
    quality = candidate.facts("summary.json", dict[str, Any]).get("quality") or {}
    return int(quality.get("valid") or _ROWS)


def _asked_again(candidate: Candidate, matrix: np.ndarray) -> Measure:
    """A sample of hold-out rows, one by one through the serving predictor, against the batch: to the bit."""
    rows = np.random.default_rng(0).choice(len(matrix), min(_SAMPLE, len(matrix)), replace=False)
    batch = candidate.scores(matrix[rows])
    alone = np.array([candidate.bundle.predictor.score_row(matrix[row].tolist()) for row in rows])
    wrong = int((batch != alone).sum())
    return Measure(
        name="scores that differ between batch and single row",
        value=float(wrong),
        limit=0.0,
        direction="<=",
        n=len(rows),
        verdict="hold" if not len(rows) else judge(float(wrong), 0.0, "<="),
    )


def _drift(candidate: Candidate, matrix: np.ndarray) -> list[Measure]:
    reference = candidate.facts("profile.json", Profile)
    found = drift(reference, matrix)
    if not found or not len(matrix):
        return [Measure(name="drift", value=None, limit=None, direction="<=", note="there is nothing to compare")]
    limits = {name: max(reference.limits.get(name, 0.0), _LEAST_LIMIT) for name in found}
    seasonal = {name: value for name, value in found.items() if limits[name] > _SEASONAL}
    judged = sorted(set(found) - set(seasonal), key=lambda name: found[name] / limits[name], reverse=True)
    measures = [
        Measure(
            name=f"drift of {name}",
            value=found[name],
            limit=limits[name],
            direction="<=",
            unit="PSI",
            n=len(matrix),
            verdict=judge(found[name], limits[name], "<="),
        )
        for name in judged[:_SHOWN]
    ]
    if len(judged) > _SHOWN:
        measures.append(shown("features further inside their limit", float(len(judged) - _SHOWN)))
    measures += [
        shown(
            f"drift of {name}",
            value,
            unit="PSI",
            n=len(matrix),
            note="moves as much between stretches of the training data: a season, not judged by this index",
        )
        for name, value in list(seasonal.items())[:_SHOWN]
    ]
    return [*measures, _missing(reference, matrix)]


def _missing(reference: Profile, matrix: np.ndarray) -> Measure:
    """The largest rise in missing or unknown values of any feature, seasonal ones included."""
    rises = {
        feature.name: float((column < 0 if feature.kind == "category" else np.isnan(column)).mean()) - feature.missing
        for feature, column in zip(reference.features, matrix.T, strict=True)
    }
    worst = max(rises, key=lambda name: rises[name])
    return Measure(
        name="rise of missing or unknown values",
        value=rises[worst],
        limit=_MISSING_RISE,
        direction="<=",
        unit="share",
        n=len(matrix),
        verdict=judge(rises[worst], _MISSING_RISE, "<="),
        note=f"worst feature: {worst}",
    )
