"""The layouts of the registry by number, and the way from each to the next; the whole way is one transaction."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, func, insert, inspect, select

from bluegold.core.errors import RegistryError
from bluegold.registry.migrations import to_2, to_3, to_4
from bluegold.registry.tables import audit_head_table, layouts_table, metadata
from bluegold.security.signing import Signer

__all__ = ["LAYOUT", "STEPS", "layout_in", "migrate_in", "note_layout"]

Step = Callable[[Connection, Signer], None]

#: number of a layout -> what makes it of the one before
STEPS: dict[int, Step] = {2: to_2.run, 3: to_3.run, 4: to_4.run}

#: The layout that this release writes.
LAYOUT = max(STEPS)


def layout_in(connection: Connection) -> int | None:
    """The number of the layout that a database has; None when there is no registry in it yet.

    Raises:
        RegistryError: a newer release wrote it.
    """
    found = inspect(connection)
    if not found.has_table("audit_head") or connection.execute(select(audit_head_table.c.id)).first() is None:
        return None
    number = None
    if found.has_table(str(layouts_table.name)):
        number = connection.execute(select(func.max(layouts_table.c.number))).scalar()
    if number is None:  # the first two layouts did not say which they are
        number = 2 if "author" in {column["name"] for column in found.get_columns("versions")} else 1
    if number > LAYOUT:
        raise RegistryError(
            f"this registry has layout {number}, and this release of bluegold knows layouts up to {LAYOUT}",
            why="a newer release has written to it",
            way_out="use that release, or restore a backup from before",
        )
    return int(number)


def migrate_in(connection: Connection, signer: Signer) -> tuple[int, int]:
    """Bring a registry to this release's layout, inside a write transaction that is open already.

    Returns:
        the layout it had and the one it has.

    Raises:
        RegistryError: a newer release wrote it.
    """
    before = layout_in(connection)
    if before is None or before == LAYOUT:
        return LAYOUT, LAYOUT
    for number in range(before + 1, LAYOUT + 1):
        STEPS[number](connection, signer)
    metadata.create_all(connection)
    for table in metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    note_layout(connection)
    return before, LAYOUT


def note_layout(connection: Connection) -> None:
    """Write down that the database has this release's layout."""
    connection.execute(insert(layouts_table), {"number": LAYOUT})
