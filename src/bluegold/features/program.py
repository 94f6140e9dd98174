"""The feature program: one definition fitted to its data, run on frames (here) or on one row (``row``)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from bluegold.core.errors import IntegrityError
from bluegold.features.specs import ProgramSpec

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from bluegold.features.cleaning import Cleaned
    from bluegold.features.system import System

__all__ = ["FeatureProgram", "fit_program"]


class FeatureProgram(ProgramSpec, frozen=True, kw_only=True, dict=True):
    """Everything that turns records into model input; plain data, no user code.

    Reading one and asking for its ``names`` needs no polars; the methods on frames load it.

    Example:
        >>> import polars as pl, bluegold as bg
        >>> class Row(bg.Contract):
        ...     x: float = bg.number()
        >>> system = bg.System("tiny", contract=Row, target=pl.col("y") > 0)
        >>> system.feature("twice", pl.col("x") * 2)
        >>> program = fit_program(system, pl.DataFrame({"x": [1.0, 2.0]}), {})
        >>> program.matrix(program.features(pl.DataFrame({"x": [4.0]}), {})).tolist()
        [[8.0]]
        >>> FeatureProgram.from_json(program.to_json()).digest == program.digest
        True
    """

    def to_json(self) -> bytes:
        """The program as JSON; the same program gives the same bytes."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def from_json(cls, data: bytes) -> FeatureProgram:
        """Read a program back.

        Raises:
            IntegrityError: the bytes are no feature program of a known format.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise IntegrityError(
                "the feature program cannot be read",
                why=str(error),
                way_out="take the version's program.json as it was registered, or train the version again",
            ) from error

    @functools.cached_property
    def digest(self) -> str:
        """The sha256 of :meth:`to_json`: the version of the features."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def clean(self, frame: pl.DataFrame) -> Cleaned:
        """Hold raw rows against the contract, with the levels that training showed."""
        from bluegold.features.cleaning import clean_frame

        return clean_frame(self.contract, frame, self.known)

    def features(self, frame: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """One row of features for every clean row.

        Args:
            frame: clean rows; histories see the rows of this frame only, so give the past together with the rows.
            tables: lookup tables.
        """
        from bluegold.features.batch import feature_frame

        return feature_frame(self, frame, tables)

    def matrix(self, features: pl.DataFrame) -> NDArray[np.float64]:
        """Model input (rows, features): missing and infinite numbers NaN, categories their code, unknown ones -1."""
        from bluegold.features.batch import feature_matrix

        return feature_matrix(self, features)


def fit_program(system: System, train: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> FeatureProgram:
    """Fit a system's definition to its training rows: resolve types, learn vocabularies.

    Args:
        system: the definition.
        train: clean training rows (``clean_frame(...).valid``).
        tables: lookup tables.

    Raises:
        DefinitionError: a definition cannot mean what it says.
        DataError: there are no training rows, or a table is missing.
    """
    from bluegold.features.fitting import fit

    spec = fit(system, train, tables)
    return FeatureProgram(**{name: getattr(spec, name) for name in spec.__struct_fields__})
