"""The comparison of the five kinds of store as data: what a design weighs when it chooses one.

Source: the criteria and their grades follow Avila & Ahmad (2025), chapter 6.
"""

from __future__ import annotations

import msgspec

from bluegold.stores.protocols import Kind

__all__ = ["COMPLIANCE", "FACTORS", "PROFILES", "StoreProfile"]


class StoreProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of store.

    ``grades`` are in the order of :data:`FACTORS`; ``consistency`` and ``latency`` use the words of the report format.
    """

    kind: Kind
    technologies: tuple[str, ...]
    workloads: tuple[str, ...]
    grades: tuple[str, ...]
    consistency: str
    latency: str
    embedded: str
    deletion: str


#: What stores are compared by.
FACTORS: tuple[str, ...] = (
    "query complexity",
    "latency",
    "scale",
    "consistency",
    "cost at scale",
    "AI-native",
)

#: What every store of a governed system has to answer for.
COMPLIANCE: tuple[str, ...] = (
    "encryption at rest and in transit",
    "access control",
    "audit trail",
    "retention",
    "right to deletion",
    "residency",
)

#: kind -> its profile, with this project's embedded adapter.
PROFILES: dict[Kind, StoreProfile] = {
    "relational": StoreProfile(
        kind="relational",
        technologies=("PostgreSQL", "MySQL", "SQLite"),
        workloads=("metadata", "experiments", "model registry", "audit trail"),
        grades=("high", "medium", "TB", "strong", "high", "low"),
        consistency="strong",
        latency="interactive",
        embedded="SQLite through SQLAlchemy Core",
        deletion="delete with cascade, then vacuum",
    ),
    "object": StoreProfile(
        kind="object",
        technologies=("S3", "GCS", "files"),
        workloads=("training data", "artefacts", "archives"),
        grades=("none", "high", "PB", "eventual", "low", "medium"),
        consistency="eventual",
        latency="batch",
        embedded="content-addressed files",
        deletion="delete the object and every retained version of it",
    ),
    "key_value": StoreProfile(
        kind="key_value",
        technologies=("Redis", "DynamoDB", "LMDB"),
        workloads=("online features", "prediction cache"),
        grades=("low", "very low", "TB", "configurable", "medium", "medium"),
        consistency="configurable",
        latency="realtime",
        embedded="LMDB",
        deletion="delete the keys; caches expire",
    ),
    "graph": StoreProfile(
        kind="graph",
        technologies=("Neo4j", "edges in a relational store"),
        workloads=("lineage", "entities", "fraud networks"),
        grades=("relationships", "medium", "GB-TB", "strong", "high", "medium"),
        consistency="strong",
        latency="interactive",
        embedded="edges beside the registry, walked by recursive queries",
        deletion="delete the node with its relations",
    ),
    "vector": StoreProfile(
        kind="vector",
        technologies=("pgvector", "Qdrant", "Pinecone"),
        workloads=("embeddings", "similarity", "nearest past cases"),
        grades=("similarity", "low-medium", "TB", "eventual", "medium", "high"),
        consistency="eventual",
        latency="interactive",
        embedded="exact search over one file",
        deletion="delete the vectors and rebuild the index",
    ),
}
