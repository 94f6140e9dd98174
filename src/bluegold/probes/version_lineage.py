"""CP-6: every version logged with lineage."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bluegold.core.errors import BluegoldError, IntegrityError
from bluegold.core.nouns import Evidence, ModelVersion
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import ACTOR
from bluegold.registry.registry import Registry

__all__ = ["REQUIREMENT", "lacking", "measure"]

REQUIREMENT = "CP-6"
MOST = 50

_TAMPERINGS = (
    "UPDATE versions SET body = replace(body, '\"seeds\":', '\"s_eeds\":')",
    'UPDATE versions SET body = replace(body, \'"author":"\', \'"author":"not \')',
    "UPDATE versions SET digest = 'f' || substr(digest, 2) WHERE substr(digest, 1, 1) != 'f'",
)


def measure(bench: Bench) -> Evidence:
    """Walk every version from lineage to signature, then tamper with artefacts and rows of a copy.

    Raises:
        NotMeasured: no version is registered.
    """
    ref = bench.newest.ref
    versions = bench.registry.versions.list(bench.model, limit=MOST)
    problems = [problem for version in versions if (problem := lacking(bench, version))]
    tried = 0
    with bench.copy() as space, Registry.open(space, actor=ACTOR) as registry:
        for name, digest in sorted(bench.newest.artefacts.items()):
            tried += 1
            path = space.objects / digest[:2] / digest
            problems += [f"a changed '{name}' still loads"] * _loads(registry, path, ref, name)
    for statement in _TAMPERINGS:
        tried += 1
        problems += [f"not seen: {statement}"] * (not _seen(bench, statement))
    said = f"not held: {problems[0]}" if problems else "each was complete, each change was refused or named"
    return bench.evidence(
        REQUIREMENT,
        not problems,
        samples=len(versions) + tried,
        method=f"lineage, digests and signature of {len(versions)} versions; one byte flipped in each of the "
        f"{len(bench.newest.artefacts)} artefacts of {ref} and rows changed {len(_TAMPERINGS)} times in a copy: {said}",
        artefact="bluegold.db",
    )


def lacking(bench: Bench, version: ModelVersion) -> str:
    """What is wrong with a version's lineage or artefacts; empty when nothing is."""
    lineage = version.lineage
    parts = {
        "code": lineage.code,
        "data": lineage.data,
        "features": lineage.features,
        "environment": lineage.environment,
        "seeds": lineage.seeds,
        "parameters": lineage.parameters,
    }
    missing = [name for name, value in parts.items() if not value]
    if missing:
        return f"{version.ref} has no {missing[0]} in its lineage"
    try:
        bench.registry.versions.artefacts(version.ref)
    except BluegoldError as error:
        return str(error)
    return ""


def _loads(registry: Registry, path: Path, ref: str, name: str) -> bool:
    """Whether an artefact whose first byte was changed is handed out; it is put back afterwards."""
    whole = path.read_bytes()
    path.unlink()  # the copy shares its bytes with the original: never write into them
    path.write_bytes(bytes([whole[0] ^ 0x01]) + whole[1:] if whole else b"x")
    try:
        registry.versions.artefact(ref, name)
    except IntegrityError:
        return False
    finally:
        path.unlink()
        path.write_bytes(whole)
    return True


def _seen(bench: Bench, statement: str) -> bool:
    with bench.copy() as space:
        with closing(sqlite3.connect(space.database)) as connection:
            connection.execute(statement)
            connection.commit()
        with Registry.open(space, actor=ACTOR) as registry:
            return not registry.audit.verify().ok
