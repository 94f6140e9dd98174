"""`bluegold results`: decisions as Parquet, to be queried, explained and followed from input to output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit, workspace_path

__all__ = ["results"]

results = typer.Typer(no_args_is_help=True, help="Export decisions to Parquet, query them, explain them.")


@results.command("export")
def results_export(
    *, workspace: WorkspaceOption = None, actor: ActorOption = None, as_json: JsonOption = False
) -> None:
    """Bring new decisions and outcomes into the results store, each exactly once."""
    from bluegold.production.results.results_store import ResultsStore

    with governed(workspace, actor, may=("decisions",)) as (_, space, _):
        done = ResultsStore(space).export()
    text = f"{done.decisions:,} decisions and {done.outcomes:,} outcomes in {done.files:,} new files"
    emit(done, as_json=as_json, text=f"{text} below {space.root / 'results'}")


@results.command("query")
def results_query(
    statement: Annotated[str, typer.Argument(metavar="SQL", help="Over decisions, outcomes and attributions.")],
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a SQL statement over what was exported (at most 1,000 rows are printed)."""
    import json

    from bluegold.core.workspace import Workspace
    from bluegold.production.results.results_store import ResultsStore

    found = ResultsStore(Workspace.open(workspace_path(workspace))).query(statement).head(1000)
    if as_json:
        emit(json.loads(found.write_json()), as_json=True, text="")
    else:
        emit(None, as_json=False, text=found.write_csv(separator="\t"))


@results.command("explain")
def results_explain(
    *,
    share: Annotated[float, typer.Option("--share", min=0.0, max=1.0, help="Share of decisions to explain.")] = 1.0,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the attributions of exported decisions that have none yet."""
    from bluegold.production.results.attributions import attribute
    from bluegold.production.results.results_store import ResultsStore

    with governed(workspace, actor, may=("decisions",)) as (registry, space, _):
        done = attribute(ResultsStore(space), registry, share=share)
    emit(done, as_json=as_json, text=f"{done.rows:,} decisions explained in {done.files:,} new files")


@results.command("find")
def results_find(
    digest: Annotated[str, typer.Argument(help="The input's sha256, or how it begins.")],
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """The decisions that were taken on an input; `bluegold trace` goes on from there."""
    from bluegold.core.workspace import Workspace
    from bluegold.production.results.results_store import ResultsStore

    found = ResultsStore(Workspace.open(workspace_path(workspace))).find(digest)
    emit(found, as_json=as_json, text="\n".join(found[:100]) or "no exported decision has that input")


@results.command("about")
def results_about(
    entity: Annotated[str, typer.Argument(help="Who or what decisions were about, as requests name it.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: .parquet, .csv, .json or .db (SQLite).")],
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything on record about one entity, for whoever asks: decisions, outcomes, attributions."""
    from bluegold.production.results.about import about, write
    from bluegold.production.results.results_store import ResultsStore
    from bluegold.security.pseudonyms import Pseudonyms

    with governed(workspace, actor, may=("personal",)) as (_, space, _):
        store = ResultsStore(space)
        store.export()
        found = about(store, (entity, Pseudonyms.open(space.keys).of(entity)))
    write(found, out)
    away = len(store.decisions.away)
    text = f"{found.height:,} decisions about '{entity}' -> {out}"
    emit(
        {"decisions": found.height, "out": str(out), "archived_files": away},
        as_json=as_json,
        text=text + (f"; {away} archived files were not looked at" if away else ""),
    )


@results.command("retain")
def results_retain(
    *,
    plan: Annotated[str, typer.Option("--plan", metavar="FILE", help="An architecture.yaml; else production's.")] = "",
    model: Annotated[str, typer.Option("--model", help="Whose plan, where there are several models.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Archive decisions and results; remove what is too old for its tier (`retention:` in architecture.yaml)."""
    from bluegold.core.plan_file import read_plan
    from bluegold.production.results.retention import plan_of, retain
    from bluegold.production.selection import model_of

    with governed(workspace, actor, may=("archive",)) as (registry, space, _):
        rules = read_plan(Path(plan)).retention if plan else plan_of(registry, model_of(registry, model))
        done = retain(space, registry, rules, dry_run=dry_run)
    lines = [
        f"{one.what:8}{one.tier:9}{one.newest}  {one.path} ({one.because})"
        for one in done.steps
        if one.what != "archive"
    ]
    counts = [f"{done.count(what)} {said}" for what, said in SAID.items()]
    emit(done, as_json=as_json, text="\n".join([*lines, f"{'would be: ' if dry_run else ''}{', '.join(counts)}"]))


SAID = {"archive": "archived", "remove": "removed from the workspace", "delete": "deleted for good", "hold": "held"}
