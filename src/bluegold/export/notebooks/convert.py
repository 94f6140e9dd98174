"""Convert: a notebook's stages as the files of a small package that needs nothing but what the notebook needed."""

from __future__ import annotations

import keyword
import os
import re
from pathlib import Path

import msgspec

from bluegold.core.errors import DataError
from bluegold.export.notebooks.flow import Flow, Stage, flow_of
from bluegold.export.notebooks.guess import data_of, target_of
from bluegold.export.notebooks.reading import Aside, read_book
from bluegold.export.notebooks.statements import Statement

__all__ = ["Converted", "convert", "package_names", "slug_of"]

_RUN = '''"""Run the stages of {title} in the order and the folder of the notebook.

    python -m {module}.run [-p NAME VALUE]... [--in FOLDER]
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
from pathlib import Path
from typing import Any

{imports}

__all__ = ["WHERE", "run"]

#: the notebook's folder, where its relative paths and its own modules are found
WHERE = Path(__file__).resolve().parent / {where!r}


def run(**given: Any) -> dict[str, Any]:
    """Every stage once; returns what they gave by name."""
    values: dict[str, Any] = {start}
{calls}
    return values


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def main() -> None:
    """Run from the command line."""
    arguments = argparse.ArgumentParser(description={description!r})
    arguments.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    arguments.add_argument("--in", dest="folder", type=Path, default=WHERE, help="folder to run in")
    found = arguments.parse_args()
    os.chdir(found.folder)
    run(**{{name: _value(value) for name, value in found.parameter}})


if __name__ == "__main__":
    main()
'''
_UNKNOWN = """    unknown = sorted(set(given) - set(values))
    if unknown:
        raise SystemExit(f"there is no parameter {unknown[0]!r}; there are: {', '.join(sorted(values)) or 'none'}")
"""


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """A converted notebook.

    Args:
        notebook: its path.
        files: path below the target folder -> text.
        stages: (name, cells, takes, gives) of every stage in order.
        parameters: names that a run may set.
        aside: what is no part of a stage, and why.
        module: the package's dotted name below the target folder.
        data: file that it reads first, as written; empty when none is named.
        target: column that it seems to predict, empty when it does not say.
    """

    notebook: Path
    files: dict[str, str]
    stages: tuple[tuple[str, tuple[int, ...], tuple[str, ...], tuple[str, ...]], ...]
    parameters: tuple[str, ...]
    aside: tuple[Aside, ...]
    module: str
    data: str = ""
    target: str = ""


def convert(notebook: Path, folder: Path, *, package: str = "") -> Converted:
    """Write a notebook as stages; nothing of it runs.

    Args:
        notebook: an ``.ipynb`` file.
        folder: where the files will lie; only the way from there to the notebook is taken from it.
        package: name of the package below ``stages`` (default: made from the notebook's name).

    Raises:
        DataError: it is no Python notebook, or its cells cannot run in their order; the cell is named.
    """
    flow = flow_of(read_book(notebook))
    slug = package or slug_of(notebook)
    base = f"stages/{slug}"
    where = os.path.relpath(notebook.resolve().parent, (folder / base).resolve())
    files = {"stages/__init__.py": '"""Stages that were notebooks."""\n'}
    files[f"{base}/__init__.py"] = _summary(notebook.name, flow)
    if flow.shared:
        files[f"{base}/common.py"] = _module("What several stages use.", flow, flow.shared, "")
    if flow.parameters:
        files[f"{base}/parameters.py"] = _parameters(flow)
    for stage in flow.stages:
        files[f"{base}/{stage.name}.py"] = _stage(stage, flow)
    files[f"{base}/run.py"] = _runner(notebook.name, f"stages.{slug}", flow, where)
    if flow.aside:
        files[f"{base}/ASIDE.md"] = _aside(notebook.name, flow.aside)
    _compiled(notebook, files)
    return Converted(
        notebook=notebook,
        files=files,
        stages=tuple((stage.name, stage.cells, stage.takes, stage.gives) for stage in flow.stages),
        parameters=_names(flow.parameters),
        aside=flow.aside,
        module=f"stages.{slug}",
        data=data_of(flow),
        target=target_of(flow),
    )


def slug_of(notebook: Path) -> str:
    """A module's name made from a notebook's.

    Example:
        >>> slug_of(Path("01 Train-Model.ipynb"))
        'train_model'
        >>> slug_of(Path("async.ipynb"))
        'async_notebook'
    """
    found = re.sub(r"\W+", "_", notebook.stem.lower(), flags=re.ASCII).strip("_")
    name = re.sub(r"^[\d_]+", "", found) or "notebook"
    return f"{name}_notebook" if keyword.iskeyword(name) else name


def package_names(notebooks: list[Path]) -> list[str]:
    """A package's name for each notebook, all different.

    Example:
        >>> package_names([Path("a/Train.ipynb"), Path("b/train.ipynb")])
        ['train', 'train_2']
    """
    found: list[str] = []
    for path in notebooks:
        name = slug = slug_of(path)
        count = 1
        while name in found:
            count += 1
            name = f"{slug}_{count}"
        found.append(name)
    return found


def _names(items: tuple[Statement, ...]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*(item.binds for item in items)))) if items else ()


def _summary(title: str, flow: Flow) -> str:
    order = " -> ".join(stage.name for stage in flow.stages)
    return f'"""The stages of {title}: {order}."""\n'


def _needed(flow: Flow, body: tuple[Statement, ...]) -> list[str]:
    """The import lines that some statements need."""
    reads = frozenset().union(*(item.reads for item in body))
    return [item.text for item in flow.imports if item.binds & reads or "import *" in item.text]


def _module(title: str, flow: Flow, body: tuple[Statement, ...], function: str) -> str:
    """A file: its docstring, the imports its statements need, and the statements or the function that holds them."""
    reads = frozenset().union(*(item.reads for item in body))
    parts = [f'"""{title}"""', ""]
    imports = _needed(flow, body)
    if function:
        imports = ["from typing import Any", *imports]
        common = sorted(reads & frozenset(_names(flow.shared)))
        if common:
            imports.append(f"from .common import {', '.join(common)}")
    parts += [*imports, ""] if imports else []
    if "display" in reads:
        parts += ["display = print  # what a notebook shows, a plain process prints", ""]
    return "\n".join([*parts, function or "\n\n".join(item.text for item in body)]).rstrip() + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line.strip() else "" for line in text.split("\n"))


def _body(items: tuple[Statement, ...]) -> list[str]:
    lines: list[str] = []
    cell = 0
    for item in items:
        if item.cell != cell:
            cell = item.cell
            lines.append(f"    # cell {cell}")
        lines.append(_indented(item.text))
    return lines


def _stage(stage: Stage, flow: Flow) -> str:
    takes = ", ".join(f"{name}: Any" for name in stage.takes)
    cells = ", ".join(str(cell) for cell in stage.cells)
    said = f"Cell{'s' if len(stage.cells) > 1 else ''} {cells} of the notebook."
    lines = [f"def {stage.name}({takes}) -> dict[str, Any]:", f'    """{said}"""', *_body(stage.body)]
    if stage.perhaps:
        named = ", ".join(f'"{name}"' for name in stage.gives)
        lines.append(f"    return {{name: value for name, value in locals().items() if name in {{{named}}}}}")
    else:
        pairs = ", ".join(f'"{name}": {name}' for name in stage.gives)
        lines.append(f"    return {{{pairs}}}")
    return _module(f"Stage {stage.name}.", flow, stage.body, "\n" + "\n".join(lines))


def _parameters(flow: Flow) -> str:
    pairs = ", ".join(f'"{name}": {name}' for name in _names(flow.parameters))
    lines = [
        "def parameters(given: dict[str, Any]) -> dict[str, Any]:",
        '    """The notebook\'s parameters, with the given ones in place of its own."""',
        *_body(flow.parameters),
        f"    values: dict[str, Any] = {{{pairs}}}",
        _UNKNOWN.rstrip("\n"),
        "    return values | given",
    ]
    return _module("Parameters of a run.", flow, flow.parameters, "\n" + "\n".join(lines))


def _runner(title: str, module: str, flow: Flow, where: str) -> str:
    names = [*(["parameters"] if flow.parameters else []), *(stage.name for stage in flow.stages)]
    imports = [f"from .{name} import {name}" for name in sorted(names)]
    calls = []
    if not flow.parameters:
        calls.append(_UNKNOWN.rstrip("\n"))
    for stage in flow.stages:
        takes = ", ".join(f'{name}=values["{name}"]' for name in stage.takes)
        calls.append(f"    values |= {stage.name}({takes})")
    return _RUN.format(
        title=title,
        module=module,
        imports="sys.path.insert(0, str(Path(__file__).resolve().parent / "
        + repr(where)
        + "))  # the notebook's own modules\n\n"
        + "\n".join(f"{line}  # noqa: E402" for line in imports),
        where=where,
        start="parameters(given)" if flow.parameters else "{}",
        calls="\n".join(calls),
        description=f"Run the stages of {title}.",
    )


def _aside(title: str, aside: tuple[Aside, ...]) -> str:
    lines = [
        f"# Left aside from {title}",
        "Code that is no part of a stage: it shows, draws, or only a notebook runs it.",
    ]
    for item in aside:
        lines += ["", f"## Cell {item.cell}: {item.reason}", "```", item.text, "```"]
    return "\n".join(lines) + "\n"


def _compiled(notebook: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        if name.endswith(".py"):
            try:
                compile(text, name, "exec")
            except (SyntaxError, ValueError) as error:
                raise DataError(
                    f"notebook '{notebook}' cannot be written as stages",
                    why=f"{name}: {error}",
                    way_out="simplify the cell that this part came from",
                ) from error
