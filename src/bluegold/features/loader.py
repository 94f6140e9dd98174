"""Reading a system's definition: ``pipeline.py`` and the ``architecture.yaml`` beside it."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import traceback
from pathlib import Path

import polars as pl

from bluegold.core.errors import BluegoldError, DefinitionError
from bluegold.core.plan_file import read_plan
from bluegold.features.system import System

__all__ = ["load_system"]

TROUBLE = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    pl.exceptions.PolarsError,
)
_numbers = itertools.count(1)


def load_system(path: Path | str) -> System:
    """Load the one system that a definition describes.

    Args:
        path: a folder with ``pipeline.py`` and ``architecture.yaml``, or the Python file itself.

    Raises:
        DefinitionError: a file is missing, fails, or does not define exactly one system under its plan's name.
    """
    code = Path(path)
    code = (code / "pipeline.py" if code.is_dir() else code).resolve()
    if not code.is_file():
        raise DefinitionError(
            f"there is no definition at '{code}'",
            way_out="name a folder that holds pipeline.py and architecture.yaml, or make one with 'bluegold init NAME'",
        )
    systems = _run(code)
    if len(systems) != 1:
        raise DefinitionError(
            f"'{code}' defines {len(systems)} systems of its own", way_out="define one:  system = bg.System(...)"
        )
    system = systems[0]
    plan_file = code.parent / "architecture.yaml"
    system.plan = read_plan(plan_file)
    if system.plan.system != system.name:
        raise DefinitionError(
            f"'{plan_file}' is about '{system.plan.system}' but '{code.name}' defines '{system.name}'",
            way_out="use one name in both",
        )
    _check_plan(system, plan_file)
    _check_models(system, code)
    texts = sorted({*code.parent.glob("*.py"), plan_file})
    system.source_text = {file.name: file.read_text(encoding="utf-8") for file in texts}
    return system


def _run(code: Path) -> list[System]:
    """Execute the file as a module of its own and return the systems made in it."""
    name = f"bluegold_definition_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, code)
    if spec is None or spec.loader is None:
        raise DefinitionError(f"'{code}' is no Python file", way_out="give a .py file")
    module = importlib.util.module_from_spec(spec)
    before = set(sys.modules)
    sys.modules[name] = module
    sys.path.insert(0, str(code.parent))
    try:
        spec.loader.exec_module(module)
    except BluegoldError:
        raise
    except TROUBLE as error:
        raise DefinitionError(
            f"'{code}'{_line(error, code)} fails",
            why=f"{type(error).__name__}: {error}",
            way_out="correct that line",
        ) from error
    finally:
        sys.path.remove(str(code.parent))
        _forget(before, name, code.parent)
    found = {id(value): value for value in vars(module).values() if isinstance(value, System)}
    named = module.__dict__.get("system")
    return [named] if isinstance(named, System) else list(found.values())


def _forget(before: set[str], own: str, folder: Path) -> None:
    """Drop helper modules beside the definition, so that two definitions may each have a ``helpers.py``."""
    for name in set(sys.modules) - before - {own}:
        origin = getattr(sys.modules[name], "__file__", None)
        if origin and Path(origin).resolve().parent == folder:
            del sys.modules[name]


def _line(error: BaseException, code: Path) -> str:
    if isinstance(error, SyntaxError):
        return f" line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(code)]
    return f" line {lines[-1]}" if lines else ""


def _check_plan(system: System, file: Path) -> None:
    for place, name in (
        ("fairness.thresholds_by", system.plan.fairness.thresholds_by),
        ("rollout.sticky_by", system.plan.rollout.sticky_by),
    ):
        if name and name not in system.contract.names:
            raise DefinitionError(
                f"'{file}': {place} names '{name}'",
                why="the contract has no such field",
                way_out=f"use one of {', '.join(system.contract.names[:20])}",
            )


def _check_models(system: System, code: Path) -> None:
    if not system.names:
        raise DefinitionError(f"'{code}' defines no features", way_out="add system.feature(...) or system.use(...)")
    if not system.models:
        raise DefinitionError(f"'{code}' names no models", way_out="add for example system.model('lightgbm')")
