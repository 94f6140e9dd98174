"""The first definition of a new system: ``pipeline.py`` and ``architecture.yaml`` that run as they are.

With a data file the contract is read off its columns; without one the starter uses a small data set that ships
with scikit-learn, so that ``bluegold develop`` works before the first line is changed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from bluegold.core.errors import DataError, UsageError
from bluegold.core.workspace import write_atomic
from bluegold.export.readoff import Column, columns_of, read, reader_of, target_of
from bluegold.requirements.catalog import requirement

__all__ = ["skeleton", "usable_target"]

_PIPELINE = '''"""{title}: what the data and the model are.  What was decided, and why, is in architecture.yaml."""

{imports}


class Record(bg.Contract):
    "One record, as known when the decision is taken."

{fields}


system = bg.System(
    "{name}",
    contract=Record,
    target={target}
    split=bg.by_share(validate=0.2, holdout=0.2, seed=7),
)
{features}
{models}


@system.source
def load() -> bg.Data:
{load}
'''

_PLAN = """# What was decided about {name}, and why.  Every key may be left out; `why` gives reasons to the document.
system: {name}
risk: medium
regulated: false
topology: hybrid
rollout: {{canary: 0.05, shares: [0.05, 0.25, 0.5, 1.0], shadow_s: 60, hold_s: 300, min_requests: 1000}}
governance: {{approval: automatic}}
why:
  topology: online answers and batch scoring share one definition
"""

_RAISED = """# The method asks for an accuracy of {accuracy}, which the commonest class reaches by itself here.
requirements:
  AP-7: {{threshold: {least}, reason: {reason}}}
"""
_OFFERED = """# A release needs an accuracy of {accuracy} and an AUC of {area}, as the method asks.  Where no honest
# model reaches them, somebody decides on other limits, and every version carries the reason:
# requirements:
#   AP-7: {{threshold: {least}, reason: {reason}}}
#   AP-8: {{threshold: 0.7, reason: what a reviewed decision needs; say here who decided}}
"""


def skeleton(
    name: str,
    folder: Path,
    *,
    data: Path | None = None,
    target: str = "",
    plan: str = "",
    further: Mapping[str, str] | None = None,
    families: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Write the two files of a new system, and further ones that belong to it.

    Args:
        name: lower-case name with hyphens.
        folder: a folder of that system; it must not hold a definition yet.
        data: CSV or Parquet file whose columns become the contract.
        target: with ``data``: the column to predict: a yes or no, a class, or a number.
        plan: text of ``architecture.yaml`` (default: a first plan with its defaults).
        further: path below the folder -> text.
        families: model family -> why it is tried, for example where a code base uses it (default: trees).

    Returns:
        The files written.

    Raises:
        UsageError: the name is not usable, or a definition is there already.
        DataError: the data cannot be read or has no such target.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", name):
        raise UsageError(f"'{name}' cannot be a system's name", way_out="use lower-case letters, digits and hyphens")
    further = further or {}
    files = (folder / "pipeline.py", folder / "architecture.yaml", *(folder / path for path in further))
    for file in files:
        if file.exists():
            raise UsageError(f"'{file}' is there already", way_out="choose another name or folder; nothing was changed")
    tried = families or {}
    pipeline, limits = (_starter(name, tried), "") if data is None else _from_data(name, data, target, tried)
    texts = (pipeline, (plan or _PLAN.format(name=name)) + limits, *further.values())
    for file, text in zip(files, texts, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, text.encode())
    return files


def _models(families: Mapping[str, str], second: str) -> str:
    """What is tried: the families a code base uses, else trees; and a simple one to hold them against."""
    search = ', search={"num_leaves": (15, 31)}'
    lines = [
        f'system.model("{name}"{search if name == "lightgbm" else ""})  # {why}' for name, why in families.items()
    ] or [f'system.model("lightgbm"{search})']
    return "\n".join([*lines, f'system.model("{second}")'])


def _starter(name: str, families: Mapping[str, str]) -> str:
    load = "\n".join(
        (
            "    from sklearn.datasets import load_breast_cancer",
            "",
            "    found = load_breast_cancer()",
            '    columns = [str(n).replace(" ", "_") for n in found.feature_names]',
            "    rows = pl.DataFrame(found.data, schema=columns).with_columns(diagnosis=pl.Series(found.target))",
            '    return bg.Data(rows=rows, notes=("a starter data set from scikit-learn; put your own here",))',
        )
    )
    chosen = {"mean_radius": (0, 60), "mean_texture": (0, 80), "mean_smoothness": (0, 1), "mean_concavity": (0, 2)}
    fields = [
        f'    {field}: float = bg.number(ge={low}, le={high}, outside="flag")' for field, (low, high) in chosen.items()
    ]
    return _PIPELINE.format(
        title=name,
        imports="import bluegold as bg\nimport polars as pl",
        fields="\n".join(fields),
        name=name,
        target='pl.col("diagnosis") == 0,',
        features=f"system.use({', '.join(json.dumps(field) for field in chosen)})",
        models=_models(families, "logistic"),
        load=load,
    )


def _from_data(name: str, data: Path, target: str, families: Mapping[str, str]) -> tuple[str, str]:
    """The definition, and what the plan says about its limits."""
    rows = read(data)
    if target not in rows.columns:
        raise DataError(
            f"'{data}' has no column '{target}'",
            way_out=f"name the target with --target, one of {', '.join(rows.columns[:20])}",
        )
    aim = target_of(rows[target])
    columns = columns_of(rows, target)
    kept = [column for column in columns if column.line]
    if not any(column.used or column.features for column in kept):
        raise DataError(
            f"'{data}' has no column to predict '{target}' by",
            why="the others are empty, constant, or different in every row",
            way_out="give a file with more columns",
        )
    used = [json.dumps(column.name) for column in kept if column.used]
    lines = [f"system.use({', '.join(part)})" for part in _lines(used)] if used else []
    lines += [line for column in kept for line in column.features]
    times = any(column.line.startswith("dt.") for column in kept)
    if times:
        lines.insert(0, "# with a moment in every row, bg.by_time(...) and time=... judge a model by what comes later")
    pipeline = _PIPELINE.format(
        title=name,
        imports=("import datetime as dt\n\n" if times else "") + "import bluegold as bg\nimport polars as pl",
        fields="\n".join(_told(column) for column in columns),
        name=name,
        target=f"{aim.expression},  # {aim.why}",
        features="\n".join(lines),
        models=_models(families, "linear" if aim.task == "regression" else "logistic"),
        load=_loading(data, kept),
    )
    return pipeline, "" if aim.task == "regression" else _limits(rows[target])


def _limits(outcomes: pl.Series) -> str:
    """Accuracy and area under the curve as the method asks for, held against what guessing reaches on this data.

    A limit that the commonest class alone reaches proves nothing and is raised; a lower one is offered in a comment,
    for it is somebody's decision.
    """
    known = outcomes.drop_nulls()
    commonest = known.value_counts(sort=True, name="rows").row(0)
    share, accuracy = commonest[1] / len(known), requirement("AP-7").threshold or 0.0
    area = requirement("AP-8").threshold
    least = math.ceil(share * 1000) / 1000
    said = f"always saying {str(commonest[0])[:40]} is right in {share:.1%}"
    if least > accuracy:
        return _RAISED.format(accuracy=accuracy, least=least, reason=json.dumps(said, ensure_ascii=False))
    return _OFFERED.format(accuracy=accuracy, area=area, least=least, reason=json.dumps(said, ensure_ascii=False))


def _lines(used: list[str], width: int = 8) -> list[list[str]]:
    return [used[start : start + width] for start in range(0, len(used), width)]


def _told(column: Column) -> str:
    """A line of the contract, or the comment that stands in its place."""
    shown = column.source if column.source == column.name else f"{column.name} ({column.source!r})"
    if not column.line:
        return f"    # {shown} is left out: {column.remark}"
    return f"    {column.name}: {column.line}" + (f"  # {column.remark}" if column.remark else "")


def _loading(data: Path, kept: list[Column]) -> str:
    renamed = {column.source: column.name for column in kept if column.source != column.name}
    casts = [f'pl.col("{column.name}").cast({column.cast})' for column in kept if column.cast]
    lines = [f"    rows = {reader_of(data)}"]
    if renamed:
        lines.append(f"    rows = rows.rename({json.dumps(renamed, ensure_ascii=False)})")
    if casts:
        lines.append(f"    rows = rows.with_columns({', '.join(casts)})")
    return "\n".join([*lines, "    return bg.Data(rows=rows)"])


def usable_target(data: Path, target: str) -> bool:
    """Whether a file has that column and something can be learned from it.

    Raises:
        DataError: the file cannot be read.
    """
    rows = read(data)
    if target not in rows.columns:
        return False
    try:
        target_of(rows[target])
    except DataError:
        return False
    return True
