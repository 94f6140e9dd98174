"""Take a registered model of an MLflow server over, as metadata and evidence; nothing of it is loaded or run.

What a server keeps is often a pickle, which runs code when it is opened.  So measures, parameters, tags, the signature
and the list of files come over, signed and in the audit trail like everything else, and the version holds at the gates:
there is nothing in it that could be served.
"""

from __future__ import annotations

import math
import re

import msgspec

from bluegold.core.errors import DataError, UsageError
from bluegold.core.nouns import Lineage, ModelVersion
from bluegold.export.mlflow.client import Client, Json, Missing, tags_of
from bluegold.registry import Registry

__all__ = ["FILE", "Taken", "take"]

FILE = "mlflow.json"
MOST_FILES, DEEPEST = 500, 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PICKLED = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".cloudpickle", ".dill")


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A version that was taken over, and files of it that would run code when opened."""

    version: ModelVersion
    source: str
    unsafe: tuple[str, ...]


def take(registry: Registry, client: Client, name: str, model: str = "") -> Taken:
    """Register one version of a server's model here; the same one again is the version it already is.

    Args:
        registry: where it is registered, by whoever acts there.
        client: the tracking server.
        name: ``model`` for its newest version, or ``model/3``.
        model: name here; the same as there without.

    Raises:
        UsageError: the name cannot be a model's name here.
        DataError: the server has no such version.
        StoreError: the server does not answer or refuses.
        AccessDenied: whoever acts may not register.
    """
    there, _, number = name.partition("/")
    here = model or there
    if not _NAME.fullmatch(here):
        raise UsageError(
            f"'{here}' cannot be a model's name here",
            why="letters, digits, '.', '_' and '-' are allowed, 100 at most",
            way_out="give another name with --as",
        )
    entry = _entry(client, there, number)
    run_id = str(entry.get("run_id", ""))
    run = _run(client, run_id) if run_id else {}
    data = run.get("data", {})
    params = {str(one["key"]): str(one["value"]) for one in data.get("params", [])}
    metrics = {str(one["key"]): float(one["value"]) for one in data.get("metrics", [])}
    tags = tags_of(data.get("tags"))
    files = _files(client, run_id, "", DEEPEST) if run_id else []
    source = f"{client.uri}: {there}/{entry['version']}"
    kept = {
        "source": source,
        "stored_at": entry.get("source", ""),
        "run": run_id,
        "description": entry.get("description", ""),
        "tags": tags_of(entry.get("tags")),
        "run_tags": {key: value for key, value in tags.items() if key != "mlflow.log-model.history"},
        "params": params,
        "metrics": metrics,
        "files": files,
        "signature": _signature(client, run_id, files),
    }
    content = {FILE: msgspec.json.encode(kept, order="deterministic")}
    finite = {key: value for key, value in metrics.items() if math.isfinite(value)}
    version = registry.versions.register(here, content, _lineage(tags, params, run_id), finite)
    return Taken(version=version, source=source, unsafe=tuple(one for one in files if one.lower().endswith(_PICKLED)))


def _lineage(tags: dict[str, str], params: dict[str, str], run_id: str) -> Lineage:
    unknown = "unknown: kept by MLflow"
    return Lineage(
        code=tags.get("mlflow.source.git.commit") or tags.get("mlflow.source.name") or unknown,
        data=unknown,
        features=unknown,
        parameters=dict(params),
        environment=unknown,
        seeds={},
        run_id=f"mlflow:{run_id}",
    )


def _entry(client: Client, name: str, number: str) -> Json:
    try:
        if number:
            found: Json = client.get("model-versions/get", name=name, version=number)["model_version"]
            return found
        quoted = name.replace("'", "\\'")
        versions = list(
            client.pages("model-versions/search", "model_versions", filter=f"name='{quoted}'", max_results=200)
        )
    except Missing:
        versions = []
    if not versions:
        raise DataError(
            f"the tracking server {client.uri} has no version '{name}{'/' + number if number else ''}'",
            way_out="look for its name on the server, and write it as NAME or NAME/3",
        )
    return max(versions, key=lambda one: int(one["version"]))


def _run(client: Client, run_id: str) -> Json:
    try:
        found: Json = client.get("runs/get", run_id=run_id)["run"]
    except Missing:  # a run may be deleted while its version stays
        return {}
    return found


def _files(client: Client, run_id: str, path: str, depth: int) -> list[str]:
    """The names of a run's files, without any of their content."""
    found: list[str] = []
    try:
        listed = client.get("artifacts/list", run_id=run_id, **({"path": path} if path else {})).get("files", [])
    except Missing:
        return found
    for one in listed:
        name = str(one["path"])
        if one.get("is_dir"):
            found += _files(client, run_id, name, depth - 1) if depth > 1 else []
        else:
            found.append(name)
        if len(found) >= MOST_FILES:
            return found[:MOST_FILES]
    return found


def _signature(client: Client, run_id: str, files: list[str]) -> str:
    """What a model's own description says of its columns, as text; it is kept, and nothing in it is followed."""
    for name in files:
        if name.rpartition("/")[2] == "MLmodel":
            try:
                return client.file(run_id, name).decode("utf-8", errors="replace")[:65_536]
            except Missing:
                return ""
    return ""
