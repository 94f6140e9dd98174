"""`bluegold init`: a new system's first definition, from nothing, from a data file, or from a code base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.terminal import JsonOption, emit
from bluegold.core.errors import BluegoldError, DataError, UsageError

if TYPE_CHECKING:
    from bluegold.export.notebooks import Converted

__all__ = ["init"]

#: notebooks of one code base that become stages at most
MOST = 20
#: libraries whose models a definition can name directly
_FAMILIES = frozenset({"lightgbm", "xgboost"})


def init(
    name: Annotated[str, typer.Argument(help="Name of the system, for example churn.")],
    data: Annotated[Path | None, typer.Option("--data", help="CSV, .csv.gz or Parquet file to read it off.")] = None,
    target: Annotated[
        str, typer.Option("--target", help="With --data: the column to predict (yes or no, a class, a number).")
    ] = "",
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Code base (or one notebook) to start from; its notebooks become stages."),
    ] = None,
    folder: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to write (default: NAME).")] = None,
    json: JsonOption = False,
) -> None:
    """Start a new system: pipeline.py and architecture.yaml that run as they are."""
    from bluegold.export.skeleton import skeleton

    if target and data is None and source is None:
        raise UsageError("--target names a column but there is no --data", way_out="give --data FILE as well")
    where = folder or Path(name)
    if source is None:
        files = skeleton(name, where, data=data, target=target)
        notes: list[str] = []
        modules: list[str] = []
    else:
        files, notes, modules = _adopted(name, where, source, data, target)
    lines = [f"written: {file}" for file in files] + [f"note: {note}" for note in notes]
    lines += [f"next: cd {where} && python -m {module}.run" for module in modules]
    lines.append(f"next: bluegold develop --system {files[0].parent}")
    value = {"files": [str(file) for file in files], "notes": notes, "stages": modules}
    emit(value, as_json=json, text="\n".join(lines))


def _adopted(
    name: str, where: Path, source: Path, data: Path | None, target: str
) -> tuple[tuple[Path, ...], list[str], list[str]]:
    """The files of a system that exists already: its plan with citations, its notebooks as stages."""
    from bluegold.design.adopt import adopted_plan
    from bluegold.design.scan import scan
    from bluegold.design.scan.summary import technologies
    from bluegold.export.skeleton import skeleton

    one = source if source.is_file() and source.suffix == ".ipynb" else None
    root = source.parent if one else source
    if not root.is_dir() or (source.is_file() and one is None):
        what = "is not a directory" if source.exists() else "does not exist"
        raise DataError(f"'{source}' {what}", way_out="give --from the folder of a code base, or a notebook")
    found = scan(root)
    done, notes = _stages([one] if one else _notebooks(root), where, named=one is not None)
    if data is None:
        data, guessed = _data(done, root)
        if data is not None:
            target = target or guessed
            notes.append(f"the contract was read off {data}, the target '{target}' is a guess: check both")
        else:
            notes.append("pipeline.py is a starter: give --data and --target, or write your contract into it")
    further: dict[str, str] = {}
    for item in done:
        further |= item.files
    plan = adopted_plan(name, found, notes)
    families = {
        item.technology: f"{item.best.path}:{item.best.line} uses it"
        for item in technologies(found)
        if item.usage == "used" and item.technology in _FAMILIES
    }
    files = skeleton(name, where, data=data, target=target, plan=plan, further=further, families=families)
    return files, notes, [item.module for item in done]


def _notebooks(root: Path) -> list[Path]:
    """The code base's own notebooks; those of tests and examples only where there are no others."""
    from collections import Counter

    from bluegold.design.scan.source import scope_of
    from bluegold.design.scan.walk import Limits, walk

    paths = sorted(entry.path for entry in walk(root, Limits(), Counter()) if entry.path.endswith(".ipynb"))
    return [root / path for path in [path for path in paths if scope_of(path) == "main"] or paths]


def _stages(notebooks: list[Path], where: Path, *, named: bool) -> tuple[list[Converted], list[str]]:
    from bluegold.export.notebooks import convert, package_names

    if not notebooks:
        return [], ["there is no notebook to make stages of"]
    done: list[Converted] = []
    notes: list[str] = []
    for path, package in zip(notebooks[:MOST], package_names(notebooks[:MOST]), strict=True):
        try:
            item = convert(path, where, package=package)
        except BluegoldError as error:
            if named:
                raise
            notes.append(f"left out: {error}")
            continue
        done.append(item)
        order = " -> ".join(stage for stage, *_ in item.stages)
        aside = f"; {len(item.aside)} parts left aside (ASIDE.md)" if item.aside else ""
        notes.append(f"{path.name} became {order}{aside}")
    if len(notebooks) > MOST:
        notes.append(f"{len(notebooks) - MOST} more notebooks were left out: name one with --from NOTEBOOK")
    return done, notes


def _data(done: list[Converted], root: Path) -> tuple[Path | None, str]:
    """A data file that a notebook reads and the column it predicts, where both are there and usable."""
    from bluegold.export.skeleton import usable_target
    from bluegold.features.table_files import kind_of

    for item in done:
        for base in (item.notebook.parent, root) if item.data and item.target else ():
            path = base / item.data
            if kind_of(path) and path.is_file() and usable_target(path, item.target):
                return path, item.target
    return None, ""
