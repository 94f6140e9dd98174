"""To layout 4: versions are searched for words in a column of their own, in one case, instead of in their bodies."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, bindparam, inspect, select, text, update
from sqlalchemy.schema import CreateColumn

from bluegold.core.nouns import ModelVersion
from bluegold.registry.schema import search_words
from bluegold.registry.tables import VERSIONS
from bluegold.security.signing import Signer

__all__ = ["run"]


def run(connection: Connection, signer: Signer) -> None:  # noqa: ARG001 - every step is called alike
    """Add the column and fill it from the bodies."""
    versions = VERSIONS.table
    if "words" not in {column["name"] for column in inspect(connection).get_columns("versions")}:
        words = CreateColumn(versions.c.words).compile(dialect=connection.dialect)
        connection.execute(text(f"ALTER TABLE versions ADD COLUMN {words}"))
    rows = connection.execute(select(versions.c.id, versions.c.body)).all()
    found = [{"row": row.id, "words": search_words(msgspec.json.decode(row.body, type=ModelVersion))} for row in rows]
    if found:
        connection.execute(update(versions).where(versions.c.id == bindparam("row")), found)
