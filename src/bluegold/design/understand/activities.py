"""Activities: which code ingests, transforms, trains, registers, serves, monitors; a call or a finding shows each."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import translate
from importlib.resources import files
from typing import Literal

import msgspec

from bluegold.core.nouns import Finding
from bluegold.design.understand.code import Call, Module
from bluegold.design.understand.imports import closure, index_of, local_module
from bluegold.design.understand.written import written

__all__ = ["Activity", "Place", "activities", "relevant", "roles_of", "titles"]

#: frameworks whose decorators answer requests
_WEB = frozenset(
    {"fastapi", "flask", "starlette", "litestar", "bentoml", "aiohttp", "sanic", "quart", "celery", "falcon", "django"}
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place that shows something, and what stands there."""

    path: str
    line: int
    shows: str

    @property
    def cited(self) -> str:
        """As ``path:line``."""
        return f"{self.path}:{self.line}"


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a pipeline does today.

    ``stage`` is the method's stage that answers to it; ``places`` are sorted, one for each file and call.
    """

    id: str
    title: str
    pipeline: Literal["development", "production"]
    stage: str
    places: tuple[Place, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The files that do it."""
        return tuple(dict.fromkeys(place.path for place in self.places))


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    title: str
    pipeline: Literal["development", "production"]
    stage: str
    calls: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    framework: tuple[str, ...]
    activity: tuple[_Row, ...]


@functools.cache
def _table() -> _Table:
    text = files("bluegold.design.understand").joinpath("activities.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Table)


@functools.cache
def relevant() -> re.Pattern[str]:
    """What a file must import, or ask of a model, before any of its calls can show anything."""
    heads = {one.partition(".")[0] for row in _table().activity for one in (*row.calls, *row.decorators)}
    names = sorted(head for head in heads | {*_table().framework} | _WEB if head.isidentifier())
    imported = rf"^[ \t]*(?:import|from)[ \t]+(?:[\w., ]*,[ \t]*)?(?:{'|'.join(names)})\b"
    return re.compile(rf"(?m){imported}|\w\.(?:fit|predict|predict_proba|partial_fit)\(")


@functools.cache
def _pattern(row: str, *, decorators: bool) -> re.Pattern[str] | None:
    found = next(one for one in _table().activity if one.id == row)
    patterns = found.decorators if decorators else found.calls
    return re.compile("|".join(translate(one) for one in patterns)) if patterns else None


def titles() -> dict[str, str]:
    """Every activity that is told apart, by id."""
    return {row.id: row.title for row in _table().activity}


#: libraries of tables
_TABLES = frozenset({"pandas", "polars", "pyspark", "dask", "modin"})
#: classes whose ``fit`` learns a transform and not a model
_TRANSFORMER = re.compile(
    r"sklearn\.(preprocessing|impute|compose|decomposition|feature_extraction|feature_selection|random_projection)\."
    r"|sklearn\.neighbors\.NearestNeighbors\."
    r"|.*(Scaler|Encoder|Imputer|Vectorizer|Binarizer|Transformer|PCA|Tokenizer)\.|category_encoders\."
)


#: what is done with a registry that leaves it as it is
_READS = re.compile(r"\.(load_\w+|get_\w+|search_\w+|list_\w+|download\w*)\(|address models:")
#: methods of a model or a pipeline, whoever made it
_OF_MODELS = frozenset({"fit", "fit_transform", "partial_fit", "predict", "predict_proba", "score"})
#: what a file does that scores on its own: a model comes in, or answers go out
_CARRIES = re.compile(
    r".*(\b|_)(load|loads|read|open|download|restore|from_pretrained|InferenceSession|Booster)(_\w+)?$"
)
_LEAVES = re.compile(r".*\.(to_csv|to_parquet|to_sql|to_json|to_gbq|write_\w+|saveAsTable|save|insert\w*|upload\w*)$")


def roles_of(module: Module, *, learns: bool = False) -> dict[str, tuple[Place, ...]]:
    """What one module does: activity -> the calls that show it.

    Args:
        module: the module.
        learns: what it imports from the system's own modules uses a framework of machine learning.

    Example:
        >>> from bluegold.design.understand.code import read_module
        >>> text = "from sklearn.linear_model import Ridge\\nmodel = Ridge()\\nmodel.fit(x, y)"
        >>> {role: places[0].cited for role, places in roles_of(read_module("train.py", text)).items()}
        {'train': 'train.py:3'}
    """
    heads = frozenset(_table().framework)
    learns, web = learns or module.uses(heads), module.uses(_WEB)
    found: dict[str, dict[str, Place]] = {}
    predicted: list[Call] = []
    for call in module.calls:
        if call.name.endswith((".predict", ".predict_proba", ".transform_job")) or call.name.endswith(
            ".decision_function"
        ):
            predicted.append(call)
        for row in _shown_by(call.name, call.first, decorates=call.decorates, learns=learns, web=web):
            place = Place(path=module.path, line=call.line, shows=_said(call))
            known = found.setdefault(row.id, {})
            if call.name not in known or place.line < known[call.name].line:
                known[call.name] = place
    for role, name, line in written(module, learns=learns):
        place = Place(path=module.path, line=line, shows=f"def {name}()")
        found.setdefault(role, {}).setdefault(f"def {name}", place)
    computed = [one for one in module.columns if one.of_table] if module.uses(_TABLES) and not web else []
    if computed and "transform" not in found:
        computed.sort(key=lambda one: one.line)
        names = ", ".join(dict.fromkeys(f"'{one.name}'" for one in computed[:3]))
        place = Place(path=module.path, line=computed[0].line, shows=f"computes {names}")
        found["transform"] = {"": place}
    alone = predicted and learns and not {"train", "evaluate", "serve", "tune"} & found.keys()
    if alone and any(_CARRIES.match(call.name) or _LEAVES.match(call.name) for call in module.calls):
        found["score"] = {
            call.name: Place(path=module.path, line=call.line, shows=_said(call)) for call in predicted[:3]
        }
    if "serve" in found and not (predicted or module.uses(_WEB | heads)):
        del found["serve"]
    return {role: tuple(sorted(places.values(), key=lambda one: one.line)) for role, places in found.items()}


def _joined(modules: tuple[Module, ...]) -> Iterator[tuple[Module, bool]]:
    """The modules with calls on what another one of them made, and whether such a one uses a framework."""
    heads = frozenset(_table().framework)
    by_name = index_of(modules)
    for module in modules:
        near = {name: local_module(name, module.path, by_name) for name in module.imports} if module.calls else {}
        able = {name for name, other in near.items() if other is not None and other.uses(heads)}
        calls = tuple(
            call._replace(name=f"?.{method}")
            if method in _OF_MODELS and (whose in able or whose.rpartition(".")[0] in able)
            else call
            for call in module.calls
            for whose, _, method in [call.name.rpartition(".")]
        )
        yield module._replace(calls=calls), bool(able)


@functools.lru_cache(maxsize=20_000)
def _shown_by(name: str, first: str, *, decorates: bool, learns: bool, web: bool) -> tuple[_Row, ...]:
    """The rows that a call of that name shows."""
    found = []
    for row in _table().activity:
        marks = _pattern(row.id, decorators=True) if decorates and web else None
        if marks is not None and marks.match("?." + name.rpartition(".")[2]):
            found.append(row)  # ``app = FastAPI()`` resolves to the class; what it is called says nothing
            continue
        pattern = _pattern(row.id, decorators=False)
        if (
            pattern is None
            or not (pattern.match(name) or pattern.match(f"{name}({first})"))
            or (row.id == "train" and _TRANSFORMER.match(name))
        ):
            continue
        if learns or not name.startswith("?."):
            found.append(row)
    return tuple(found)


def _said(call: Call) -> str:
    name = call.name.removeprefix("?")
    shown = f"({call.first[:40]!r})" if call.first and "://" not in call.first else "()"
    return f"@{name}{shown if call.first else ''}" if call.decorates else f"{name}{shown}"


def _not_alone(modules: tuple[Module, ...], roles: dict[str, dict[str, tuple[Place, ...]]]) -> Iterator[str]:
    """Modules that predict for others: what a service imports, and what hands its predictions to an evaluation."""
    predicting = [module for module in modules if "score" in roles[module.path]]
    if not predicting:
        return
    serving = closure((module for module in modules if "serve" in roles[module.path]), modules)
    by_name = index_of(modules)
    for module in predicting:
        near = (local_module(name, module.path, by_name) for name in module.imports)
        if module.path in serving or any(other is not None and "evaluate" in roles[other.path] for other in near):
            yield module.path


def activities(modules: Iterable[Module], findings: Iterable[Finding]) -> tuple[Activity, ...]:
    """Everything the two pipelines do today, in the order of the table.

    Args:
        modules: the system's own modules and notebooks, no tests.
        findings: what the scan found; those in use show activities that no call shows.
    """
    read = tuple(modules)
    places: dict[str, list[Place]] = {}
    roles = {module.path: roles_of(module, learns=learns) for module, learns in _joined(read)}
    for path in _not_alone(read, roles):
        del roles[path]["score"]
    for done in roles.values():
        for role, seen in done.items():
            places.setdefault(role, []).extend(seen)
    shown = {(role, place.path) for role, found in places.items() for place in found}
    called = frozenset(places)
    for finding in findings:
        if finding.usage != "used" or finding.scope != "main":
            continue
        if finding.kind == "registry" and _READS.search(finding.detail):
            continue  # who takes a version out registers none
        for row in _table().activity:
            if row.id in called and (finding.evidence in {"import", "call"} or finding.detail.startswith("class ")):
                continue  # where calls show it elsewhere, a mere import does not show it here
            if finding.kind in row.kinds and (row.id, finding.path) not in shown:
                shows = f"{finding.technology} ({finding.evidence})"
                shown.add((row.id, finding.path))
                places.setdefault(row.id, []).append(Place(path=finding.path, line=finding.line, shows=shows))
    return tuple(
        Activity(
            id=row.id,
            title=row.title,
            pipeline=row.pipeline,
            stage=row.stage,
            places=tuple(sorted(places[row.id], key=lambda one: (one.path, one.line, one.shows))),
        )
        for row in _table().activity
        if row.id in places
    )
