"""`bluegold develop`: run the development pipeline and print the new version."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from bluegold.core.nouns import ModelVersion
    from bluegold.development.stage import StageEvent

__all__ = ["develop"]


def develop(
    *,
    system: Annotated[
        Path, typer.Option("--system", "-s", help="Folder with pipeline.py and architecture.yaml (or the Python file).")
    ] = Path(),
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Parquet, CSV or .csv.gz file with the source rows, instead of the source's own."),
    ] = None,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The one seed of the run.")] = 7,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Reuse finished stages, or run every stage again.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Develop a version: quality, transforms, summary, building, tuning, verification, commit, integration."""
    from bluegold.development import develop as run
    from bluegold.features.loader import load_system

    definition = load_system(system)
    given = _with_rows(definition, data) if data is not None else None
    with governed(workspace, actor, create=True) as (registry, space, author):
        version = run(
            definition,
            space,
            registry,
            author=author,
            seed=seed,
            data=given,
            folder=system,
            resume=resume,
            on_event=progress(),
        )
    emit(version, as_json=as_json, text=lambda: _told(version))


def progress() -> Callable[[StageEvent], None]:
    """What shows the progress of a run on stderr: colours on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        return _plain
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, highlight=False)

    def show(event: StageEvent) -> None:
        colour = {"done": "green", "reused": "cyan", "failed": "red"}.get(event.what, "dim")
        if event.what == "started":
            console.print(f"[bold]{event.number:>2}/{event.total}[/] {event.stage}")
        else:
            console.print(f"      [{colour}]{escape(_line(event))}[/]")

    return show


def _plain(event: StageEvent) -> None:
    if event.what != "started":
        say(f"{event.number:>2}/{event.total} {event.stage:<32} {_line(event)}")


def _line(event: StageEvent) -> str:
    if event.what == "note":
        return f"- {event.text}"
    tail = f": {event.text}" if event.text else ""
    return f"{event.what} {event.seconds:.2f} s{tail}"


def _with_rows(definition: Any, path: Path) -> Any:
    """The system's data with its rows taken from a file; lookup tables still come from the source."""
    import polars as pl

    from bluegold.core.errors import DataError
    from bluegold.features.system import Data
    from bluegold.features.table_files import KINDS, csv_whole, kind_of

    kind = kind_of(path)
    if not kind:
        raise DataError(f"'{path}' is {KINDS}", way_out="convert it to one of these")
    try:
        rows = pl.read_parquet(path) if kind == "parquet" else pl.read_csv(csv_whole(path), infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"'{path}' cannot be read", why=" ".join(str(error).split())[:300], way_out="give a readable file with rows"
        ) from error
    loaded = definition.load() if definition.lookups else Data(rows)
    return Data(rows, tables=loaded.tables, notes=(f"rows from {path.name}",))


def _told(version: ModelVersion) -> str:
    shown = (
        *("accuracy", "majority_class", "balanced_accuracy", "auc", "mae", "skill", "r2", "coverage"),
        *("fairness_parity", "robustness_change"),
    )
    lines = [f"{version.ref}  {version.stage}  {version.digest[:12]}"]
    lines += [f"  {name:<20} {version.metrics[name]:.4f}" for name in shown if name in version.metrics]
    if "explainability" in version.metrics:
        lines.append(f"  {'explainability':<20} {version.metrics['explainability']:.4f}")
    return "\n".join([*lines, f"next: bluegold deliver {version.ref}"])
