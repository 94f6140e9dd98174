"""Attribution shift: whether Gold decides for other reasons than Blue, on the same requests.

Of the first requests of every phase both models' attributions are computed, behind the answers, and each row's are
turned into shares: how much of all that moved the score each feature moved.  The shares' differences, Gold minus
Blue, are bounded and paired, so that a confidence sequence a feature says at any look whether one has certainly
gained or lost more of the say than is tolerated.  A model that leans on something new may be right; a person decides.

Source: Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees, Nature
Machine Intelligence 2, for attributions; the bounds are those of :mod:`bluegold.delivery.sequential`.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from bluegold.core.errors import BluegoldError
from bluegold.delivery.candidate import Subject
from bluegold.delivery.features_of_blue import definition, translated
from bluegold.delivery.sequential import ConfidenceSequence
from bluegold.features.program import FeatureProgram
from bluegold.production.results.attributions import contributions
from bluegold.production.results.records import DecisionRecord

__all__ = ["AttributionShift", "Shift", "shares"]

Matrix = npt.NDArray[np.float64]

MOST, BATCH = 500, 50
"""Requests of a phase that are explained, and how many at once: models are unpacked each time."""

STEPS = 50
_GRID = tuple(step / STEPS for step in range(-STEPS, STEPS + 1))


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """The feature whose share of the attributions changed most: by how much, on how many requests, and if certainly."""

    feature: str
    change: float
    n: int
    broken: bool


def shares(values: Matrix) -> Matrix:
    """Each row's attributions (n, d) as shares of all that moved the score; a row that nothing moved has zeros.

    Example:
        >>> shares(np.array([[3.0, -1.0], [0.0, 0.0]])).tolist()
        [[0.75, 0.25], [0.0, 0.0]]
    """
    size = np.abs(values)
    total = size.sum(axis=1, keepdims=True)
    found: Matrix = np.divide(size, total, out=np.zeros_like(size), where=total > 0)
    return found


class AttributionShift:
    """Explains a bounded sample of a release's requests by both of its models.

    Args:
        blue, gold: the versions.
        starts: how many rollout phases there will be.

    Raises:
        BluegoldError: they cannot be compared: other features, or models without attributions.
    """

    def __init__(self, blue: Subject, gold: Subject, starts: int) -> None:
        self._subjects = {"blue": blue, "gold": gold}
        programs = {"blue": blue.program, "gold": gold.program}
        _comparable(programs["blue"], programs["gold"])
        self.names = gold.program.names
        self._programs = {program.digest: program for program in programs.values()}
        self._waiting: list[tuple[str, int, list[float]]] = []
        self._taken = [0] * starts
        self._sequences = [ConfidenceSequence(_GRID, starts) for _ in self.names]
        self._rest = np.zeros(len(self.names))
        self._said: tuple[tuple[int, float, float], Shift] | None = None
        for subject in self._subjects.values():
            contributions(subject.bundle, np.zeros((1, len(self.names))))  # refuses what has no attributions

    @property
    def n(self) -> int:
        """How many requests were explained so far."""
        return self._sequences[0].n if self._sequences else 0

    def take(self, record: DecisionRecord, window: int) -> None:
        """Keep one decision's model input to be explained, unless its phase has enough of them."""
        place = min(window, len(self._taken) - 1)
        if self._taken[place] < MOST and record.features_digest in self._programs:
            row = record.matrix_row()
            if len(row) == len(self.names):
                self._taken[place] += 1
                self._waiting.append((record.features_digest, place, row))

    def settle(self) -> None:
        """Explain what waits, when there is enough of it.

        Raises:
            BluegoldError: a model cannot be explained after all.
        """
        if len(self._waiting) < BATCH:
            return
        waiting, self._waiting = self._waiting, []
        for digest in self._programs:
            found = [(window, row) for one, window, row in waiting if one == digest]
            if found:
                self._explain(self._programs[digest], [one[0] for one in found], np.array([one[1] for one in found]))

    def worst(self, limit: float, alpha: float) -> Shift | None:
        """The feature whose share changed most, or None before the first request.

        Args:
            limit: the largest tolerated change of a share.
            alpha: probability that a tolerated change is ever called more, over all features and looks.
        """
        if not self.n:
            return None
        asked = (self.n, limit, alpha)
        if self._said is not None and self._said[0] == asked:
            return self._said[1]
        each = alpha / (2 * len(self.names))
        broken = [one.above(limit, each) or one.below(-limit, each) for one in self._sequences]
        means = np.array([one.mean for one in self._sequences])
        place = int(np.argmax(np.abs(means) + np.array(broken)))
        found = Shift(feature=self.names[place], change=float(means[place]), n=self.n, broken=broken[place])
        self._said = asked, found
        return found

    def _explain(self, source: FeatureProgram, windows: list[int], matrix: Matrix) -> None:
        """Add the differences of shares of rows that one program made."""
        said = {}
        for color, subject in self._subjects.items():
            values, _ = contributions(subject.bundle, _input(source, subject.program, matrix))
            said[color] = shares(values[:, : len(self.names)])
        for window, difference in zip(windows, said["gold"] - said["blue"], strict=True):
            wanted = difference + self._rest  # what rounding leaves over goes to the next row, so that no sum drifts
            steps = np.clip(np.round(wanted * STEPS), -STEPS, STEPS)
            self._rest = wanted - steps / STEPS
            for sequence, step in zip(self._sequences, steps, strict=True):
                sequence.add(float(step) / STEPS, window=window)


def _input(source: FeatureProgram, target: FeatureProgram, matrix: Matrix) -> Matrix:
    """Rows of one program as the other would make them: category codes are those of its own vocabulary."""
    if source.digest == target.digest:
        return matrix
    found = matrix.copy()
    for place, (name, kind) in enumerate(zip(target.names, target.kinds, strict=True)):
        if kind == "category":
            found[:, place] = translated(matrix[:, place], source.vocabularies[name], target.vocabularies[name])
    return found


def _comparable(blue: FeatureProgram, gold: FeatureProgram) -> None:
    if blue.names != gold.names or blue.kinds != gold.kinds:
        raise BluegoldError("Blue and Gold see other features", way_out="compare their explanations by hand")
    for name in gold.names:
        if blue.digest != gold.digest and definition(blue, name) != definition(gold, name):
            raise BluegoldError(f"feature '{name}' is defined otherwise", way_out="compare their explanations by hand")
