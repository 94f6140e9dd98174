"""The suspicion of leakage as measures of a gate: what is declared, and what the data look like."""

from __future__ import annotations

import polars as pl

from bluegold.core.nouns import Measure
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.leakage import declared, fields_behind, suspicions
from bluegold.delivery.reporting import shown
from bluegold.development.tables import matrix_of

__all__ = ["leakage"]

_SHOWN = 5


def leakage(candidate: Candidate) -> list[Measure]:
    """Model inputs known only after the outcome by declaration, and those that look like it.

    Args:
        candidate: with its hold-out.
    """
    program, table = candidate.program, candidate.holdout
    after = [name for name in program.names if declared(program, name) == "after"]
    measures = [_declared_after(after, len(program.names))]
    if table["y"].dtype != pl.Boolean:
        return measures
    found = suspicions(matrix_of(table, program.names), program.names, table["y"].to_numpy())
    absolved = {"at decision", "point in time"}
    judged = [one for one in found if declared(program, one.feature) not in absolved]
    names = ", ".join(dict.fromkeys(field for one in judged for field in fields_behind(program, one.feature)))
    way_out = f"; leave it out, or declare known='at decision' in the contract ({names})" if judged else ""
    measures.append(
        Measure(
            name="model inputs that look filled in after the outcome",
            value=float(len(judged)),
            limit=0.0,
            direction="<=",
            n=table.height,
            verdict="fail" if judged else "pass",
            note="; ".join(one.sentence for one in judged[:_SHOWN]) + way_out,
        )
    )
    cleared = [one for one in found if declared(program, one.feature) in absolved]
    if cleared:
        note = "; ".join(f"{one.sentence}, but declared known {declared(program, one.feature)}" for one in cleared)
        measures.append(shown("suspicions that the contract answers", float(len(cleared)), note=note))
    return measures


def _declared_after(names: list[str], among: int) -> Measure:
    return Measure(
        name="model inputs declared known only after the outcome",
        value=float(len(names)),
        limit=0.0,
        direction="<=",
        n=among,
        verdict="fail" if names else "pass",
        note=", ".join(names[:_SHOWN]),
    )
