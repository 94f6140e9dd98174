"""Mirror the registry into an MLflow tracking server, so that whoever looks there sees what was decided here.

The registry stays the only truth: nothing is ever read back from the mirror, and a second run changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from bluegold.core.nouns import ModelVersion, StageChange
from bluegold.export.mlflow.client import Client, Json, Missing, pairs_of, short, tags_of
from bluegold.registry import Registry

__all__ = ["Mirrored", "mirror"]

TAG, PARAM = 4_900, 5_900
"""Characters that MLflow keeps of a tag and of a parameter, less a little."""

ALIASES = {"Production": "production", "Canary": "canary"}
MOST = 100_000
PAGE = 200


class Mirrored(msgspec.Struct, frozen=True, kw_only=True):
    """What a mirroring did: versions that were there, those made now, and tags or aliases that changed."""

    model: str
    versions: int
    made: int
    changed: int


def mirror(registry: Registry, client: Client, models: tuple[str, ...] = ()) -> tuple[Mirrored, ...]:
    """Bring every version, with its measures, parameters, stage and the evidence behind it, to the server.

    Args:
        registry: the registry; it is only read.
        client: the tracking server.
        models: models to mirror; all without.

    Returns:
        What was done for each model, by name.

    Raises:
        StoreError: the server does not answer or refuses; a second run goes on where this one ended.
    """
    wanted = models or tuple(sorted({one.model for one in registry.versions.list(limit=MOST)}))
    return tuple(_Model(registry, client, model).mirror() for model in wanted)


class _Model:
    def __init__(self, registry: Registry, client: Client, model: str) -> None:
        self._registry, self._client, self._model = registry, client, model
        self._changed = 0

    def mirror(self) -> Mirrored:
        known = self._known()
        versions = sorted(self._registry.versions.list(self._model, limit=MOST), key=lambda one: one.created_at)
        histories: dict[str, list[StageChange]] = {}
        for change in self._registry.lifecycle.history(self._model):
            histories.setdefault(change.ref, []).append(change)
        made = 0
        numbers: dict[str, str] = {}
        for version in versions:
            tags = self._tags(version, histories.get(version.ref, []))
            entry = known.get(version.digest)
            if entry is None:
                entry, made = self._make(version, tags), made + 1
            else:
                self._retag(entry, tags)
            numbers[version.ref] = str(entry["version"])
        self._aliases(versions, numbers)
        return Mirrored(model=self._model, versions=len(versions), made=made, changed=self._changed)

    def _known(self) -> dict[str, Json]:
        """Versions of the mirror by the digest they stand for; the registered model is made where it is missing."""
        try:
            self._client.get("registered-models/get", name=self._model)
        except Missing:
            self._client.post("registered-models/create", name=self._model, tags=pairs_of({"bluegold.mirror": "true"}))
            return {}
        quoted = self._model.replace("'", "\\'")
        found = self._client.pages(
            "model-versions/search", "model_versions", filter=f"name='{quoted}'", max_results=PAGE
        )
        by_digest = ((tags_of(one.get("tags")).get("bluegold.digest", ""), one) for one in found)
        return {digest: one for digest, one in by_digest if digest}

    def _tags(self, version: ModelVersion, history: list[StageChange]) -> dict[str, str]:
        gates = self._registry.gates.latest(version.ref)
        approvals = self._registry.approvals.list(version.ref)
        decided = [
            {"stage": one.to_stage, "by": one.actor, "at": one.at.isoformat(), "why": one.reason, "on": one.evidence}
            for one in sorted(history, key=lambda one: one.at)
        ]
        said = {
            "version": version.version,
            "digest": version.digest,
            "signature": version.signature,
            "author": version.author,
            "stage": version.stage,
            "gates": "; ".join(f"{name}: {report.verdict}" for name, report in sorted(gates.items())),
            "approvals": "; ".join(f"{one.actor} at {one.at.isoformat()}" for one in approvals),
            "decided": decided,
        }
        return {f"bluegold.{name}": short(value, TAG) for name, value in said.items() if value}

    def _make(self, version: ModelVersion, tags: Mapping[str, str]) -> Json:
        run = self._run(version, tags)
        made = self._client.post(
            "model-versions/create",
            name=self._model,
            source=f"bluegold:/{version.model}/{version.version}/{version.digest}",
            run_id=run,
            tags=pairs_of(tags),
            description=f"{version.ref}, kept and signed in its own registry; served from there, not from here",
        )
        entry: Json = made["model_version"]
        return entry

    def _run(self, version: ModelVersion, tags: Mapping[str, str]) -> str:
        """The run that carries a version's measures and parameters; one left by a broken mirroring is used again."""
        experiment = self._experiment()
        found = self._client.post(
            "runs/search",
            experiment_ids=[experiment],
            filter=f"tags.`bluegold.digest` = '{version.digest}'",
            max_results=1,
        ).get("runs")
        at = round(version.created_at.timestamp() * 1000)
        if found:
            run = str(found[0]["info"]["run_id"])
        else:
            named = {"bluegold.digest": version.digest, "mlflow.source.git.commit": version.lineage.code}
            made = self._client.post(
                "runs/create",
                experiment_id=experiment,
                run_name=version.ref,
                start_time=at,
                tags=pairs_of({**tags, **{key: short(value, TAG) for key, value in named.items() if value}}),
            )
            run = str(made["run"]["info"]["run_id"])
        measures = [
            {"key": name[:250], "value": value, "timestamp": at, "step": 0}
            for name, value in version.metrics.items()
            if math.isfinite(value)
        ]
        lineage = version.lineage
        facts = {"data": lineage.data, "features": lineage.features, "environment": lineage.environment}
        params = {**lineage.parameters, **{f"seed.{name}": seed for name, seed in lineage.seeds.items()}, **facts}
        kept = [{"key": key[:250], "value": short(value, PARAM)} for key, value in sorted(params.items())]
        for first in range(0, max(len(measures), len(kept), 1), 90):
            part = slice(first, first + 90)
            self._client.post("runs/log-batch", run_id=run, metrics=measures[part], params=kept[part])
        self._client.post("runs/update", run_id=run, status="FINISHED", end_time=at)
        return run

    def _experiment(self) -> str:
        try:
            found = self._client.get("experiments/get-by-name", experiment_name=self._model)
            return str(found["experiment"]["experiment_id"])
        except Missing:
            return str(self._client.post("experiments/create", name=self._model)["experiment_id"])

    def _retag(self, entry: Json, tags: Mapping[str, str]) -> None:
        present = tags_of(entry.get("tags"))
        for key, value in tags.items():
            if present.get(key) != value:
                self._client.post(
                    "model-versions/set-tag", name=self._model, version=str(entry["version"]), key=key, value=value
                )
                self._changed += 1

    def _aliases(self, versions: list[ModelVersion], numbers: Mapping[str, str]) -> None:
        """``production`` and ``canary`` point at the versions in those stages, and at nothing where there is none."""
        model = self._client.get("registered-models/get", name=self._model)["registered_model"]
        present = {str(one["alias"]): str(one["version"]) for one in model.get("aliases", [])}
        wanted = {ALIASES[one.stage]: numbers[one.ref] for one in versions if one.stage in ALIASES}
        for alias in sorted(ALIASES.values()):
            if wanted.get(alias) == present.get(alias):
                continue
            if alias in wanted:
                self._client.post("registered-models/alias", name=self._model, alias=alias, version=wanted[alias])
            else:
                self._client.post("registered-models/alias", "DELETE", name=self._model, alias=alias)
            self._changed += 1
