"""The contract: what one record looks like when the decision is taken, written as a class.

The cleaning of whole frames is :func:`~bluegold.features.cleaning.clean_frame`; it is offered here too.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, ClassVar, Literal

import msgspec
import polars as pl

from bluegold.core.errors import DefinitionError
from bluegold.features.cleaning import POLARS_TYPES, Cleaned, clean_frame
from bluegold.features.fields import ContractSpec, FieldSpec, Known, RuleSpec
from bluegold.features.translate import translate

__all__ = [
    "Cleaned",
    "Contract",
    "Rule",
    "array",
    "category",
    "clean_frame",
    "flag",
    "number",
    "rule",
    "schema_of",
    "text",
    "time",
]

Missing = Literal["refuse", "flag"]
ANNOTATIONS = {
    "array": {"list"},
    "category": {"str"},
    "text": {"str"},
    "number": {"float", "int"},
    "flag": {"bool"},
    "time": {"datetime"},
}
LARGEST_ARRAY = 65_536
RESERVED = {"rows", "rules", "spec", "transactions"}


def category(
    *levels: str,
    unknown: Literal["refuse", "flag"] | None = None,
    missing: Missing = "refuse",
    description: str = "",
    known: Known = "",
    personal: bool = False,
) -> Any:
    """A text out of a set of levels, given here or learned from the training data.

    Args:
        levels: the levels; none means that they are learned.
        unknown: what happens to another value; ``refuse`` by default when levels are listed, else ``flag``.
        missing: what happens to an empty value.
        description: one line for the document and the API.
        known: ``at decision`` or ``after`` the outcome; gate 6 asks when a field looks like the latter.
        personal: the value tells who somebody is; only its pseudonym is used, so no levels can be listed.

    Example:
        >>> category("EWR", "JFK").unknown
        'refuse'
    """
    policy = unknown or ("refuse" if levels else "flag")
    if policy == "refuse" and not levels:
        raise DefinitionError(
            "category(unknown='refuse') lists no levels", way_out="list the levels, or use unknown='flag'"
        )
    if personal and levels:
        raise DefinitionError(
            "category(personal=True) lists levels",
            why="the model sees a pseudonym, which is none of them",
            way_out="leave the levels out, or the mark",
        )
    return FieldSpec(
        name="",
        kind="category",
        personal=personal,
        levels=levels,
        unknown=policy,
        missing=missing,
        description=description,
        known=known,
    )


def number(
    *,
    ge: float | None = None,
    le: float | None = None,
    unit: str = "",
    outside: Literal["refuse", "clip", "flag"] = "refuse",
    missing: Missing = "refuse",
    description: str = "",
    known: Known = "",
) -> Any:
    """A finite number; annotate the field ``int`` for whole numbers.

    Args:
        ge: smallest possible value.
        le: largest possible value.
        unit: unit for the document, for example ``min``.
        outside: what happens to a value beyond the limits: ``refuse``, ``clip`` to the limit, or ``flag``.
        missing: what happens to an empty value (NaN counts as empty).
        description: one line for the document and the API.
        known: ``at decision`` or ``after`` the outcome.

    Example:
        >>> number(ge=0, outside="clip").outside
        'clip'
    """
    if ge is not None and le is not None and ge > le:
        raise DefinitionError(f"number(ge={ge}, le={le}) allows nothing", way_out="exchange the limits")
    return FieldSpec(
        name="",
        kind="number",
        ge=_float(ge),
        le=_float(le),
        unit=unit,
        outside=outside,
        missing=missing,
        description=description,
        known=known,
    )


def _float(limit: float | None) -> float | None:
    """One type for limits, so that a contract read back has the digest it was written with."""
    return None if limit is None else float(limit)


def time(*, utc: bool = False, missing: Missing = "refuse", description: str = "") -> Any:
    """A moment between the years 1900 and 2200, to the microsecond.

    Args:
        utc: ``True`` for moments on the world's clock: an offset in the value is converted, none means UTC.
            ``False`` for readings of a local clock, which carry no offset.
        missing: what happens to an empty value.
        description: one line for the document and the API.

    Example:
        >>> time(utc=True).kind
        'time'
    """
    return FieldSpec(name="", kind="time", utc=utc, missing=missing, description=description)


def flag(*, missing: Missing = "refuse", description: str = "", known: Known = "") -> Any:
    """A yes or no.

    Example:
        >>> flag().kind
        'flag'
    """
    return FieldSpec(name="", kind="flag", missing=missing, description=description, known=known)


def text(
    *,
    max_length: int = 200,
    missing: Missing = "refuse",
    description: str = "",
    personal: bool = False,
    financial_id: bool = False,
) -> Any:
    """A free text, for example an entity's identifier; a longer one is refused.

    Args:
        max_length: the largest number of characters.
        missing: what happens to an empty value.
        description: one line for the document and the API.
        personal: it tells who somebody is (a name, an address).  Features, histories, routing and everything stored
            see a stable pseudonym; the value itself is kept sealed, for roles that may see personal data.
        financial_id: the same for what identifies somebody financially (an account, a card).

    Example:
        >>> text(max_length=8).max_length, text(financial_id=True).marked
        (8, True)
    """
    return FieldSpec(
        name="",
        kind="text",
        max_length=max_length,
        missing=missing,
        description=description,
        personal=personal,
        financial_id=financial_id,
    )


def array(
    *,
    shape: tuple[int, ...],
    ge: float | None = None,
    le: float | None = None,
    outside: Literal["refuse", "clip", "flag"] = "refuse",
    missing: Missing = "refuse",
    description: str = "",
) -> Any:
    """Numbers of a fixed shape, for example a small image; annotate the field ``list``.

    Args:
        shape: lengths of the dimensions; at most 65,536 numbers in all.
        ge: smallest possible number.
        le: largest possible number.
        outside: what happens when a number is beyond the limits: ``refuse``, ``clip`` to them, or ``flag``.
        missing: what happens to an empty value.
        description: one line for the document and the API.

    Example:
        >>> array(shape=(8, 8), ge=0, le=16).shape
        (8, 8)
    """
    if not shape or min(shape) < 1 or math.prod(shape) > LARGEST_ARRAY:
        raise DefinitionError(
            f"array(shape={shape}) holds nothing, or more than {LARGEST_ARRAY:,} numbers",
            way_out="give the lengths of its dimensions, for example shape=(8, 8)",
        )
    limits = number(ge=ge, le=le, outside=outside, missing=missing, description=description)
    return msgspec.structs.replace(limits, kind="array", shape=tuple(shape))


class Rule:
    """A rule across fields, as written; see :func:`rule`."""

    def __init__(self, name: str, expression: pl.Expr, broken: Literal["refuse", "flag"]) -> None:
        self.name, self.expression, self.broken = name, expression, broken


def rule(name: str, expression: pl.Expr, *, broken: Literal["refuse", "flag"] = "refuse") -> Rule:
    """A rule across fields: the row breaks it where the expression is false (not where it is unknown).

    Args:
        name: name used in reasons and flags, as ``rule:name``.
        expression: a polars expression over contract fields that says what must hold.
        broken: ``refuse`` or ``flag`` the row.

    Example:
        >>> rule("ordered", pl.col("start") <= pl.col("end")).name
        'ordered'
    """
    return Rule(name, expression, broken)


def schema_of(fields: tuple[FieldSpec, ...]) -> dict[str, pl.DataType]:
    """The polars types of clean contract columns.

    Example:
        >>> schema_of((FieldSpec(name="a", kind="flag"),))
        {'a': Boolean}
    """
    return {field.name: POLARS_TYPES["integer" if field.integer else field.kind] for field in fields}


class Contract:
    """Base of contracts: annotated attributes are the fields, ``rules`` the rules across them.

    ``transactions = True`` says that each row is a financial transaction: its decision is archived.

    Raises:
        DefinitionError: at class creation, when a field, type or rule cannot mean what it says.

    Example:
        >>> class Payment(Contract):
        ...     "One payment."
        ...     amount: float = number(ge=0, unit="EUR")
        ...     country: str = category("ES", "PT", unknown="flag")
        >>> Payment.spec.names
        ('amount', 'country')
    """

    spec: ClassVar[ContractSpec]
    rules: ClassVar[tuple[Rule, ...]] = ()
    transactions: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Collect the fields and rules of the new contract."""
        super().__init_subclass__()
        annotations = inspect.get_annotations(cls)
        fields = []
        for name, value in vars(cls).items():
            if isinstance(value, FieldSpec):
                fields.append(_named(cls.__name__, name, value, annotations.get(name)))
        if not fields:
            raise DefinitionError(
                f"contract '{cls.__name__}' has no fields", way_out="write for example  amount: float = bg.number(ge=0)"
            )
        bare = [name for name in annotations if name not in vars(cls)]
        if bare:
            raise DefinitionError(
                f"field '{cls.__name__}.{bare[0]}' has a type but no kind",
                way_out="give it one of bg.category, bg.number, bg.time, bg.flag, bg.text, bg.array",
            )
        found = tuple(fields)
        rules = tuple(_rule(cls.__name__, item, found) for item in cls.rules)
        cls.spec = ContractSpec(
            name=cls.__name__,
            description=inspect.getdoc(cls) or "",
            fields=found,
            rules=rules,
            transactions=cls.transactions,
        )


def _named(owner: str, name: str, field: FieldSpec, annotation: Any) -> FieldSpec:
    if name.startswith("_") or name in RESERVED:
        raise DefinitionError(f"'{owner}.{name}' cannot be a field's name", way_out="choose another name")
    label = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    label = label.partition("[")[0].rpartition(".")[2]
    if label not in ANNOTATIONS[field.kind]:
        wanted = " or ".join(sorted(ANNOTATIONS[field.kind]))
        raise DefinitionError(
            f"field '{owner}.{name}' is a {field.kind} but annotated '{label}'", way_out=f"annotate it {wanted}"
        )
    given = {key: getattr(field, key) for key in field.__struct_fields__}
    return FieldSpec(**{**given, "name": name, "integer": field.kind == "number" and label == "int"})


def _rule(owner: str, item: Rule, fields: tuple[FieldSpec, ...]) -> RuleSpec:
    expression = translate(item.expression, schema_of(fields), f"rule '{item.name}' of '{owner}'")
    if expression.dtype != "bool":
        raise DefinitionError(f"rule '{item.name}' of '{owner}' is no yes or no", way_out="use a comparison")
    return RuleSpec(name=item.name, expression=expression, broken=item.broken)
