"""Gate 2, feature: training and serving make identical features, distributed as the profile expects.

The parity report must belong to exactly this feature program, and a sample is asked again here.  Drift is the
population stability index against the training profile.  Its limit is the feature's own placebo: twice what the
index reaches between stretches of the training data itself, so a seasonal feature has a wide limit and a steady one
the usual 0.2.  A feature that moved, beyond its limit or (when its limit is wide) beyond the usual one, is judged by
the consequence: where it moved to, mean outcome and mean score must agree within five points.  An index above one
and beyond twice the limit is another quantity altogether (a wrong unit, a broken join) and is refused as such.  A
rise of missing or unknown values is judged for all.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl

from bluegold.core.nouns import GateReport, Measure
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.moved import Gap, gap_where_moved
from bluegold.delivery.reporting import judge, report, shown
from bluegold.development.tables import matrix_of
from bluegold.features.profile import USUAL_LIMIT, FeatureProfile, Profile, drift

__all__ = ["NAME", "check"]

NAME = "2 feature"

_ROWS = 10_000
_SAMPLE = 200
_SHOWN = 5
_ANOTHER = 1.0
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
    limits = {name: max(reference.limits.get(name, 0.0), USUAL_LIMIT) for name in found}
    moved = [one for one in reference.features if found[one.name] > USUAL_LIMIT]
    gaps = _gaps(candidate, matrix, moved)
    ranked = sorted(found, key=lambda name: (name in gaps, found[name] / limits[name]), reverse=True)
    measures = [_moved(name, found[name], limits[name], gaps.get(name), len(matrix)) for name in ranked]
    shown_here = [one for one in measures if one.verdict != "pass"] or measures[:_SHOWN]
    if len(measures) > len(shown_here):
        shown_here.append(shown("features further inside their limit", float(len(measures) - len(shown_here))))
    return [*shown_here, _missing(reference, matrix)]


def _gaps(candidate: Candidate, matrix: np.ndarray, moved: list[FeatureProfile]) -> dict[str, Gap | None]:
    """The consequence of every move; None where the outcome is no yes or no."""
    labels = candidate.holdout["y"]
    if not moved or labels.dtype != pl.Boolean:
        return dict.fromkeys((one.name for one in moved), None)
    place = {name: index for index, name in enumerate(candidate.program.names)}
    scores, outcomes = candidate.scores(matrix), labels.to_numpy()
    return {one.name: gap_where_moved(one, matrix[:, place[one.name]], outcomes, scores) for one in moved}


def _moved(name: str, value: float, limit: float, gap: Gap | None, n: int) -> Measure:
    """One feature: inside its limit and harmless, or what the move has done."""
    verdict, note = judge(value, limit, "<="), ""
    if verdict == "fail" and value > max(_ANOTHER, 2.0 * limit):
        note = "another quantity than in training: a wrong unit or a broken join?"
    elif gap is not None and gap.n:
        note = f"where it moved to, outcomes are {gap.value:+.3f} from the scores ({gap.n} rows)"
        if gap.harmful:
            verdict = "fail"
        elif verdict == "fail":
            verdict = "pass" if gap.harmless else "hold"
    return Measure(
        name=f"drift of {name}", value=value, limit=limit, direction="<=", unit="PSI", n=n, verdict=verdict, note=note
    )


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
