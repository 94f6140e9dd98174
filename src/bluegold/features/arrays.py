"""Arrays of a fixed shape as one field (a small image, a spectrum, a window of a sensor): flat lists of floats.

A frame holds them as ``List(Float64)`` in row-major order; JSON as nested lists of that shape, or flat.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from bluegold.core.errors import FieldError
from bluegold.features.fields import FieldSpec

__all__ = ["flatten", "judge_value", "size_of"]

LARGEST = sys.float_info.max


def size_of(field: FieldSpec) -> int:
    """How many numbers the field holds.

    Example:
        >>> size_of(FieldSpec(name="pixels", kind="array", shape=(8, 8)))
        64
    """
    return math.prod(field.shape)


def flatten(value: Any, dimensions: int) -> list[Any]:
    """Nested lists as one list; lists nested deeper than ``dimensions`` stay in it.

    Example:
        >>> flatten([[1, 2], [3]], 2), flatten([1, [2]], 1)
        ([1, 2, 3], [1, [2]])
    """
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    for _ in range(dimensions - 1):
        if not any(isinstance(item, (list, tuple)) for item in items):
            break
        items = [one for item in items for one in (item if isinstance(item, (list, tuple)) else (item,))]
    return items


def judge_value(field: FieldSpec) -> Callable[[Any], tuple[list[float], bool]]:
    """A function that holds one value against the field: the flat numbers, limits kept, and whether one was beyond.

    Example:
        >>> judge_value(FieldSpec(name="a", kind="array", shape=(2,), le=1.0, outside="clip"))([0, 2])
        ([0.0, 1.0], True)
    """
    name, size, shape = field.name, size_of(field), " x ".join(map(str, field.shape))
    low = -math.inf if field.ge is None else field.ge
    high = math.inf if field.le is None else field.le
    clip, dimensions = field.outside == "clip", len(field.shape)

    def judge(value: Any) -> tuple[list[float], bool]:
        numbers = flatten(value, dimensions)
        if len(numbers) != size:
            raise FieldError(name, f"has {len(numbers)} numbers", way_out=f"send {size} ({shape})")
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                what = f"a {type(number).__name__}"
                raise FieldError(name, f"holds {what} where a number is needed", way_out="send numbers")
            if not -LARGEST <= number <= LARGEST:  # NaN compares false as well
                raise FieldError(name, "holds an infinite number", way_out="send finite numbers")
        floats = [float(number) for number in numbers]
        beyond = min(floats) < low or max(floats) > high
        if beyond and clip:
            floats = [min(max(number, low), high) for number in floats]
        return floats, beyond

    return judge
