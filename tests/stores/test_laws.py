"""Laws that every store adapter keeps: a new adapter is tested by being listed in ``ADAPTERS``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select

from bluegold.core.errors import IntegrityError, StoreError, UsageError
from bluegold.core.workspace import Workspace
from bluegold.stores import connect
from bluegold.stores.matrix import FACTORS, PROFILES
from bluegold.stores.protocols import (
    Edge,
    GraphStore,
    KeyValueStore,
    Kind,
    ObjectStore,
    RelationalStore,
    Store,
    VectorStore,
)
from bluegold.stores.urls import ADAPTERS

PROTOCOLS = {
    "relational": RelationalStore,
    "object": ObjectStore,
    "key_value": KeyValueStore,
    "graph": GraphStore,
    "vector": VectorStore,
}
SERVERS = {"postgresql", "redis", "rediss", "unix"}
# A server adapter needs its server; what runs inside the workspace is tested here, each by its short name.
EMBEDDED = [(kind, name) for kind, names in ADAPTERS.items() for name in names if name not in SERVERS]


def embedded(kind: Kind) -> list[str]:
    return [name for one, name in EMBEDDED if one == kind]


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace")


@pytest.fixture(params=EMBEDDED, ids="-".join)
def store(request: pytest.FixtureRequest, space: Workspace) -> Iterator[tuple[Kind, str, Store]]:
    kind, name = request.param
    opened = connect(name, kind, space)
    yield kind, name, opened
    opened.close()


def test_every_store_follows_its_protocol_answers_and_closes_twice(store: tuple[Kind, str, Store]) -> None:
    kind, _, opened = store
    assert isinstance(opened, PROTOCOLS[kind])
    opened.ping()
    opened.close()
    opened.close()


def test_every_kind_has_a_profile_with_a_grade_for_every_factor() -> None:
    assert set(PROFILES) == set(ADAPTERS) == set(PROTOCOLS)
    for profile in PROFILES.values():
        assert len(profile.grades) == len(FACTORS)
        assert profile.consistency in {"strong", "eventual", "configurable"}
        assert profile.latency in {"batch", "interactive", "realtime"}


def test_an_unknown_name_is_a_usage_error_that_lists_the_known_ones(space: Workspace) -> None:
    for kind, names in ADAPTERS.items():
        with pytest.raises(UsageError, match=min(names)):
            connect("nosuch://x", kind, space)


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    space = Workspace(tmp_path / "file" / "workspace")
    for kind, name in EMBEDDED:
        with pytest.raises(StoreError):
            connect(name, kind, space)


# --- relational ---------------------------------------------------------------------------------------------------

metadata = MetaData()
numbers = Table("numbers", metadata, Column("value", Integer, primary_key=True))


@pytest.fixture(params=embedded("relational"))
def relational(request: pytest.FixtureRequest, space: Workspace) -> Iterator[RelationalStore]:
    opened = connect(request.param, "relational", space)
    opened.create(metadata)
    yield opened
    opened.close()


def count(store: RelationalStore) -> int:
    with store.read() as connection:
        return connection.execute(select(func.count()).select_from(numbers)).scalar_one()


def test_a_failed_write_leaves_nothing(relational: RelationalStore) -> None:
    def interrupted() -> None:
        with relational.write() as connection:
            connection.execute(insert(numbers), [{"value": 1}, {"value": 2}])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert count(relational) == 0
    with relational.write() as connection:
        connection.execute(insert(numbers), [{"value": 1}])
    assert count(relational) == 1


def test_a_reader_sees_one_moment_and_is_not_blocked_by_a_writer(relational: RelationalStore) -> None:
    with relational.read() as reader:
        before = reader.execute(select(func.count()).select_from(numbers)).scalar_one()
        with relational.write() as writer:
            writer.execute(insert(numbers), [{"value": 5}])
        assert reader.execute(select(func.count()).select_from(numbers)).scalar_one() == before == 0
    assert count(relational) == 1


def test_database_errors_become_store_errors(relational: RelationalStore) -> None:
    def twice() -> None:
        with relational.write() as connection:
            connection.execute(insert(numbers), [{"value": 1}])
            connection.execute(insert(numbers), [{"value": 1}])

    with pytest.raises(StoreError, match=r"(?i)unique"):
        twice()
    assert count(relational) == 0


def test_creating_tables_again_keeps_their_rows(relational: RelationalStore) -> None:
    with relational.write() as connection:
        connection.execute(insert(numbers), [{"value": 1}])
    relational.create(metadata)
    assert count(relational) == 1


# --- object -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=embedded("object"))
def objects(request: pytest.FixtureRequest, space: Workspace) -> Iterator[ObjectStore]:
    opened = connect(request.param, "object", space)
    yield opened
    opened.close()


def test_objects_are_named_by_their_content(objects: ObjectStore) -> None:
    first, again, empty = objects.put(b"one"), objects.put(b"one"), objects.put(b"")
    assert first == again != empty
    assert objects.get(first) == b"one"
    assert objects.get(empty) == b""
    assert list(objects.digests()) == sorted([first, empty])


def test_a_missing_object_and_a_bad_name_are_refused(objects: ObjectStore) -> None:
    digest = objects.put(b"gone soon")
    assert objects.has(digest)
    assert objects.delete(digest)
    assert not objects.delete(digest)
    assert not objects.has(digest)
    with pytest.raises(IntegrityError, match=digest[:12]):
        objects.get(digest)
    for name in ("", "../../etc/passwd", "AB" * 32, digest[:-1]):
        with pytest.raises(StoreError, match="sha256"):
            objects.get(name)


# --- key-value ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=embedded("key_value"))
def pairs(request: pytest.FixtureRequest, space: Workspace) -> Iterator[KeyValueStore]:
    opened = connect(request.param, "key_value", space)
    yield opened
    opened.close()


def test_a_failed_batch_leaves_nothing_and_a_batch_sees_its_own_writes(pairs: KeyValueStore) -> None:
    def interrupted() -> None:
        with pairs.batch() as batch:
            batch.put(b"a", b"1")
            assert batch.get(b"a") == b"1"
            assert batch.floor(b"b") == (b"a", b"1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert pairs.get(b"a") is None


def test_a_scan_is_one_moment(pairs: KeyValueStore) -> None:
    for number in range(5):
        pairs.put(b"k%d" % number, b"old")
    scan = pairs.scan(b"k")
    next(scan)
    pairs.put(b"k4", b"new")
    assert [value for _, value in scan] == [b"old"] * 4
    assert pairs.get(b"k4") == b"new"


def test_two_stores_on_one_folder_see_the_same(pairs: KeyValueStore, space: Workspace) -> None:
    other = connect(embedded("key_value")[0], "key_value", space)
    pairs.put(b"k", b"v")
    assert other.get(b"k") == b"v"
    other.close()
    assert pairs.get(b"k") == b"v"


def test_keys_that_cannot_be_kept_are_refused(pairs: KeyValueStore) -> None:
    for key in (b"", b"x" * 2000):
        with pytest.raises(StoreError):
            pairs.put(key, b"v")


def test_a_closed_store_says_so(pairs: KeyValueStore) -> None:
    pairs.close()
    with pytest.raises(StoreError, match="closed"):
        pairs.get(b"k")


# --- graph --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=embedded("graph"))
def graph(request: pytest.FixtureRequest, space: Workspace) -> Iterator[GraphStore]:
    opened = connect(request.param, "graph", space)
    yield opened
    opened.close()


def edge(source: str, target: str) -> Edge:
    return Edge(source=source, relation="made", target=target)


def test_a_graph_is_walked_both_ways_nearest_first(graph: GraphStore) -> None:
    graph.add([edge("data", "v1"), edge("v1", "v2"), edge("code", "v2"), edge("v2", "answer"), edge("data", "v1")])
    assert [(e.source, e.target) for e in graph.up("answer")] == [
        ("v2", "answer"),
        ("code", "v2"),
        ("v1", "v2"),
        ("data", "v1"),
    ]
    assert [e.target for e in graph.down("data")] == ["v1", "v2", "answer"]
    assert [e.target for e in graph.down("data", depth=1)] == ["v1"]
    assert graph.up("nobody") == ()


def test_a_circle_ends(graph: GraphStore) -> None:
    graph.add([edge("a", "b"), edge("b", "c"), edge("c", "a")])
    assert {(e.source, e.target) for e in graph.up("a")} == {("a", "b"), ("b", "c"), ("c", "a")}


def test_a_node_can_be_forgotten(graph: GraphStore) -> None:
    graph.add([edge("a", "b"), edge("b", "c"), edge("c", "d")])
    assert graph.remove("b") == 2
    assert [(e.source, e.target) for e in graph.up("d")] == [("c", "d")]


# --- vector -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=embedded("vector"))
def vectors(request: pytest.FixtureRequest, space: Workspace) -> Iterator[VectorStore]:
    opened = connect(request.param, "vector", space)
    yield opened
    opened.close()


def test_the_nearest_come_first_and_ties_by_name(vectors: VectorStore) -> None:
    vectors.add({"east": [1.0, 0.0], "north": [0.0, 1.0], "also-east": [5.0, 0.0], "west": [-1.0, 0.0]})
    found = vectors.nearest([2.0, 0.0], k=3)
    assert [n.id for n in found] == ["also-east", "east", "north"]
    assert found[0].distance == pytest.approx(0.0)
    assert vectors.nearest([2.0, 0.0], k=0) == ()


def test_vectors_outlive_the_store_and_can_be_forgotten(vectors: VectorStore, space: Workspace) -> None:
    vectors.add({"a": [1.0, 0.0], "b": [0.0, 1.0]})
    vectors.add({"a": [0.0, 2.0]})
    again = connect(embedded("vector")[0], "vector", space)
    assert {n.id for n in again.nearest([0.0, 1.0])} == {"a", "b"}
    assert again.remove(["a", "nobody"]) == 1
    assert [n.id for n in again.nearest([0.0, 1.0])] == ["b"]


def test_vectors_that_do_not_fit_are_refused(vectors: VectorStore) -> None:
    vectors.add({"a": [1.0, 0.0]})
    for bad in ([1.0], [float("nan"), 0.0], []):
        with pytest.raises(StoreError):
            vectors.add({"b": bad})
        with pytest.raises(StoreError):
            vectors.nearest(bad)
