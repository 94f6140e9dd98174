"""Searching versions: by name, stage, metric, author, time and text, each through an index or one pass."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, cast, get_args

import msgspec
from sqlalchemy import Boolean, Select, and_, exists, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from bluegold.core.errors import UsageError
from bluegold.core.nouns import Stage
from bluegold.registry.tables import VERSIONS, metrics_table, micros

__all__ = ["Search", "parse", "search_in"]

_table = VERSIONS.table
_metrics = metrics_table.c
_CONDITION = re.compile(r"\s*([^\s<>=!]+)\s*(<=|>=|==|=|<|>)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")


class _Holds(FunctionElement[bool]):
    """Whether a text holds a word: twice as fast to find as by a pattern, which compares at every place."""

    inherit_cache = True
    type = Boolean()


@compiles(_Holds)
def _strpos(element: _Holds, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)}) > 0"


@compiles(_Holds, "sqlite")
def _instr(element: _Holds, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)}) > 0"


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; an empty part asks for nothing.

    Attributes:
        model: the model's name, ``*`` for any letters.
        stage: its present stage.
        metrics: conditions such as ``auc>=0.8``; all must hold.
        author: who registered it.
        since, until: when it was registered (from, up to but not including).
        text: words that all occur in its name, author, lineage, parameters, artefact names or digests.

    Example:
        >>> Search(model="flight*", metrics=("auc>0.8",)).text
        ''
    """

    model: str = ""
    stage: Stage | None = None
    metrics: tuple[str, ...] = ()
    author: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    text: str = ""


def parse(terms: Sequence[str]) -> Search:
    """A search as people write it: ``model:``, ``stage:``, ``author:``, ``since:``, ``until:``, conditions, words.

    Raises:
        UsageError: a stage does not exist, or a time is none.

    Example:
        >>> parse(["stage:canary", "auc>=0.8", "batch", "7"])
        Search(model='', stage='Canary', metrics=('auc>=0.8',), author='', since=None, until=None, text='batch 7')
    """
    known: dict[str, str] = {}
    metrics, words = [], []
    for term in terms:
        name, colon, value = term.partition(":")
        if colon and name in {"model", "stage", "author", "since", "until"}:
            known[name] = value
        elif any(sign in term for sign in "<>="):
            metrics.append(term)
        else:
            words.append(term)
    return Search(
        model=known.get("model", ""),
        stage=_stage(known["stage"]) if "stage" in known else None,
        metrics=tuple(metrics),
        author=known.get("author", ""),
        since=_moment(known["since"]) if "since" in known else None,
        until=_moment(known["until"]) if "until" in known else None,
        text=" ".join(words),
    )


def _stage(name: str) -> Stage:
    for stage in get_args(Stage):
        if stage.casefold() == name.casefold():
            return cast(Stage, stage)
    raise UsageError(f"there is no stage '{name}'", way_out=f"choose among {', '.join(get_args(Stage))}")


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"'{text}' is no time", way_out="write it like 2026-01-31T12:00") from error


def search_in(wanted: Search, limit: int) -> Select[Any]:
    """The query of a search.

    Raises:
        UsageError: a condition on a metric cannot be read.
    """
    query = select(_table)
    if "*" in wanted.model:
        query = query.where(_table.c.model.like(_pattern(wanted.model), escape="\\"))
    elif wanted.model:
        query = query.where(_table.c.model == wanted.model)
    if wanted.stage:
        query = query.where(_table.c.stage == wanted.stage)
    if wanted.author:
        query = query.where(_table.c.author == wanted.author)
    if wanted.since:
        query = query.where(_table.c.at >= micros(wanted.since))
    if wanted.until:
        query = query.where(_table.c.at < micros(wanted.until))
    for condition in wanted.metrics:
        query = query.where(_metric(condition))
    for word in sorted(wanted.text.casefold().split(), key=len, reverse=True):  # the longest rules out most
        query = query.where(_Holds(_table.c.words, word))
    return query.order_by(_table.c.id.desc()).limit(limit)


def _metric(condition: str) -> Any:
    match = _CONDITION.fullmatch(condition)
    try:
        value = float(match[3]) if match else 0.0
    except ValueError:
        match = None
    if match is None:
        raise UsageError(f"'{condition}' is no condition on a metric", way_out="write it like auc>=0.8")
    name, sign = match[1], match[2]
    compared = {
        "<": _metrics.value < value,
        "<=": _metrics.value <= value,
        ">": _metrics.value > value,
        ">=": _metrics.value >= value,
    }.get(sign, _metrics.value == value)
    mine = and_(_metrics.model == _table.c.model, _metrics.version == _table.c.version)
    return exists().where(mine, _metrics.name == name, compared)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _pattern(name: str) -> str:
    return _escaped(name).replace("*", "%")
