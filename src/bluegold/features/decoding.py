"""Typed decoding of request bodies, and their description for the API."""

from __future__ import annotations

import datetime as dt
import json
import re
from types import GenericAlias
from typing import Annotated, Any

import msgspec

from bluegold.core.errors import DataError, FieldError
from bluegold.features.fields import FieldSpec
from bluegold.features.program import FeatureProgram

__all__ = ["MOST_ROWS", "Decoder"]

MOST_ROWS = 1_000
TYPES: dict[str, Any] = {"category": str, "text": str, "number": float, "flag": bool, "time": dt.datetime}
TYPES |= {"array": list[Any]}
WHOLE = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
LOCAL_TIME = {
    "type": "string",
    "format": "date-time-local",
    "pattern": r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?$",
}
"""A reading of a local clock: 'date-time' would ask for an offset."""

MANY = re.compile(rb'^\s*\{\s*"rows"\s*:')
PLACE = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")
NAMED = re.compile(r"field `(?P<field>[^`]*)`")


class Decoder:
    """Decoder of one program's requests.

    Args:
        program: the program whose contract the rows follow.
    """

    def __init__(self, program: FeatureProgram) -> None:
        self.program = program
        fields = sorted(program.contract.fields, key=lambda field: field.missing == "flag")
        row = msgspec.defstruct(program.contract.name, [_member(field) for field in fields], forbid_unknown_fields=True)
        several: Any = GenericAlias(list, (row,))
        rows: Any = Annotated[several, msgspec.Meta(min_length=1, max_length=MOST_ROWS)]
        self._one = msgspec.json.Decoder(row)
        self._many = msgspec.json.Decoder(msgspec.defstruct("Rows", [("rows", rows)], forbid_unknown_fields=True))
        self._quotes = sum(4 if field.kind in {"category", "text", "time"} else 2 for field in fields)
        self._optional = tuple(field.name for field in fields if field.missing == "flag")

    def decode(self, body: bytes) -> list[Any]:
        """The rows of a body, typed.

        Raises:
            DataError: the body is no JSON object, or has no rows or too many.
            FieldError: a field is missing, unknown, of the wrong type, or stands twice.
        """
        many = MANY.match(body) is not None
        rows = self._typed(body, many=many)
        # Every name and every text stands in two quotes: a field that stands twice has two more.
        if body.count(b'"') != len(rows) * self._quotes + 2 * many or self._left_out(rows):
            json.loads(body, object_pairs_hook=_distinct)
        return rows

    def _left_out(self, rows: list[Any]) -> bool:
        """Whether a field was left out, so that another could stand twice in its place."""
        for row in rows:
            for name in self._optional:
                if getattr(row, name) is None:
                    return True
        return False

    def _typed(self, body: bytes, *, many: bool) -> list[Any]:
        try:
            if many:
                found: Any = self._many.decode(body)
                return list(found.rows)
            return [self._one.decode(body)]
        except msgspec.ValidationError as error:
            raise _explained(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DataError(
                "the body is no JSON", why=str(error) or "it is nested too deeply", way_out="send one JSON object"
            ) from error

    def example(self) -> dict[str, Any]:
        """A record that works."""
        return {name: self.program.typical[name] for name in self.program.contract.names}

    def json_schema(self) -> dict[str, Any]:
        """JSON schema (draft 2020-12) of one record."""
        contract = self.program.contract
        properties = {
            field.name: _described(field, self.program.known.get(field.name, ())) for field in contract.fields
        }
        return {
            "title": contract.name,
            "description": contract.description,
            "type": "object",
            "properties": properties,
            "required": [field.name for field in contract.fields if field.missing == "refuse"],
            "additionalProperties": False,
        }


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    """Refuse a field that stands twice: readers do not agree on which of the two counts."""
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise FieldError(name, "stands twice", way_out="send it once")
        seen.add(name)


def _member(field: FieldSpec) -> Any:
    kind = WHOLE if field.integer else TYPES[field.kind]
    return (field.name, kind | None, None) if field.missing == "flag" else (field.name, kind)


def _explained(message: str) -> DataError:
    place, named = PLACE.search(message), NAMED.search(message)
    path = place["place"] if place else ""
    text = PLACE.sub("", message)
    if named:
        field = f"{path}.{named['field']}" if path else named["field"]
        if "unknown field" in text:
            return FieldError(field, "is unknown", way_out="leave it out, or correct its name")
        return FieldError(field, "is missing", way_out="add it")
    if not path:
        return DataError("the body is no record", why=text, way_out='send one JSON object, or {"rows": [...]}')
    if path == "rows" and "length" in text:
        return FieldError("rows", f"holds no row or more than {MOST_ROWS:,}", way_out=f"send 1 to {MOST_ROWS:,} rows")
    return FieldError(path, text[:1].lower() + text[1:], way_out="send the type the API describes")


def _nested(shape: tuple[int, ...]) -> dict[str, Any]:
    items = _nested(shape[1:]) if shape[1:] else {"type": "number"}
    return {"type": "array", "items": items, "minItems": shape[0], "maxItems": shape[0]}


def _described(field: FieldSpec, known: tuple[str, ...]) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "category": {"type": "string"},
        "text": {"type": "string", "maxLength": field.max_length},
        "number": {"type": "integer" if field.integer else "number"},
        "flag": {"type": "boolean"},
        "time": {"type": "string", "format": "date-time"} if field.utc else dict(LOCAL_TIME),
        "array": _nested(field.shape) if field.shape else {},
    }
    found = kinds[field.kind]
    unit = f" ({field.unit})" if field.unit else ""
    if field.description or unit:
        found["description"] = f"{field.description}{unit}".strip()
    if field.levels and field.unknown == "refuse":
        found["enum"] = list(field.levels)
    elif known:
        found["examples"] = list(known[:5])
    if field.outside == "refuse" and field.kind == "number":
        found |= {"minimum": field.ge} if field.ge is not None else {}
        found |= {"maximum": field.le} if field.le is not None else {}
    if field.missing == "flag":
        found["type"] = [found["type"], "null"]
    return found
