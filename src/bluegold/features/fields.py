"""What a contract says about its fields, as plain data (no polars, so that serving stays light)."""

from __future__ import annotations

from typing import Literal

import msgspec

from bluegold.features.tree import Expression
from bluegold.security.pseudonyms import LENGTH

__all__ = ["ContractSpec", "FieldKind", "FieldSpec", "Known", "RuleSpec"]

FieldKind = Literal["category", "number", "time", "flag", "text", "array"]
#: When a value is known: when the decision is taken, only afterwards, or nobody said.
Known = Literal["", "at decision", "after"]


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a record: its kind, its limits and what happens to a value that breaks them.

    ``refuse`` puts the row into quarantine (batch) or answers 422 (online).  ``flag`` keeps the row, with the
    value as it is (or empty) and the flag ``field:missing``, ``field:unknown`` or ``field:outside``.
    ``clip`` moves the number to its limit and flags ``field:clipped``.
    ``known`` says when the value is known; one that is known only ``after`` the outcome must not feed the model.
    ``personal`` and ``financial_id`` say that the value tells who somebody is, or identifies them financially: past
    decoding it is a pseudonym, and the value itself is kept sealed.
    """

    name: str
    kind: FieldKind
    levels: tuple[str, ...] = ()
    unknown: Literal["refuse", "flag"] = "flag"
    ge: float | None = None
    le: float | None = None
    integer: bool = False
    unit: str = ""
    outside: Literal["refuse", "clip", "flag"] = "refuse"
    missing: Literal["refuse", "flag"] = "refuse"
    utc: bool = False
    max_length: int = 200
    shape: tuple[int, ...] = ()
    description: str = ""
    known: Known = ""
    personal: bool = False
    financial_id: bool = False

    @property
    def marked(self) -> bool:
        """Whether the value identifies somebody and is replaced by a pseudonym."""
        return self.personal or self.financial_id

    @property
    def longest(self) -> int:
        """How many characters a text may have where fields are cleaned: a pseudonym fits whatever the limit."""
        return max(self.max_length, LENGTH) if self.marked else self.max_length


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A rule across fields; a row breaks it when the expression is false (unknown counts as kept)."""

    name: str
    expression: Expression
    broken: Literal["refuse", "flag"] = "refuse"


class ContractSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A record's shape: fields in order and the rules across them.

    ``transactions`` says that its rows are financial transactions, which are archived.
    """

    name: str
    description: str
    fields: tuple[FieldSpec, ...]
    rules: tuple[RuleSpec, ...] = ()
    transactions: bool = False

    @property
    def marked(self) -> tuple[FieldSpec, ...]:
        """The fields whose values identify somebody."""
        return tuple(field for field in self.fields if field.marked)

    @property
    def names(self) -> tuple[str, ...]:
        """Field names in order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> FieldSpec:
        """The field of that name.

        Raises:
            KeyError: there is no such field.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)
