"""Gate 3, data quality: the data the version was made from passed its contract and its checks."""

from __future__ import annotations

import time
from typing import Any, Literal

from bluegold.core.nouns import GateReport, Measure
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.reporting import judge, report, shown

__all__ = ["NAME", "check"]

NAME = "3 data quality"

#: measure -> (key in the quality report, limit)
_SHARES = {
    "rows refused by the contract": ("quarantined_share", 0.05),
    "rows without a label": ("unlabelled_share", 0.20),
    "time spans without any row": ("time_gap_share", 0.05),
}


def check(candidate: Candidate) -> GateReport:
    """Hold the quality report of the training data against its limits."""
    started = time.monotonic()
    if not candidate.has("summary.json"):
        return report(NAME, candidate.ref, (), started)
    summary = candidate.facts("summary.json", dict[str, Any])
    quality = summary.get("quality") or {}
    rows = int(quality.get("rows") or 0)
    measures = [_share(name, quality.get(key), limit, rows) for name, (key, limit) in _SHARES.items()]
    checks = {check["name"]: check for check in quality.get("checks") or ()}
    measures.append(_counted("contract columns missing", checks.get("schema"), 0.0, rows))
    measures.append(_counted("damaged values", checks.get("corruption"), 0.001 * rows, rows))
    measures.append(_counted("constant columns", checks.get("distributions"), None, rows))
    measures.append(
        shown(
            "share missing, worst column",
            quality.get("missing_share"),
            n=rows,
            note="what the contract lets pass is flagged, row by row",
        )
    )
    measures += [_part(name, summary.get("parts", {}).get(name)) for name in ("train", "holdout")]
    return report(NAME, candidate.ref, measures, started)


def _share(name: str, value: Any, limit: float, rows: int) -> Measure:
    number = float(value) if isinstance(value, int | float) else None
    return Measure(
        name=name,
        value=number,
        limit=limit,
        direction="<=",
        unit="share",
        n=rows,
        verdict=judge(number, limit, "<="),
    )


def _counted(name: str, found: Any, limit: float | None, rows: int) -> Measure:
    number = float(found["value"]) if found else None
    direction: Literal["<="] = "<="
    verdict = judge(number, limit, direction)
    return Measure(
        name=name,
        value=number,
        limit=limit,
        direction=direction,
        n=rows,
        verdict=verdict,
        note=str(found.get("note", "")) if found else "",
    )


def _part(name: str, part: Any) -> Measure:
    """Both outcomes are there, in a part that is not empty."""
    rows, positives = (int(part["rows"]), int(part["positives"])) if part else (0, 0)
    fewer = min(positives, rows - positives)
    return Measure(
        name=f"rows of the rarer outcome in {name}",
        value=float(fewer),
        limit=30.0,
        direction=">=",
        n=rows,
        verdict="pass" if fewer >= 30 else "hold",
    )
