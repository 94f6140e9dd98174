"""Masking: personal values become pseudonyms as soon as they are decoded, the same way for frames and for one row.

What stands behind a pseudonym is handed over once, to be sealed; features, histories, routing, artefacts, results
and logs never see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bluegold.core.errors import FieldError
from bluegold.features.fields import ContractSpec
from bluegold.security.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from bluegold.features.system import Data

__all__ = ["Masker", "masked"]


class Masker:
    """Puts pseudonyms in place of the marked fields of one contract.

    Args:
        contract: says which fields identify somebody.
        names: gives the pseudonyms.

    Example:
        >>> from bluegold.features.fields import FieldSpec
        >>> fields = (FieldSpec(name="iban", kind="text", financial_id=True), FieldSpec(name="amount", kind="number"))
        >>> masker = Masker(ContractSpec(name="Payment", description="", fields=fields), Pseudonyms(bytes(32)))
        >>> row = {"iban": "ES91", "amount": 2.0}
        >>> masker.row(row), row["iban"] == Pseudonyms(bytes(32)).of("ES91")
        ({'iban': 'ES91'}, True)
    """

    def __init__(self, contract: ContractSpec, names: Pseudonyms) -> None:
        self._fields = tuple((field.name, field.max_length, field.longest) for field in contract.marked)
        self._names = names

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are replaced."""
        return tuple(name for name, _, _ in self._fields)

    def row(self, row: Any) -> dict[str, str]:
        """Replace the marked fields of one decoded row (a struct or a dict); the values that stood there.

        Raises:
            FieldError: a value is longer than its field allows.
        """
        found: dict[str, str] = {}
        plain = isinstance(row, dict)
        for name, most, _ in self._fields:
            value = row.get(name) if plain else getattr(row, name)
            if not isinstance(value, str):
                continue  # missing, or a type that the contract refuses
            if len(value) > most:
                raise FieldError(name, f"has {len(value):,} characters, at most {most} are possible")
            found[name] = value
            if plain:
                row[name] = self._names.of(value)
            else:
                setattr(row, name, self._names.of(value))
        return found

    def frame(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with pseudonyms in the marked columns it has; a value that is too long stays too long."""
        import polars as pl

        for name, most, longest in self._fields:
            if name not in frame.columns:
                continue
            column = frame[name].cast(pl.String, strict=False)
            values = column.unique().drop_nulls().to_list()
            new = [self._names.of(value) if len(value) <= most else "~" * (longest + 1) for value in values]
            frame = frame.with_columns(column.replace_strict(values, new, default=None, return_dtype=pl.String))
        return frame


def masked(contract: ContractSpec, data: Data, keys: Path) -> Data:
    """A system's data with pseudonyms in the marked columns of rows and tables; unchanged where nothing is marked.

    Args:
        contract: says which fields identify somebody.
        data: rows and lookup tables, as the source gave them.
        keys: the workspace's keys; the pseudonyms of training are those of serving.

    Raises:
        WorkspaceError: the key of the pseudonyms cannot be made or read.
    """
    if not contract.marked:
        return data
    masker = Masker(contract, Pseudonyms.open(keys))
    tables: Mapping[str, pl.DataFrame] = {name: masker.frame(table) for name, table in data.tables.items()}
    return type(data)(masker.frame(data.rows), dict(tables), data.notes)
