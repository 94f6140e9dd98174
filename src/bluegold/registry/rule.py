"""The decision rule: what a model's scores mean, for a yes or no, for one of several classes, and for a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from bluegold.registry.predictors.protocol import Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DecisionRule", "Task", "Value"]

Task = Literal["binary", "multiclass", "regression"]
#: What is decided: true or false, the label of a class, or a number.
Value = bool | float | str

_YES = frozenset({"true", "1", "yes"})
_AGREE = 0.5


class DecisionRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a score becomes a decision, and how wrong a decision was.

    Args:
        positive_label: what a decision of True means, in words (binary).
        threshold: scores at or above it are positive (binary).
        group_by: a contract field whose value chooses its own threshold; empty for one threshold (binary).
        thresholds: group -> threshold; a group without one uses ``threshold`` (binary).
        task: what is decided.
        labels: names of the classes, in the order of the scores (multiclass).
        scale: standard deviation of the target in training, the unit of :meth:`loss` (regression).
        interval: what to add to a prediction for the bounds of its 80 % interval (regression).

    Example:
        >>> rule = DecisionRule(positive_label="late", threshold=0.5, group_by="origin", thresholds={"EWR": 0.4})
        >>> rule.decide(0.45, "EWR"), rule.decide(0.45, "JFK")
        (True, False)
        >>> DecisionRule(task="multiclass", labels=("a", "b", "c")).answer((0.2, 0.7, 0.1))
        ('b', 0.7)
        >>> DecisionRule(task="regression", scale=10.0).loss(12.0, 7.0)
        0.5
    """

    positive_label: str = "true"
    threshold: float = 0.5
    group_by: str = ""
    thresholds: dict[str, float] = {}
    task: Task = "binary"
    labels: tuple[str, ...] = ()
    scale: float = 1.0
    interval: tuple[float, float] = (0.0, 0.0)

    def decide(self, score: float, group: str = "") -> bool:
        """The yes or no on a score of a row of that group."""
        return score >= (self.thresholds.get(group, self.threshold) if self.thresholds else self.threshold)

    def answer(self, scored: Score, group: str = "") -> tuple[Value, float]:
        """The decision on what a predictor said of one row, and the score that stands behind it.

        The score is the probability of a yes, the probability of the chosen class, or the number itself.
        """
        if isinstance(scored, tuple):
            best = max(range(len(scored)), key=scored.__getitem__)
            return self.labels[best], scored[best]
        return (scored if self.task == "regression" else self.decide(scored, group)), scored

    def answers(
        self, scores: NDArray[np.float64], groups: Sequence[str] | None = None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """:meth:`answer` for all rows of a matrix at once.

        Args:
            scores: (n,), or (n, classes).
            groups: (n,) values of ``group_by``; needed when the rule has thresholds by group.

        Returns:
            (n,) booleans, texts or numbers, and (n,) the scores behind them.
        """
        import numpy as np

        if self.task == "multiclass":
            best = np.argmax(scores, axis=1)
            return np.array(self.labels, dtype=object)[best], scores[np.arange(len(scores)), best]
        if self.task == "regression":
            return scores, scores
        if not self.thresholds or groups is None:
            return scores >= self.threshold, scores
        return scores >= np.array([self.thresholds.get(group, self.threshold) for group in groups], dtype=float), scores

    def truth(self, outcome: Value) -> Value:
        """An outcome, as it was reported, as the kind of value that the rule decides.

        Raises:
            ValueError: a finite number is needed and the outcome is none.

        Example:
            >>> DecisionRule(positive_label="late").truth("late"), DecisionRule().truth("true"), DecisionRule().truth(0)
            (True, True, False)
        """
        if self.task == "regression":
            number = float(outcome)
            if not math.isfinite(number):
                raise ValueError(f"the outcome {number} cannot be compared")
            return number
        if self.task == "multiclass":
            return str(int(outcome)) if isinstance(outcome, float) and outcome.is_integer() else str(outcome)
        if isinstance(outcome, str):
            said = outcome.strip()
            return said == self.positive_label or said.casefold() in (_YES if self.positive_label == "true" else ())
        return bool(outcome)

    def loss(self, value: Value, outcome: Value) -> float:
        """How wrong a decision was, 0 to 1: 0 or 1 for classes; for numbers the absolute error in units of
        ``scale``, at most 1, so that one wild outcome cannot decide a rollout.

        Raises:
            ValueError: a number was decided and the outcome is none.
        """
        right = self.truth(outcome)
        if self.task != "regression":
            return 0.0 if value == right else 1.0
        return min(abs(float(value) - float(right)) / self.scale, 1.0)

    def residual(self, value: Value, score: float, outcome: Value) -> float:
        """Outcome minus what was promised, -1 to 1: calibrated answers come to 0 on average.

        For a yes or no it is the outcome minus the probability, for a class whether it was right minus its
        probability, for a number the error in units of ``scale``, cut at one.
        """
        right = self.truth(outcome)
        if self.task == "regression":
            return min(max((float(right) - float(value)) / self.scale, -1.0), 1.0)
        found = right is True if self.task == "binary" else right == value
        return float(found) - min(max(score, 0.0), 1.0)

    def agree(self, one: Value, other: Value) -> bool:
        """Whether two decisions say the same; numbers do within half of ``scale``."""
        if self.task == "regression":
            return abs(float(one) - float(other)) <= _AGREE * self.scale
        return one == other
