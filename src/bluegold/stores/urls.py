"""A kind or a URL gives a store: the one door to every adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, overload

from bluegold.core.errors import UsageError
from bluegold.core.workspace import Workspace
from bluegold.stores.protocols import (
    GraphStore,
    KeyValueStore,
    Kind,
    ObjectStore,
    RelationalStore,
    Store,
    VectorStore,
)

__all__ = ["ADAPTERS", "connect"]


def _sqlite(url: str, workspace: Workspace) -> Store:
    from bluegold.stores.relational_sqlite import RelationalSqlite

    return RelationalSqlite(url if "://" in url else f"sqlite:///{workspace.database}")


def _postgresql(url: str, _: Workspace) -> Store:
    from bluegold.stores.relational_postgresql import RelationalPostgresql

    return RelationalPostgresql(url)


def _files(url: str, workspace: Workspace) -> Store:
    from pathlib import Path

    from bluegold.stores.object_files import ObjectFiles

    return ObjectFiles(Path(url.partition("://")[2]) if "://" in url else workspace.objects)


def _lmdb(url: str, workspace: Workspace) -> Store:
    from pathlib import Path

    from bluegold.stores.key_value_lmdb import KeyValueLmdb

    return KeyValueLmdb(Path(url.partition("://")[2]) if "://" in url else workspace.online)


def _redis(url: str, _: Workspace) -> Store:
    from bluegold.stores.key_value_redis import KeyValueRedis

    return KeyValueRedis(url)


def _graph(url: str, workspace: Workspace) -> Store:
    from bluegold.stores.graph_relational import GraphRelational

    relational = connect(url if "://" in url else "sqlite", "relational", workspace)
    return GraphRelational(relational)


def _exact(url: str, workspace: Workspace) -> Store:
    from pathlib import Path

    from bluegold.stores.vector_exact import VectorExact

    return VectorExact(Path(url.partition("://")[2]) if "://" in url else workspace.root / "vectors")


#: kind of store -> scheme or short name -> how it is opened.
ADAPTERS: dict[Kind, dict[str, Callable[[str, Workspace], Store]]] = {
    "relational": {"sqlite": _sqlite, "postgresql": _postgresql},
    "object": {"files": _files},
    "key_value": {"lmdb": _lmdb, "redis": _redis, "rediss": _redis, "unix": _redis},
    "graph": {"relational": _graph, "sqlite": _graph, "postgresql": _graph},
    "vector": {"exact": _exact},
}


@overload
def connect(url: str, kind: Literal["relational"], workspace: Workspace) -> RelationalStore: ...
@overload
def connect(url: str, kind: Literal["object"], workspace: Workspace) -> ObjectStore: ...
@overload
def connect(url: str, kind: Literal["key_value"], workspace: Workspace) -> KeyValueStore: ...
@overload
def connect(url: str, kind: Literal["graph"], workspace: Workspace) -> GraphStore: ...
@overload
def connect(url: str, kind: Literal["vector"], workspace: Workspace) -> VectorStore: ...
def connect(url: str, kind: Kind, workspace: Workspace) -> Store:
    """Open the store that ``url`` names.

    Args:
        url: a short name (``sqlite``, ``files``, ``lmdb``, ``relational``, ``exact``: the store inside the
            workspace) or a URL (``sqlite:///file.db``, ``postgresql://...``, ``files:///folder``,
            ``lmdb:///folder``, ``redis://host:port/db``, ``exact:///folder``).
        kind: which protocol is wanted.
        workspace: where the embedded stores live.

    Raises:
        UsageError: no adapter of that kind has that name.
        StoreError: the store cannot be opened.

    Example:
        >>> import tempfile, pathlib
        >>> space = Workspace.create(pathlib.Path(tempfile.mkdtemp()))
        >>> store = connect("files", "object", space)
        >>> store.get(store.put(b"kept"))
        b'kept'
    """
    name = url.partition("://")[0].partition("+")[0]
    adapter = ADAPTERS[kind].get(name)
    if adapter is None:
        raise UsageError(
            f"there is no {kind.replace('_', '-')} store called '{name}'",
            way_out=f"choose one of: {', '.join(sorted(ADAPTERS[kind]))}",
        )
    return adapter(url, workspace)
