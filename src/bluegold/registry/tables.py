"""The registry's tables.

A *governed* row keeps its noun as canonical JSON in ``body`` and the number of its audit row in ``audit``; the other
columns repeat parts of the body for searching, and ``audit verify`` holds them against it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text, text

from bluegold.core.nouns import Approval, GateReport, ModelVersion, Noun, Review, StageChange, TrafficSplit
from bluegold.registry.schema import search_words
from bluegold.security.identities import User

__all__ = [
    "APPROVALS",
    "GATES",
    "GOVERNED",
    "RELEASES",
    "REVIEWS",
    "STAGES",
    "TRAFFIC",
    "USERS",
    "VERSIONS",
    "Governed",
    "Release",
    "audit_head_table",
    "audit_table",
    "checkpoints_table",
    "from_micros",
    "layouts_table",
    "metadata",
    "metrics_table",
    "micros",
    "split_ref",
]

metadata = MetaData()


class Release(Noun, frozen=True, kw_only=True):
    """The state of one release as delivery left it; every advance is kept, this is one of them."""

    id: str
    ref: str
    phase: str
    detail: dict[str, Any]
    opened_at: dt.datetime
    updated_at: dt.datetime
    actor: str


def micros(at: dt.datetime) -> int:
    """A moment as whole microseconds since 1970 in UTC; a moment without a zone counts as UTC.

    Example:
        >>> micros(dt.datetime(1970, 1, 1, 0, 0, 1))
        1000000
    """
    zoned = at if at.tzinfo else at.replace(tzinfo=dt.timezone.utc)
    return (zoned - _EPOCH) // dt.timedelta(microseconds=1)


def from_micros(value: int) -> dt.datetime:
    """The moment, in UTC, of :func:`micros`."""
    return _EPOCH + dt.timedelta(microseconds=value)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def split_ref(ref: str) -> tuple[str, str]:
    """Model and version of a full reference.

    Example:
        >>> split_ref("flight-delays:v2")
        ('flight-delays', 'v2')
    """
    model, _, version = ref.rpartition(":")
    return model, version


class Governed(msgspec.Struct, frozen=True):
    """One kind of governed row: its table, its noun, and how the search columns follow from the noun."""

    table: Table
    noun: type[Noun]
    columns: Callable[[Any], dict[str, Any]]


#: Bodies are compared byte by byte: PostgreSQL searches them several times as fast as by the rules of a language.
_BODY = Text().with_variant(Text(collation="C"), "postgresql")


def _governed(name: str, *columns: Column[Any] | Index) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=True),
        *columns,
        Column("body", _BODY, nullable=False),
        Column("audit", Integer, nullable=False, unique=True),
    )


def _model_version() -> tuple[Column[str], Column[str]]:
    return Column("model", String, nullable=False), Column("version", String, nullable=False)


#: Actions whose newest row about each subject is asked for again and again; only these pay for an index.
_LASTING = text("action = 'anchor' OR action = 'archive audit' OR action = 'cut'")

audit_table = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Index("audit_by_subject", "subject", "number"),
    Index("audit_by_action", "action", "subject", "number", sqlite_where=_LASTING, postgresql_where=_LASTING),
)

#: The layouts this database has had, newest last; see :mod:`bluegold.registry.migrations`.
layouts_table = Table(
    "registry_layouts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
)

audit_head_table = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("signature", String, nullable=False),
)

#: Signed roots of the Merkle tree over the digests of the audit rows 1 to ``number``; ``block`` is the subtree of the
#: last :data:`~bluegold.registry.checkpoints.BLOCK` rows where these end a block, else empty.
checkpoints_table = Table(
    "audit_checkpoints",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("root", String(64), nullable=False),
    Column("block", String(64), nullable=False),
    Column("signature", String, nullable=False),
)

#: The metrics of every version, for searching; ``audit verify`` holds them against the versions.
metrics_table = Table(
    "version_metrics",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("model", String, nullable=False),
    Column("version", String, nullable=False),
    Column("name", String, nullable=False),
    Column("value", Float(53), nullable=False),
    Index("version_metrics_by_value", "name", "value"),
    Index("version_metrics_by_version", "model", "version", "name", unique=True),
)

VERSIONS = Governed(
    _governed(
        "versions",
        *_model_version(),
        Column("number", Integer, nullable=False),
        Column("stage", String, nullable=False),
        Column("digest", String(64), nullable=False),
        Column("author", String, nullable=False, server_default=""),
        Column("at", BigInteger, nullable=False, server_default="0"),
        Column("words", _BODY, nullable=False, server_default=""),
        Index("versions_by_name", "model", "number", unique=True),
        Index("versions_by_version", "version", "model", unique=True),
        Index("versions_by_author", "author", "id"),
        Index("versions_by_time", "at"),
        Index("versions_by_digest", "model", "digest", unique=True),
        Index("versions_by_stage", "model", "stage"),
        Index(
            "one_production_per_model",
            "model",
            unique=True,
            sqlite_where=text("stage = 'Production'"),
            postgresql_where=text("stage = 'Production'"),
        ),
    ),
    ModelVersion,
    lambda v: {
        "model": v.model,
        "version": v.version,
        "number": int(v.version[1:]),
        "digest": v.digest,
        "author": v.author,
        "at": micros(v.created_at),
        "words": search_words(v),
    },
)

STAGES = Governed(
    _governed(
        "stage_changes",
        *_model_version(),
        Column("from_stage", String, nullable=True),
        Column("to_stage", String, nullable=False),
        Column("at", BigInteger, nullable=False),
        Index("stage_changes_of_model", "model", "id"),
        Index("stage_changes_into", "model", "to_stage", "id"),
        Index("stage_changes_out_of", "model", "version", "from_stage", "id"),
    ),
    StageChange,
    lambda c: {
        "model": split_ref(c.ref)[0],
        "version": split_ref(c.ref)[1],
        "from_stage": c.from_stage,
        "to_stage": c.to_stage,
        "at": micros(c.at),
    },
)

APPROVALS = Governed(
    _governed(
        "approvals",
        *_model_version(),
        Column("actor", String, nullable=False),
        Index("approvals_by_version", "model", "version", "id"),
    ),
    Approval,
    lambda a: {"model": split_ref(a.ref)[0], "version": split_ref(a.ref)[1], "actor": a.actor},
)

REVIEWS = Governed(
    _governed(
        "reviews",
        *_model_version(),
        Column("actor", String, nullable=False),
        Column("says", String, nullable=False),
        Index("reviews_by_version", "model", "version", "id"),
    ),
    Review,
    lambda r: {"model": split_ref(r.ref)[0], "version": split_ref(r.ref)[1], "actor": r.actor, "says": r.says},
)

USERS = Governed(
    _governed("users", Column("name", String, nullable=False), Column("key", String, nullable=False)),
    User,
    lambda u: {"name": u.name, "key": u.key},
)

GATES = Governed(
    _governed(
        "gate_reports",
        *_model_version(),
        Column("gate", String, nullable=False),
        Column("verdict", String, nullable=False),
        Index("gate_reports_by_version", "model", "version", "id"),
    ),
    GateReport,
    lambda r: {
        "model": split_ref(r.candidate)[0],
        "version": split_ref(r.candidate)[1],
        "gate": r.gate,
        "verdict": r.verdict,
    },
)

TRAFFIC = Governed(
    _governed(
        "traffic",
        Column("model", String, nullable=False),
        Column("revision", Integer, nullable=False),
        Index("traffic_by_revision", "model", "revision", unique=True),
    ),
    TrafficSplit,
    lambda s: {"model": s.model, "revision": s.revision},
)

RELEASES = Governed(
    _governed(
        "releases",
        *_model_version(),
        Column("release", String, nullable=False),
        Column("phase", String, nullable=False),
        Index("releases_by_model", "model", "id"),
        Index("releases_by_release", "release", "id"),
    ),
    Release,
    lambda r: {"model": split_ref(r.ref)[0], "version": split_ref(r.ref)[1], "release": r.id, "phase": r.phase},
)

#: Every governed table, by name.
GOVERNED: dict[str, Governed] = {
    str(kind.table.name): kind for kind in (VERSIONS, STAGES, APPROVALS, REVIEWS, GATES, TRAFFIC, RELEASES, USERS)
}
