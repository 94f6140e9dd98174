"""CP-6: every version logged with lineage."""

from __future__ import annotations

from pathlib import Path

from bluegold.core.errors import BluegoldError, IntegrityError
from bluegold.core.nouns import ModelVersion
from bluegold.core.workspace import Workspace
from bluegold.probes.bench import Bench, Reading
from bluegold.registry.bundle import load_bundle
from bluegold.registry.registry import Registry

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "CP-6"
MOST = 50


def measure(bench: Bench) -> Reading:
    """Walk every version from lineage to signature, then corrupt artefacts in a copy: none may load."""
    versions = bench.registry.versions.list(bench.system.name, limit=MOST)
    problems = [problem for version in versions if (problem := _lacking(bench, version))]
    tried, loaded = 0, []
    with bench.copy() as space:
        for name, digest in sorted(bench.version.artefacts.items()):
            if name not in {"program.json", "decision.json", "canaries.json", "model.txt", "model.json"}:
                continue
            tried += 1
            if not _refused(space, bench.version.ref, digest):
                loaded.append(name)
    held = bool(versions) and not problems and not loaded
    said = "each was complete, each corrupted artefact was refused" if held else f"not held: {(problems or loaded)[0]}"
    return Reading(
        value=held,
        samples=len(versions) + tried,
        method=f"lineage, digests and signature of {len(versions)} versions; one byte flipped "
        f"in each of {tried} artefacts of a copy before loading: {said}",
        artefact="registry",
    )


def _lacking(bench: Bench, version: ModelVersion) -> str:
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


def _refused(space: Workspace, ref: str, digest: str) -> bool:
    """Whether a version whose artefact was changed is refused; the artefact is put back afterwards."""
    path = _object(space, digest)
    whole = path.read_bytes()
    path.unlink()  # the copy shares its file with the original: never write into it
    path.write_bytes(bytes([whole[0] ^ 0x01]) + whole[1:])
    try:
        with Registry.open(space, actor="probe") as registry:
            load_bundle(registry, ref)
    except IntegrityError:
        return True
    except BluegoldError:
        return False
    else:
        return False
    finally:
        path.unlink()
        path.write_bytes(whole)


def _object(space: Workspace, digest: str) -> Path:
    return space.objects / digest[:2] / digest
