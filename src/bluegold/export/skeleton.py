"""The first definition of a new system: ``pipeline.py`` and ``architecture.yaml`` that run as they are.

With a data file the contract is read off its columns; without one the starter uses a small data set that ships
with scikit-learn, so that ``bluegold develop`` works before the first line is changed.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from bluegold.core.errors import DataError, UsageError
from bluegold.core.workspace import write_atomic

__all__ = ["skeleton", "usable_target"]

MAX_LEVELS = 12

_PIPELINE = '''"""{title}: what the data and the model are.  What was decided, and why, is in architecture.yaml."""

{imports}


class Record(bg.Contract):
    "One record, as known when the decision is taken."

{fields}


system = bg.System("{name}", contract=Record, target={target}, split=bg.by_share(validate=0.2, holdout=0.2, seed=7))
system.use({used})
system.model("lightgbm", search={{"num_leaves": (15, 31)}})
system.model("logistic")


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


def skeleton(
    name: str,
    folder: Path,
    *,
    data: Path | None = None,
    target: str = "",
    plan: str = "",
    further: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Write the two files of a new system, and further ones that belong to it.

    Args:
        name: lower-case name with hyphens.
        folder: a folder of that system; it must not hold a definition yet.
        data: CSV or Parquet file whose columns become the contract.
        target: with ``data``: the column to predict, a boolean or 0/1 column.
        plan: text of ``architecture.yaml`` (default: a first plan with its defaults).
        further: path below the folder -> text.

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
    pipeline = _starter(name) if data is None else _from_data(name, data, target)
    texts = (pipeline, plan or _PLAN.format(name=name), *further.values())
    for file, text in zip(files, texts, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, text.encode())
    return files


def _starter(name: str) -> str:
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
        target='pl.col("diagnosis") == 0',
        used=", ".join(json.dumps(field) for field in chosen),
        load=load,
    )


def _from_data(name: str, data: Path, target: str) -> str:
    rows = _read(data)
    if target not in rows.columns:
        raise DataError(
            f"'{data}' has no column '{target}'",
            way_out=f"name the target with --target, one of {', '.join(rows.columns[:20])}",
        )
    lines: list[str] = []
    used: list[str] = []
    times = False
    for column in rows.columns:
        if column == target:
            continue
        line = _field(rows[column])
        if line is None or not column.isidentifier() or keyword.iskeyword(column) or column.startswith("_"):
            lines.append(f"    # column {column!r} is left out: {rows[column].dtype}")
            continue
        lines.append(f"    {column}: {line}")
        times = times or "bg.time" in line
        if "bg.time" not in line and "bg.text" not in line:
            used.append(column)
    expression = f"pl.col({json.dumps(target)})" + ("" if rows[target].dtype == pl.Boolean else " == 1")
    reader = "read_parquet" if data.suffix == ".parquet" else "read_csv"
    options = "" if data.suffix == ".parquet" else ", try_parse_dates=True"
    return _PIPELINE.format(
        title=name,
        imports=("import datetime as dt\n\n" if times else "") + "import bluegold as bg\nimport polars as pl",
        fields="\n".join(lines),
        name=name,
        target=expression,
        used=", ".join(json.dumps(column) for column in used),
        load=f"    return bg.Data(rows=pl.{reader}({json.dumps(str(data.resolve()))}{options}))",
    )


def usable_target(data: Path, target: str) -> bool:
    """Whether a file has that column and it holds only true/false or 0/1.

    Raises:
        DataError: the file cannot be read.
    """
    rows = _read(data)
    if target not in rows.columns:
        return False
    values = rows[target].drop_nulls()
    if values.dtype == pl.Boolean:
        return True
    return values.dtype.is_integer() and set(values.unique().to_list()) <= {0, 1}


def _read(data: Path) -> pl.DataFrame:
    if not data.is_file():
        raise DataError(f"there is no file '{data}'", way_out="name a CSV or Parquet file with --data")
    try:
        if data.suffix == ".parquet":
            return pl.read_parquet(data, n_rows=100_000)
        return pl.read_csv(data, n_rows=100_000, try_parse_dates=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"'{data}' cannot be read", why=str(error).splitlines()[0], way_out="give a CSV or Parquet file"
        ) from error


def _field(column: pl.Series) -> str | None:
    """The contract line of one column, or None where its type has no place in a contract."""
    missing = ', missing="flag"' if column.null_count() else ""
    if column.dtype == pl.Boolean:
        return f"bool = bg.flag({missing[2:]})"
    if column.dtype.is_temporal():
        return f"dt.datetime = bg.time({missing[2:]})"
    if column.dtype.is_integer() or column.dtype.is_float():
        kind = "int" if column.dtype.is_integer() else "float"
        bounds = f"ge={column.min()!r}, le={column.max()!r}, " if column.len() > column.null_count() else ""
        return f'{kind} = bg.number({bounds}outside="flag"{missing})'
    if column.dtype == pl.String:
        levels: list[str] = column.drop_nulls().unique().sort().to_list()
        if len(levels) <= MAX_LEVELS:
            listed = "".join(f"{json.dumps(level)}, " for level in levels)
            return f'str = bg.category({listed}unknown="flag"{missing})'
        if len(levels) <= max(50, column.len() // 20):
            return f'str = bg.category(unknown="flag"{missing})'
        return f"str = bg.text({missing[2:]})"
    return None
