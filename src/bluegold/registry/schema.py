"""What search tables repeat of the versions."""

from __future__ import annotations

from bluegold.core.nouns import ModelVersion

__all__ = ["metric_rows"]


def metric_rows(version: ModelVersion) -> list[dict[str, object]]:
    """The rows of the metrics table that follow from a version."""
    return [
        {"model": version.model, "version": version.version, "name": name, "value": value}
        for name, value in sorted(version.metrics.items())
    ]
