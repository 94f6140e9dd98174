"""What a system may say beyond its head."""

from __future__ import annotations

from typing import Literal, TypedDict

__all__ = ["CALIBRATIONS", "Options"]

#: ways to calibrate, the first for none
CALIBRATIONS = ("", "auto", "isotonic", "platt")


class Options(TypedDict, total=False):
    """What a system may say beyond its head.

    Attributes:
        entity: the contract field that says who or what the decision is about.
        task: ``binary`` (the target is true or false), ``multiclass`` (a text; whole numbers count as names) or
            ``regression`` (a number); by default what the target's type says, where only one is meant.
        folds: how many parts of the training rows the search judges every configuration on, 2 to 20; with a time
            each part is judged by what lies before it.  By default the validation rows alone are the judge.
        calibration: a map from scores to probabilities, fitted on the validation rows: ``isotonic``, ``platt`` or
            ``auto`` for the better of both; kept only where it beats the plain scores on rows it was not fitted on.
    """

    entity: str
    task: Literal["", "binary", "multiclass", "regression"]
    folds: int
    calibration: Literal["", "auto", "isotonic", "platt"]
