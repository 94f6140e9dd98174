"""Written by hand: functions that do what no library is called for, told by their names and by what they look at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from bluegold.design.understand.code import Module

__all__ = ["Written", "written"]

_DEFINED = re.compile(r"^([ \t]{0,40})(?:async[ \t]+)?def[ \t]+(\w{3,80})[ \t]*\(([^)]{0,400})\)", re.MULTILINE)
#: a function that judges data: what it does, and what it looks at
_CHECKS = re.compile(
    r"_*(?:validate|check|verify|assert|ensure)_(?:\w+_)?(?:data|datasets?|dataframe|df|frame|table|schema|columns?|inputs?"
    r"|ranges?|missing|nulls?|nans?|na|duplicates?|d?types|labels?|rows?|records?|features?|integrity|quality"
    r"|completeness|target|values)(?:_\w+)?|(?:\w+_)?data_(?:quality|validation)(?:_\w+)?"
)
_JUDGES = re.compile(
    r"\braise\b|\bassert\b|[<>!=]=|[<>]|\bnot in\b|\bexcept\b|\.isn(?:a|ull)\(|\.duplicated\(|\.issubset\("
)
#: a function that compares what comes in with what was learned from
_WATCHES = re.compile(
    r"_*(?:\w+_)?(?:drift|psi|population_stability(?:_index)?|(?:model|prediction|data|feature)s?_monitor(?:ing)?)(?:_\w+)?"
)
_MEASURES = re.compile(
    r"\bnp\.|\bnumpy\.|\bstats\.|ks_2samp|chi2|wasserstein|\.mean\(|\.std\(|histogram|\blog\(|\bpsi\b"
)
#: what a function is called that a platform calls with an event and its surroundings
_HANDLER = re.compile(r"(?:lambda_)?handler")
_EVENT = re.compile(r"\s*event\b[^,]*,\s*_?(?:context|ctx)\b.*", re.DOTALL)
_TABLES = frozenset({"pandas", "polars", "pyspark", "dask", "pyarrow", "datasets"})
_NUMBERS = frozenset({"numpy", "scipy"})
_DRAWS = re.compile(r"_*(?:plot|show|draw|render|test|mock|load|read|simulate|make|generate)_.*")


class Written(NamedTuple):
    """A function, the activity it shows, and its line in the file."""

    role: str
    name: str
    line: int


def written(module: Module, *, learns: bool) -> Iterator[Written]:
    """The functions of a module that check data, watch for drift, or answer the events of a platform.

    Args:
        module: the module.
        learns: it uses a framework of machine learning, itself or through what it imports.

    Example:
        >>> from bluegold.design.understand.code import read_module
        >>> text = "import pandas as pd\\ndef validate_schema(df):\\n    if 'a' not in df: raise ValueError"
        >>> [found.role for found in written(read_module("checks.py", text), learns=False)]
        ['check']
    """
    tables, numbers = module.uses(_TABLES), module.uses(_NUMBERS)
    if "def " not in module.source or not (tables or numbers or learns):
        return
    for found in _DEFINED.finditer(module.source):
        name, line = found[2], module.place(module.source.count("\n", 0, found.start(2)) + 1)
        if _DRAWS.fullmatch(name):
            continue
        if tables and _CHECKS.fullmatch(name) and _JUDGES.search(_body(module.source, found)):
            yield Written("check", name, line)
        elif (tables or numbers) and _WATCHES.fullmatch(name) and _MEASURES.search(_body(module.source, found)):
            yield Written("monitor", name, line)
        elif learns and _HANDLER.fullmatch(name) and _EVENT.fullmatch(found[3]):
            yield Written("serve", name, line)


def _body(source: str, found: re.Match[str]) -> str:
    """The lines of a function, at most 200."""
    indent = len(found[1].expandtabs())
    lines: list[str] = []
    for line in source[found.end() : found.end() + 20_000].split("\n")[1:201]:
        if line.strip() and len(line.expandtabs()) - len(line.expandtabs().lstrip()) <= indent and line.strip() != "):":
            break
        lines.append(line)
    return "\n".join(lines)
