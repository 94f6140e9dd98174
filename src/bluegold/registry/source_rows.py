"""Source rows: which stored tables hold the rows that a version learned from, was judged on, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from bluegold.core.errors import IntegrityError
from bluegold.core.nouns import Noun
from bluegold.stores.protocols import Edge

__all__ = ["PART_NAMES", "ROWS", "USED_ON", "USES", "Part", "SourceRows", "row_edges"]

#: The artefact of a version that says so; it is signed with the version.
ROWS = "rows.json"

Part = Literal["train", "validate", "holdout", "quarantine", "valid"]

#: What a version did with the rows of a part.  The final model is fitted on training and validation rows together.
USES: dict[Part, str] = {
    "train": "trained",
    "validate": "validated",
    "holdout": "judged",
    "quarantine": "refused for",
    "valid": "cleaned for",
}

#: The parts in words.
PART_NAMES: dict[Part, str] = {
    "train": "training",
    "validate": "validation",
    "holdout": "hold-out",
    "quarantine": "refused",
    "valid": "kept, used for nothing",
}

#: The uses in words, before the row.
USED_ON = {
    "trained": "trained on",
    "validated": "chosen and trained on",
    "judged": "judged on",
    "refused for": "refused",
}


class SourceRows(Noun, frozen=True, kw_only=True):
    """What became of the source rows of a version.

    Attributes:
        source: digest of the source rows as they were loaded.
        rows: how many there were.
        tables: part -> sha256 of the stored table; every table has the row's number in the source as ``_row``.
            ``valid`` holds all rows that kept the contract, whatever part they are in.
        counts: part -> rows.
    """

    source: str
    rows: int
    tables: dict[Part, str]
    counts: dict[Part, int]


def row_edges(ref: str, data: str, artefacts: Mapping[str, bytes]) -> list[Edge]:
    """The relations from source rows over stored tables to a version; none where the version says nothing of rows.

    Args:
        ref: the version.
        data: digest of its data (rows and lookup tables).
        artefacts: its artefacts; only :data:`ROWS` is read.

    Raises:
        IntegrityError: what it says about rows cannot be read.

    Example:
        >>> told = SourceRows(source="5a", rows=3, tables={"train": "7b"}, counts={"train": 3})
        >>> for edge in row_edges("m:v1", "da", {ROWS: msgspec.json.encode(told)}):
        ...     print(edge.source, edge.relation, edge.target)
        rows:5a loaded as data:da
        rows:5a train table:7b
        table:7b trained m:v1
    """
    if ROWS not in artefacts:
        return []
    try:
        told = msgspec.json.decode(artefacts[ROWS], type=SourceRows)
    except msgspec.DecodeError as error:
        raise IntegrityError(
            f"{ROWS} of {ref} does not say what became of rows", why=str(error), subject=ref
        ) from error
    edges = [Edge(source=f"rows:{told.source}", relation="loaded as", target=f"data:{data}")]
    for part, digest in told.tables.items():
        edges.append(Edge(source=f"rows:{told.source}", relation=part, target=f"table:{digest}"))
        edges.append(Edge(source=f"table:{digest}", relation=USES[part], target=ref))
    return edges
