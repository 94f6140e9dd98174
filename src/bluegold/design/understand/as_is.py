"""As is: the two pipelines of a code base today, what its stores hold, and what is risky."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from bluegold.core.nouns import Finding
from bluegold.design.understand.activities import Activity, Place, activities
from bluegold.design.understand.risks import Risk, find_risks
from bluegold.design.understand.risks.view import View
from bluegold.design.understand.sources import Sources, read_sources

__all__ = ["Activity", "AsIs", "Held", "Place", "understand"]

#: kind of finding -> kind of store
_STORES = {
    "relational-store": "relational",
    "warehouse": "relational",
    "document-store": "document",
    "time-series-store": "relational",
    "object-store": "object",
    "table-format": "object",
    "key-value-store": "key_value",
    "graph-store": "graph",
    "vector-store": "vector",
    "search-store": "search",
    "streaming": "stream",
    "queue": "stream",
}
#: what an activity puts into the stores that its files use
_HOLDS = {
    "ingest": "source data",
    "transform": "features",
    "train": "training data",
    "track": "runs and measures",
    "register": "model versions",
    "save": "model files",
    "serve": "what requests need or leave",
    "score": "batch predictions",
    "monitor": "metrics",
    "orchestrate": "state of runs",
}
_WRITES = ("to_csv", "to_parquet", "to_sql", "to_json", "to_pickle", "to_excel", "write_csv", "write_parquet", "savez")


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One store in use: its kind, what it holds as far as calls show, and where it is used."""

    technology: str
    kind: str
    holds: tuple[str, ...]
    places: tuple[Place, ...]


class AsIs(msgspec.Struct, frozen=True, kw_only=True):
    """A system as it is.  ``modules`` and ``files`` say how much was read."""

    activities: tuple[Activity, ...]
    stores: tuple[Held, ...]
    risks: tuple[Risk, ...]
    notebooks: tuple[str, ...]
    teams: tuple[str, ...]
    tests: int
    modules: int
    files: int

    def does(self, *ids: str) -> bool:
        """Whether it does one of some things."""
        return any(one.id in ids for one in self.activities)

    def activity(self, identifier: str) -> Activity | None:
        """One activity, or nothing."""
        return next((one for one in self.activities if one.id == identifier), None)


def understand(root: Path, findings: tuple[Finding, ...], sources: Sources | None = None) -> AsIs:
    """Read a code base as two pipelines.

    Args:
        root: its folder; nothing in it is run.
        findings: what a scan of it found.
        sources: its sources, when somebody has read them already.

    Example:
        >>> import tempfile
        >>> lines = ["import pandas as pd", "from sklearn.svm import SVC", "SVC().fit(pd.read_csv('a.csv'), 1)"]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "train.py").write_text(chr(10).join(lines))
        ...     found = understand(Path(folder), ())
        >>> [one.id for one in found.activities], found.risks[0].row.id
        (['ingest', 'train'], 'no-registry')
    """
    sources = sources or read_sources(root)
    done = activities(sources.modules, findings)
    view = View(sources=sources, activities=done, findings=findings)
    return AsIs(
        activities=done,
        stores=_stores(sources, done, findings),
        risks=find_risks(view),
        notebooks=tuple(module.path for module in sources.modules if module.notebook),
        teams=_teams(root),
        tests=len(sources.tests),
        modules=len(sources.modules),
        files=sources.files,
    )


def _stores(sources: Sources, done: tuple[Activity, ...], findings: tuple[Finding, ...]) -> tuple[Held, ...]:
    by_path: dict[str, list[str]] = {}
    for one in done:
        for path in one.files:
            by_path.setdefault(path, []).append(one.id)
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for found in findings:
        if found.usage == "used" and found.kind in _STORES:
            grouped.setdefault((_STORES[found.kind], found.technology), []).append(found)
    held = [
        Held(
            technology=technology,
            kind=kind,
            holds=_held(found, by_path),
            places=tuple(Place(path=one.path, line=one.line, shows=one.detail or one.evidence) for one in found[:5]),
        )
        for (kind, technology), found in sorted(grouped.items())
    ]
    return (*held, *_plain_files(sources))


def _held(found: Iterable[Finding], by_path: dict[str, list[str]]) -> tuple[str, ...]:
    roles = dict.fromkeys(role for one in found for role in by_path.get(one.path, ()))
    return tuple(dict.fromkeys(_HOLDS[role] for role in roles if role in _HOLDS))


def _plain_files(sources: Sources) -> tuple[Held, ...]:
    """Files that code reads and writes by a path of its own: the store nobody chose."""
    places: dict[str, Place] = {}
    holds: dict[str, None] = {}
    for module in sources.modules:
        for call in module.calls:
            method = call.name.rpartition(".")[2]
            if not call.first or "://" in call.first or "." not in call.first.rpartition("/")[2]:
                continue
            if method.startswith("read_") and call.name.startswith(("pandas.", "polars.")):
                kind = "source data"
            elif method in _WRITES:
                kind = "tables written by code"
            elif call.name in {"joblib.load", "torch.load", "joblib.dump", "pickle.load", "torch.save"} or method in {
                "save_model",
                "load_model",
            }:
                kind = "model files"
            else:
                continue
            holds.setdefault(kind)
            places.setdefault(call.first, Place(path=module.path, line=call.line, shows=call.first[:80]))
    if not places:
        return ()
    ordered = sorted(places.values(), key=lambda one: (one.path, one.line))
    return (Held(technology="local files", kind="object", holds=tuple(holds), places=tuple(ordered[:8])),)


def _teams(root: Path) -> tuple[str, ...]:
    """The owners that a CODEOWNERS file names."""
    for place in ("CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"):
        path = root / place
        if path.is_file() and not path.is_symlink():
            try:
                text = path.read_text(encoding="utf-8", errors="replace")[:100_000]
            except OSError:
                return ()
            lines = [line.split("#")[0].split() for line in text.splitlines()]
            return tuple(sorted({word for line in lines for word in line[1:] if word.startswith("@")}))
    return ()
