"""Gate 2, feature: training and serving make identical features, distributed as the profile expects.

The parity report must belong to exactly this feature program, and a sample is asked again here.  Drift is the
population stability index against the training profile.  A feature that is steady in training has the usual limit of
0.2; one that moves in training itself is compared with the stretch of training that is most like the rows, and its
limit is a placebo: twice what that index reaches for the stretches among themselves.  A feature that moved is judged
by the consequence: where it moved to, mean outcome and mean score must agree within five points.  An index above one
and beyond twice the limit is another quantity altogether (a wrong unit, a broken join) and is refused as such.
Beside it stands what no index sees (``delivery.unexpected``): values out of range, sentinels, renamed categories,
missing values, and columns that no longer go with what they always went with.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from bluegold.core.nouns import GateReport, Measure
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.moved import Gap, gap_where_moved, residuals
from bluegold.delivery.reporting import judge, report, shown
from bluegold.delivery.unexpected import by_consequence, unexpected
from bluegold.development.tables import matrix_of
from bluegold.development.tasks import task_of
from bluegold.features.profile import USUAL_LIMIT, Profile, drift, nearest_season
from bluegold.features.same import changes

__all__ = ["NAME", "check"]

NAME = "2 feature"

_ROWS = 10_000
_SAMPLE = 200
_SHOWN = 5
_ANOTHER = 1.0


def check(candidate: Candidate) -> GateReport:
    """Hold parity, identity and distribution of the features against their limits."""
    started = time.monotonic()
    needed = ("parity.json", "profile.json", "holdout.parquet", "program.json")
    if not all(candidate.has(name) for name in needed):
        return report(NAME, candidate.ref, (), started)
    matrix = matrix_of(candidate.holdout, candidate.program.names)
    measures = [*_level(candidate), *_parity(candidate), _asked_again(candidate, matrix), *_drift(candidate, matrix)]
    return report(NAME, candidate.ref, measures, started)


def _level(candidate: Candidate) -> list[Measure]:
    """A model-level release keeps Blue's feature program to the bit."""
    if candidate.plan.rollout.level == "pipeline" or candidate.blue is None:
        return []
    mine, theirs = candidate.program, candidate.blue.program
    same = mine.digest == theirs.digest
    what = ", ".join(changes(theirs, mine)[:_SHOWN]) or "its vocabularies were learned again: develop it on Blue's"
    way_out = "release it with rollout.level: pipeline, which changes features and model together"
    return [
        Measure(
            name=f"a model-level release keeps the feature program of {candidate.blue.ref}",
            value=float(same),
            limit=1.0,
            n=len(mine.names),
            verdict="pass" if same else "fail",
            note="" if same else f"{what}; {way_out}",
        )
    ]


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
    found = drift(reference, matrix) if len(matrix) else {}
    if not found:
        return [Measure(name="drift", value=None, limit=None, direction="<=", note="there is nothing to compare")]
    rule = candidate.decision.rule
    missed = residuals(task_of(rule).encode(candidate.holdout["y"]), candidate.scores(matrix), rule)
    limits, gaps = dict.fromkeys(found, USUAL_LIMIT), dict[str, Gap]()
    for one, column in zip(reference.features, matrix.T, strict=True):
        if found[one.name] > USUAL_LIMIT:
            gaps[one.name] = gap_where_moved(one, column, missed)
        if one.name in reference.seasons:
            season = reference.seasons[one.name]
            found[one.name] = min(found[one.name], nearest_season(one, season, column))
            limits[one.name] = season.limit
    ranked = sorted(found, key=lambda name: (name in gaps, found[name] / limits[name]), reverse=True)
    measures = [_moved(name, found[name], limits[name], gaps.get(name), len(matrix)) for name in ranked]
    shown_here = [one for one in measures if one.verdict != "pass"] or measures[:_SHOWN]
    if len(measures) > len(shown_here):
        shown_here.append(shown("features further inside their limit", float(len(measures) - len(shown_here))))
    return [*shown_here, *unexpected(reference, matrix, missed)]


def _moved(name: str, value: float, limit: float, gap: Gap | None, n: int) -> Measure:
    """One feature: inside its limit and harmless, or what the move has done."""
    verdict, note = judge(value, limit, "<="), ""
    if verdict == "fail" and value > max(_ANOTHER, 2.0 * limit):
        note = "another quantity than in training: a wrong unit or a broken join?"
    else:
        verdict, note = by_consequence(verdict, gap)
    return Measure(
        name=f"drift of {name}", value=value, limit=limit, direction="<=", unit="PSI", n=n, verdict=verdict, note=note
    )
