"""To layout 3: the layout has a number; audit rows are found by what was done, so that anchors stay cheap;
PostgreSQL compares bodies byte by byte.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from bluegold.registry.tables import GOVERNED, audit_table, layouts_table
from bluegold.security.signing import Signer

__all__ = ["run"]


def run(connection: Connection, signer: Signer) -> None:  # noqa: ARG001 - every step is called alike
    """Make the table of layouts and the index over actions; set the collation of the bodies."""
    layouts_table.create(connection, checkfirst=True)
    for index in audit_table.indexes:
        index.create(connection, checkfirst=True)
    if connection.dialect.name == "postgresql":
        for name in GOVERNED:
            if inspect(connection).has_table(name):
                connection.execute(text(f'ALTER TABLE {name} ALTER COLUMN body TYPE TEXT COLLATE "C"'))
