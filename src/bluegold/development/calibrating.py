"""Fitting a calibration on the validation rows, chosen by log loss on rows that it was not fitted on.

The validation rows are divided into parts; every map (and no map at all) is fitted on all parts but one and judged by
its log loss on that one.  The winner, if it beats no map, is fitted on all of them.  The hold-out is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import numpy as np

from bluegold.core.errors import DefinitionError
from bluegold.development.measures.binary import calibration, log_loss
from bluegold.registry.predictors.calibrated import Calibration, Isotonic, Platt
from bluegold.registry.rule import Task

__all__ = ["Calibrated", "Wish", "calibrated", "check_wish", "compared"]

Wish = Literal["", "auto", "isotonic", "platt"]
PARTS = 5
#: fewer rows of either outcome give no map
LEAST = 50


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen map (None: the scores stay as they are) and the log loss of every choice on rows it had not seen."""

    calibration: Calibration | None
    log_loss: dict[str, float]
    rows: int
    reason: str = ""

    @property
    def method(self) -> str:
        """Which map it is."""
        return "none" if self.calibration is None else type(self.calibration).__name__.lower()


def check_wish(wish: Wish, task: Task) -> None:
    """Refuse a calibration of what is no probability of a yes.

    Raises:
        DefinitionError: the task is not binary.
    """
    if wish and task != "binary":
        raise DefinitionError(
            f"calibration='{wish}' does not go with a {task} target",
            why="one probability of a yes can be calibrated",
            way_out="leave calibration out of the system",
        )


def calibrated(wish: Wish, labels: np.ndarray, scores: np.ndarray, seed: int) -> Calibrated:
    """Choose a map.

    Args:
        wish: ``auto`` takes the better of both, or none; the others take theirs if it beats none.
        labels: (n,) booleans of the validation rows.
        scores: (n,) what a model said of them that has not learned from them.
        seed: of the division into parts.

    Example:
        >>> random = np.random.default_rng(7)
        >>> true = random.random(2000)
        >>> found = calibrated("auto", random.random(2000) < true, true**3, 7)
        >>> found.calibration is not None, found.log_loss["none"] > min(found.log_loss.values())
        (True, True)
    """
    fewest = int(min(labels.sum(), (~labels).sum()))
    if fewest < LEAST:
        why = f"{fewest} rows of the rarer outcome; {LEAST} are needed"
        return Calibrated(calibration=None, log_loss={}, rows=labels.size, reason=why)
    maps = {name: fit for name, fit in FITS.items() if wish in {"auto", name}}
    part = np.random.default_rng(seed).permutation(labels.size) % PARTS
    losses: dict[str, list[float]] = {"none": [], **{name: [] for name in maps}}
    for number in range(PARTS):
        here, rest = part == number, part != number
        losses["none"].append(log_loss(labels[here], scores[here]))
        for name, fit in maps.items():
            losses[name].append(log_loss(labels[here], fit(labels[rest], scores[rest]).column(scores[here])))
    means = {name: float(np.mean(found)) for name, found in losses.items()}
    best = min(means, key=lambda name: means[name])
    if best == "none":
        return Calibrated(calibration=None, log_loss=means, rows=labels.size, reason="no map makes the scores better")
    return Calibrated(calibration=maps[best](labels, scores), log_loss=means, rows=labels.size)


def compared(labels: np.ndarray, before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """What a map did to scores of rows that had no part in it.

    Example:
        >>> found = compared(np.array([True, False]), np.array([0.6, 0.4]), np.array([0.9, 0.1]))
        >>> found["log_loss"]["before"] > found["log_loss"]["after"]
        True
    """
    return {
        name: {"before": measure(labels, before), "after": measure(labels, after)}
        for name, measure in (
            ("calibration_error", lambda y, s: calibration(y, s)[0]),
            ("log_loss", log_loss),
            ("brier", lambda y, s: float(((s - y) ** 2).mean())),
        )
    }


def _platt(labels: np.ndarray, scores: np.ndarray) -> Platt:
    """Maximum likelihood with Platt's prior on both outcomes, by Newton's steps."""
    from scipy.optimize import minimize
    from scipy.special import expit

    kept = np.clip(scores, 1e-12, 1.0 - 1e-12)
    margin = np.log(kept / (1.0 - kept))
    yes, no = int(labels.sum()), int((~labels).sum())
    target = np.where(labels, (yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0))

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        total = at[0] * margin + at[1]
        missed = expit(total) - target
        worth = np.logaddexp(0.0, total) - target * total
        return float(worth.mean()), np.array([(missed * margin).mean(), missed.mean()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(1e-6, None), (None, None)]).x
    return Platt(slope=float(found[0]), shift=float(found[1]))


def _isotonic(labels: np.ndarray, scores: np.ndarray) -> Isotonic:
    """Pool adjacent violators; each level becomes a knot at its mean score, its share pulled off zero and one."""
    from sklearn.isotonic import isotonic_regression

    order = np.argsort(scores, kind="stable")
    at, wanted = scores[order], labels[order].astype(np.float64)
    values, first, counts = np.unique(at, return_index=True, return_counts=True)
    means = np.add.reduceat(wanted, first) / counts
    level = isotonic_regression(means, sample_weight=counts.astype(np.float64))
    starts = np.concatenate([[0], np.nonzero(np.diff(level) > 0)[0] + 1])
    size = np.add.reduceat(counts.astype(np.float64), starts)
    middle = np.add.reduceat(values * counts, starts) / size
    share = (np.add.reduceat(means * counts, starts) + wanted.mean()) / (size + 1.0)
    share = np.maximum.accumulate(share)
    keep = np.concatenate([[True], np.diff(middle) > 0])
    middle, share = middle[keep], share[keep]
    if middle.size == 1:
        middle, share = np.array([middle[0], middle[0] + 1.0]), np.array([share[0], share[0]])
    return Isotonic(scores=tuple(middle.tolist()), shares=tuple(share.tolist()))


FITS: dict[str, Callable[[np.ndarray, np.ndarray], Calibration]] = {"platt": _platt, "isotonic": _isotonic}
