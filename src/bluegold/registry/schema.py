"""What search tables repeat of the versions."""

from __future__ import annotations

from bluegold.core.nouns import ModelVersion
from bluegold.telemetry.chain import canonical

__all__ = ["metric_rows", "search_words"]


def metric_rows(version: ModelVersion) -> list[dict[str, object]]:
    """The rows of the metrics table that follow from a version."""
    return [
        {"model": version.model, "version": version.version, "name": name, "value": value}
        for name, value in sorted(version.metrics.items())
    ]


def search_words(version: ModelVersion) -> str:
    """What a search for words looks into, in one case: name, author, digests, artefact names, lineage, parameters."""
    lineage = version.lineage
    made = (lineage.code, lineage.data, lineage.features, lineage.environment, lineage.run_id, lineage.parent)
    settings = canonical({"parameters": lineage.parameters, "seeds": lineage.seeds}).decode()
    artefacts = (part for item in sorted(version.artefacts.items()) for part in item)
    return " ".join((version.ref, version.author, version.digest, *artefacts, *filter(None, made), settings)).casefold()
