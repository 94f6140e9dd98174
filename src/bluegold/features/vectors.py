"""Features that are several columns of the matrix: the numbers of an array, and the words of a text.

Both ways into the model, the frame's and the row's, call the same Python function on plain values, so they are equal
to the bit by construction.  Words are weighted by TF-IDF with length one (Salton & Buckley 1988) over a vocabulary
learned from the training rows, which is plain JSON and readable: a column is named for its word.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    import polars as pl

__all__ = ["VectorSpec", "cells_of", "columns_of", "learn_words", "tokens"]

TOKEN = re.compile(r"\w+")
NAN = math.nan


class VectorSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field as several columns.

    ``columns`` are their names in the matrix; for ``words`` there is a word and a weight behind each.
    """

    name: str
    field: str
    kind: Literal["array", "words"]
    columns: tuple[str, ...]
    words: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()


def tokens(text: str) -> list[str]:
    """The words of a text: runs of letters, digits and underscores, in lower case.

    Example:
        >>> tokens("Valve 7 is LEAKING.")
        ['valve', '7', 'is', 'leaking']
    """
    return TOKEN.findall(text.lower())


def learn_words(texts: Iterable[str | None], most: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The words that most texts share, and their inverse document frequency.

    Args:
        texts: training texts.
        most: how many words; those of fewer than two texts are never among them.

    Example:
        >>> words, weights = learn_words(["a b", "a c", "a b", None], 2)
        >>> words, [round(weight, 3) for weight in weights]
        (('a', 'b'), [1.0, 1.288])
    """
    seen: Counter[str] = Counter()
    rows = 0
    for text in texts:
        if text is not None:
            rows += 1
            seen.update(set(tokens(text)))
    common = sorted((word for word, count in seen.items() if count > 1), key=lambda word: (-seen[word], word))[:most]
    words = tuple(sorted(common))
    return words, tuple(math.log((1 + rows) / (1 + seen[word])) + 1.0 for word in words)


def cells_of(spec: VectorSpec) -> Callable[[Any], list[float]]:
    """The function from a field's clean value to the cells of the row.

    Example:
        >>> cells = cells_of(VectorSpec(name="t", field="t", kind="words", columns=("t:a", "t:b"), words=("a", "b"),
        ...     weights=(1.0, 1.0)))
        >>> cells("a a c"), cells(None)
        ([1.0, 0.0], [0.0, 0.0])
    """
    if spec.kind == "array":
        missing = [NAN] * len(spec.columns)
        return lambda value: missing if value is None else value
    place = {word: index for index, word in enumerate(spec.words)}
    weights, width = spec.weights, len(spec.words)

    def words(value: str | None) -> list[float]:
        cells = [0.0] * width
        found = [place[word] for word in tokens(value or "") if word in place]
        for index in found:
            cells[index] += weights[index]
        length = math.sqrt(sum([cells[index] * cells[index] for index in sorted(set(found))]))
        return [cell / length for cell in cells] if length else cells

    return words


def columns_of(spec: VectorSpec, values: pl.Series) -> pl.DataFrame:
    """The columns of a frame.

    Args:
        spec: the feature.
        values: the field's clean values.
    """
    import numpy as np
    import polars as pl

    cells = cells_of(spec)
    matrix = np.array([cells(value) for value in values.to_list()], dtype=np.float64)
    matrix = matrix.reshape(values.len(), len(spec.columns))
    return pl.DataFrame([pl.Series(name, matrix[:, place]) for place, name in enumerate(spec.columns)])
