"""What a stability index does not see: sentinels, values out of range, renamed categories, columns that fell apart.

Each is held against its own placebo from training (``features.expectation``).  What is a fault of the data in itself (a
sentinel, a new name for a category, a column that no longer goes with what it always went with) refuses, because a
model that happens not to mind is no excuse for wrong data.  What may be the world (a hotter summer than any before,
more zeros than usual) is judged by its consequence, as drift is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bluegold.core.nouns import Measure, Verdict
from bluegold.delivery.moved import Gap, gap_over
from bluegold.delivery.reporting import judge, shown
from bluegold.features.expectation import OUTSIDE, Expectation, bound_up, commonest, outside, relation
from bluegold.features.profile import Profile

__all__ = ["by_consequence", "unexpected"]

Matrix = npt.NDArray[np.float64]

#: A relation that keeps less than this share of its least in training has fallen apart.
_HALF = 0.5
_LEAST = 500
#: So many rows beyond all that training saw are another quantity, whatever the model says of them.
_ANOTHER = 0.25
_STEADY_ROWS = 30.0


def by_consequence(verdict: Verdict, gap: Gap | None) -> tuple[Verdict, str]:
    """A move beyond its limit is harmless, harmful, or unknown by what the model says where it moved to.

    Args:
        verdict: of the limit.
        gap: between outcomes and scores over the rows that moved; None where nobody can say.

    Example:
        >>> by_consequence("fail", Gap(value=0.01, error=0.001, n=500))[0]
        'pass'
    """
    if gap is None or not gap.n:
        return verdict, ""
    note = f"where it moved to, outcomes are {gap.value:+.3f} from the scores ({gap.n} rows)"
    if gap.harmful:
        return "fail", note
    if verdict == "fail":
        return "pass" if gap.harmless else "hold", note
    return verdict, note


def unexpected(reference: Profile, matrix: Matrix, missed: Matrix) -> list[Measure]:
    """Everything in later rows that training does not lead to expect, and what was looked at.

    Args:
        reference: the profile of training.
        matrix: (n, d) later rows.
        missed: (n,) outcome minus what was said of it.
    """
    if not reference.expected:
        note = "the version's profile does not say what to expect: develop it again"
        return [Measure(name="expected values", value=None, limit=None, note=note)]
    kinds = {one.name: one.kind for one in reference.features}
    shares = {one.name: one.missing for one in reference.features}
    columns = dict(zip((one.name for one in reference.features), matrix.T, strict=True))
    found: list[Measure] = []
    for one in reference.expected:
        column, kind = columns[one.name], kinds[one.name]
        found += _outside(one, column, missed)
        found += _spike(one, column, kind, missed)
        found += _renamed(one, column, kind, shares[one.name])
    found += _fallen_apart(reference.expected, columns, kinds)
    found.append(_missing(reference, columns))
    said = [measure for measure in found if measure.verdict != "pass"]
    beyond = [measure for measure in found if measure.verdict == "pass" and measure.note]
    return [*said, *beyond[:5], shown("features as expected", float(len(columns) - len(said)), n=len(matrix))]


def _outside(one: Expectation, column: Matrix, missed: Matrix) -> list[Measure]:
    if one.low is None or one.high is None:
        return []
    rows = outside(column, one.low, one.high)
    share = float(rows.mean())
    if share <= one.outside:
        return []
    if share > max(_ANOTHER, 2.0 * one.outside):
        verdict: Verdict = "fail"
        note = "another quantity than in training: a wrong unit or a broken join?"
    else:
        verdict, note = by_consequence("fail", gap_over(rows, missed))
    return [_measure(f"{one.name} beyond {one.low:g} to {one.high:g}", share, one.outside, len(column), verdict, note)]


def _spike(one: Expectation, column: Matrix, kind: str, missed: Matrix) -> list[Measure]:
    """One exact value that became common: a sentinel at or beyond the edge, or else judged by its consequence."""
    shares = commonest(column, kind)
    far = [(share, value) for value, share in shares if share >= OUTSIDE and _far(one, value)]
    rises = [(share - one.share(value), value) for value, share in shares]
    rise, value = max(far or rises, default=(0.0, 0.0))
    if not far and rise <= one.spike:
        return []
    edge = one.low is not None and one.high is not None and not one.low < value < one.high
    if far or (edge and dict(one.values).get(value, 0.0) < rise / 10.0):
        verdict: Verdict = "fail"
        note = "at or beyond the edge of all that training saw: a sentinel for something unknown?"
    else:
        verdict, note = by_consequence("fail", gap_over(column == value, missed))
    name = f"rise of {one.name} = {value:g}" if kind == "number" else f"rise of category {value:g} of {one.name}"
    return [_measure(name, rise, OUTSIDE if far else one.spike, len(column), verdict, note)]


def _far(one: Expectation, value: float) -> bool:
    """Whether a value lies further beyond the range of training than the range is wide."""
    if one.low is None or one.high is None or one.low == one.high:
        return False
    return max(one.low - value, value - one.high) > one.high - one.low


def _renamed(one: Expectation, column: Matrix, kind: str, missing: float) -> list[Measure]:
    """Categories that every stretch of training had, and that are gone while unknown ones came."""
    if kind != "category":
        return []
    gone = {value: share for value, share in one.steady if share * len(column) >= _STEADY_ROWS}
    gone = {value: share for value, share in gone.items() if not (column == value).any()}
    lost, came = sum(gone.values()), float((column < 0).mean()) - missing
    if not gone or came < lost / 2.0:
        return []
    note = f"{came:.1%} more rows are unknown instead: was it given another name?"
    return [_measure(f"categories of {one.name} that are gone", lost, 0.0, len(column), "fail", note)]


def _fallen_apart(
    expected: tuple[Expectation, ...], columns: dict[str, Matrix], kinds: dict[str, str]
) -> list[Measure]:
    """Features that go with none of their partners any longer, as a column does that was joined to wrong rows."""
    if min((len(column) for column in columns.values()), default=0) < _LEAST:
        return []
    bins: dict[str, npt.NDArray[np.int64]] = {}

    def binned(name: str) -> npt.NDArray[np.int64]:
        if name not in bins:
            bins[name] = bound_up(columns[name], kinds[name])
        return bins[name]

    found = []
    for one in expected:
        kept = [relation(binned(one.name), binned(two.feature)) / two.least for two in one.partners]
        if kept and max(kept) < _HALF:
            names = ", ".join(f"'{two.feature}'" for two in one.partners)
            note = f"it went with {names} in every stretch of training: is it another row's value?"
            found.append(
                _measure(
                    f"what {one.name} keeps of its relations",
                    max(kept),
                    _HALF,
                    len(columns[one.name]),
                    "fail",
                    note,
                    at_least=True,
                )
            )
    return found


def _missing(reference: Profile, columns: dict[str, Matrix]) -> Measure:
    """The rise in missing or unknown values that is furthest beyond its own limit."""
    limits = {one.name: one.missing for one in reference.expected}
    rises = {
        feature.name: float(
            (columns[feature.name] < 0 if feature.kind == "category" else np.isnan(columns[feature.name])).mean()
        )
        - feature.missing
        for feature in reference.features
    }
    worst = max(rises, key=lambda name: rises[name] / limits[name])
    return Measure(
        name="rise of missing or unknown values",
        value=rises[worst],
        limit=limits[worst],
        direction="<=",
        unit="share",
        n=len(columns[worst]),
        verdict=judge(rises[worst], limits[worst], "<="),
        note=f"worst feature: {worst}",
    )


def _measure(
    name: str, value: float, limit: float, n: int, verdict: Verdict, note: str, *, at_least: bool = False
) -> Measure:
    return Measure(
        name=name,
        value=value,
        limit=limit,
        direction=">=" if at_least else "<=",
        unit="share",
        n=n,
        verdict=verdict,
        note=note,
    )
