"""Graph store on a relational store: one table of edges, walked by a recursive query."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from sqlalchemy import Column, Connection, Index, MetaData, String, Table, delete, or_, select, text

from bluegold.stores.protocols import Edge, RelationalStore

__all__ = ["GraphRelational"]

metadata = MetaData()
edges_table = Table(
    "edges",
    metadata,
    Column("source", String, primary_key=True),
    Column("relation", String, primary_key=True),
    Column("target", String, primary_key=True),
    Index("edges_by_target", "target"),
)

# A breadth-first walk: UNION drops a node reached again at the same depth, the depth limit ends cycles.
_WALK = """
WITH RECURSIVE walk(node, depth) AS (
    SELECT CAST(:node AS VARCHAR), 0
    UNION
    SELECT e.{far}, walk.depth + 1 FROM edges AS e JOIN walk ON e.{near} = walk.node WHERE walk.depth < :depth
)
SELECT e.source, e.relation, e.target, MIN(walk.depth) AS distance
FROM edges AS e JOIN walk ON e.{near} = walk.node
WHERE walk.depth < :depth
GROUP BY e.source, e.relation, e.target
ORDER BY distance, e.source, e.relation, e.target
"""


class GraphRelational:
    """Directed relations in the table ``edges`` of a relational store.

    Args:
        store: the relational store; the table is made when missing.

    Raises:
        StoreError: the relational store fails.

    Example:
        >>> import tempfile
        >>> from bluegold.stores.relational_sqlite import RelationalSqlite
        >>> graph = GraphRelational(RelationalSqlite(f"sqlite:///{tempfile.mkdtemp()}/g.db"))
        >>> graph.add([Edge(source="data:1", relation="trained", target="m:v1")])
        >>> [edge.source for edge in graph.up("m:v1")]
        ['data:1']
        >>> graph.close()
    """

    def __init__(self, store: RelationalStore) -> None:
        self._store = store
        store.create(metadata)

    def add(self, edges: Sequence[Edge]) -> None:
        """Add relations; one that exists already is kept once."""
        with self._store.write() as connection:
            self.add_in(connection, edges)

    @staticmethod
    def add_in(connection: Connection, edges: Sequence[Edge]) -> None:
        """Add relations inside a write transaction that is open already."""
        rows = [{"source": e.source, "relation": e.relation, "target": e.target} for e in edges]
        if not rows:
            return
        dialect = importlib.import_module(
            f"sqlalchemy.dialects.{connection.dialect.name}"
        )  # each is heavy: one is loaded
        connection.execute(dialect.insert(edges_table).on_conflict_do_nothing(), rows)

    def up(self, node: str, depth: int = 32) -> tuple[Edge, ...]:
        """All relations that lead to ``node``, nearest first: where it comes from."""
        return self._walk(node, depth, near="target", far="source")

    def down(self, node: str, depth: int = 32) -> tuple[Edge, ...]:
        """All relations that start at ``node``, nearest first: what it gave rise to."""
        return self._walk(node, depth, near="source", far="target")

    def remove(self, node: str) -> int:
        """Forget every relation that touches ``node``; how many there were."""
        touches = or_(edges_table.c.source == node, edges_table.c.target == node)
        with self._store.write() as connection:
            return connection.execute(delete(edges_table).where(touches)).rowcount

    def ping(self) -> None:
        """Ask for one relation; raises ``StoreError`` when the store does not answer."""
        with self._store.read() as connection:
            connection.execute(select(edges_table.c.source).limit(1)).first()

    def close(self) -> None:
        """Close the relational store."""
        self._store.close()

    def _walk(self, node: str, depth: int, *, near: str, far: str) -> tuple[Edge, ...]:
        statement = text(_WALK.format(near=near, far=far))
        with self._store.read() as connection:
            rows = connection.execute(statement, {"node": node, "depth": depth}).all()
        return tuple(Edge(source=row.source, relation=row.relation, target=row.target) for row in rows)
