"""ADWIN: a window over a stream of numbers that shrinks when its mean changes.

Source: Bifet & Gavaldà (2007), *Learning from time-changing data with adaptive windowing*.  The window is kept as
buckets of 1, 2, 4, ... values, so that it costs a few hundred bytes and a test logarithmic time.
"""

from __future__ import annotations

import math

__all__ = ["Adwin"]

MOST = 5
"""Buckets of one size; the sixth makes two of them one of twice the size."""


class Adwin:
    """Adaptive windowing over values between 0 and 1, such as errors.

    Args:
        delta: the chance of a false alarm that a test is allowed.
        every: a test is made after so many values.
        least: no test before so many values.

    Attributes:
        width: how many values the window holds.

    Example:
        >>> watch = Adwin()
        >>> alarms = [at for at in range(2000) if watch.update(0.1 if at < 1000 else 0.9)]
        >>> alarms[0] - 1000 < 100
        True
    """

    def __init__(self, delta: float = 0.002, *, every: int = 8, least: int = 30) -> None:
        self.delta, self._every, self._least = delta, every, least
        # a row holds buckets of 2**row values, the oldest first: their sum and sum of squared deviations
        self._rows: list[list[tuple[float, float]]] = [[]]
        self.width = 0
        self._total = self._spread = 0.0
        self._seen = 0

    @property
    def mean(self) -> float:
        """Mean of the window."""
        return self._total / self.width if self.width else 0.0

    def update(self, value: float) -> bool:
        """Add a value; whether the mean has changed, and the values before the change were forgotten."""
        if self.width:
            self._spread += self.width * (value - self.mean) ** 2 / (self.width + 1)
        self.width += 1
        self._total += value
        self._rows[0].append((value, 0.0))
        self._compress()
        self._seen += 1
        if self._seen % self._every or self.width < self._least:
            return False
        changed = False
        while self._cut():
            changed = True
            self._drop()
        return changed

    def _compress(self) -> None:
        for row, buckets in enumerate(self._rows):
            if len(buckets) <= MOST:
                return
            if row + 1 == len(self._rows):
                self._rows.append([])
            (one, its), (two, other) = buckets.pop(0), buckets.pop(0)
            size = 2**row
            apart = (one - two) / size
            self._rows[row + 1].append((one + two, its + other + size / 2 * apart * apart))

    def _cut(self) -> bool:
        """Whether some old part of the window has another mean than the rest."""
        if self.width < 2 * self._every:
            return False
        variance = self._spread / self.width
        log = math.log(2.0 * math.log(self.width) / self.delta)
        count, total = 0, 0.0
        for row in range(len(self._rows) - 1, -1, -1):
            for bucket in self._rows[row]:
                count += 2**row
                total += bucket[0]
                rest = self.width - count
                if rest < 5:
                    return False
                if count < 5:
                    continue
                share = 1.0 / (count - 4) + 1.0 / (rest - 4)
                limit = math.sqrt(2.0 * share * variance * log) + 2.0 / 3.0 * share * log
                apart = total / count - (self._total - total) / rest
                if abs(apart) > limit:
                    return True
        return False

    def _drop(self) -> None:
        """Forget the oldest bucket."""
        row = max(place for place, buckets in enumerate(self._rows) if buckets)
        total, spread = self._rows[row].pop(0)
        size = 2**row
        self.width -= size
        self._total -= total
        if self.width:
            apart = total / size - self.mean
            self._spread = max(0.0, self._spread - spread - size * self.width / (size + self.width) * apart * apart)
        else:
            self._spread = 0.0
