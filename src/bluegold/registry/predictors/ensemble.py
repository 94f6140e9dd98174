"""An ensemble: registered models that answer as one, by the weighted mean of what they say.

Its file holds its members whole, each with the version it came from and that version's digest, so that one signature
covers all of them and no member can go missing.  A member that fails fails the row: what is signed is the mean of
all, and an answer without one of them would be another model's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from bluegold.core.errors import RegistryError
from bluegold.registry.predictors.calibrated import CalibratedPredictor, Calibration
from bluegold.registry.predictors.protocol import Predictor, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST", "EnsemblePredictor", "Member"]

#: members of an ensemble at most
MOST = 16


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One model of an ensemble: the version it is, its weight, and the file that its family loads."""

    ref: str
    digest: str
    family: str
    weight: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
    data: bytes
    calibration: Calibration | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    probabilities: bool
    members: Annotated[tuple[Member, ...], msgspec.Meta(min_length=2, max_length=MOST)]
    format: Literal[1] = 1


class EnsemblePredictor:
    """The weighted mean of several predictors, for a batch as for a row, to the bit.

    Args:
        members: two or more; their weights add up to 1.
        load: makes a predictor of a family's name and a file; refuses what is not safe.
        probabilities: whether scores are probabilities, which never leave [0, 1].

    Raises:
        RegistryError: a member cannot be loaded, or they do not fit each other.

    Example:
        >>> from bluegold.registry.predictors.families import load_predictor
        >>> from bluegold.registry.predictors.linear import LinearPredictor, NumberTerm
        >>> def model(weight):
        ...     return LinearPredictor(intercept=0.0, terms=(NumberTerm(mean=0.0, scale=1.0, weight=weight),)).dump()
        >>> flat, steep = model(0.0), model(50.0)
        >>> members = [Member(ref=f"m:v{n}", digest="", family="logistic", weight=w, data=d)
        ...            for n, (w, d) in enumerate([(0.75, flat), (0.25, steep)], start=1)]
        >>> both = EnsemblePredictor(tuple(members), load_predictor, probabilities=True)
        >>> both.score_row([1.0]), load_predictor("ensemble", both.dump()).score_row([-1.0])
        (0.625, 0.375)
    """

    family = "ensemble"

    def __init__(
        self, members: tuple[Member, ...], load: Callable[[str, bytes], Predictor], *, probabilities: bool
    ) -> None:
        self.members = members
        self._probabilities = probabilities
        self._parts: list[tuple[float, Predictor]] = []
        for member in members:
            if member.family == self.family:
                raise RegistryError(f"{member.ref} is an ensemble itself", way_out="name the versions it is made of")
            inner = load(member.family, member.data)
            predictor = inner if member.calibration is None else CalibratedPredictor(inner, member.calibration)
            self._parts.append((member.weight, predictor))
        first = self._parts[0][1]
        for member, (_, predictor) in zip(members, self._parts, strict=True):
            if (predictor.width, predictor.outputs) != (first.width, first.outputs):
                raise RegistryError(
                    f"{member.ref} does not fit {members[0].ref}",
                    why=f"it makes {predictor.outputs} scores of {predictor.width} features, "
                    f"the other {first.outputs} of {first.width}",
                )
        if abs(math.fsum(member.weight for member in members) - 1.0) > 1e-9:
            raise RegistryError("an ensemble's weights do not add up to 1", way_out="develop the version again")
        self.width, self.outputs = first.width, first.outputs
        self.shares = any(predictor.shares for _, predictor in self._parts)

    @classmethod
    def load(cls, data: bytes, load: Callable[[str, bytes], Predictor]) -> EnsemblePredictor:
        """The ensemble in a file.

        Raises:
            RegistryError: the file is none, or a member cannot be used.
        """
        try:
            file = msgspec.json.decode(data, type=_File)
        except msgspec.MsgspecError as error:
            raise RegistryError("an ensemble cannot be read", why=str(error), way_out="develop it again") from error
        return cls(file.members, load, probabilities=file.probabilities)

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of the members' scores, (n,) or (n, outputs)."""
        import numpy as np

        total: NDArray[np.float64] = np.zeros((len(matrix), self.outputs) if self.outputs > 1 else len(matrix))
        for weight, predictor in self._parts:
            total += weight * predictor.scores(matrix)
        return np.minimum(total, 1.0) if self._probabilities else total

    def score_row(self, row: Sequence[float]) -> Score:
        """The same for one row, addition by addition."""
        total = [0.0] * self.outputs
        for weight, predictor in self._parts:
            said = predictor.score_row(row)
            for place, one in enumerate(said if isinstance(said, tuple) else (said,)):
                total[place] += weight * one
        kept = tuple(min(one, 1.0) for one in total) if self._probabilities else tuple(total)
        return kept if self.outputs > 1 else kept[0]

    def dump(self) -> bytes:
        """The file that :meth:`load` reads back."""
        return msgspec.json.encode(_File(probabilities=self._probabilities, members=self.members))
