"""Training-serving skew as it is lived: how often a feature is missing in real requests, against training.

Parity (gate 2) proves that both paths compute the same; it cannot see that nobody feeds the online store.  This
does: a feature that training nearly always knew and serving nearly never knows stops the rollout from advancing.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from bluegold.features.profile import Profile
from bluegold.production.results.records import DecisionRecord

__all__ = ["LiveFeatures", "Rise"]

_TOLERANCE = 0.05
_ERRORS = 3.0


class Rise(msgspec.Struct, frozen=True, kw_only=True):
    """The feature whose share of missing or unknown values rose most: live, in training, over how many requests."""

    feature: str
    live: float
    training: float
    n: int

    @property
    def broken(self) -> bool:
        """Whether the rise is beyond five points and beyond chance."""
        noise = _ERRORS * math.sqrt(max(self.live * (1.0 - self.live), 1.0 / max(self.n, 1)) / max(self.n, 1))
        return self.n > 0 and self.live - self.training > _TOLERANCE + noise


class LiveFeatures:
    """Counts missing values in the model inputs that serving recorded.

    Args:
        profile: the features as training saw them.
        digests: of the feature programs that make these features; records made by another one are left out.
    """

    def __init__(self, profile: Profile, digests: frozenset[str]) -> None:
        self._features = profile.features
        self._digests = digests
        self._category = np.array([feature.kind == "category" for feature in profile.features])
        self._missing = np.zeros(len(profile.features), dtype=np.int64)
        self.n = 0

    def take(self, record: DecisionRecord) -> None:
        """Count one decision's model input."""
        if record.features_digest not in self._digests or len(record.vector) != len(self._features):
            return
        row = np.array(record.matrix_row())
        self._missing += np.where(self._category, row < 0, np.isnan(row))
        self.n += 1

    def worst(self) -> Rise | None:
        """The largest rise, or None before the first request.

        Example:
            >>> LiveFeatures(Profile(rows=1, features=()), frozenset()).worst() is None
            True
        """
        if self.n == 0 or not self._features:
            return None
        shares = self._missing / self.n
        rises = shares - np.array([feature.missing for feature in self._features])
        index = int(np.argmax(rises))
        feature = self._features[index]
        return Rise(feature=feature.name, live=float(shares[index]), training=feature.missing, n=self.n)
