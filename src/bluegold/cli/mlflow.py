"""`bluegold mlflow`: mirror versions into an MLflow tracking server, or take one of its models over as evidence."""

from __future__ import annotations

from typing import Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit

__all__ = ["mlflow"]

mlflow = typer.Typer(
    no_args_is_help=True, help="Mirror versions into an MLflow server, or take one of its models over."
)

UriOption = Annotated[str, typer.Option("--tracking-uri", help="Address of the server, as http://host:5000.")]


@mlflow.command("mirror")
def mlflow_mirror(
    *,
    tracking_uri: UriOption,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Only this model; repeatable.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring every version with its measures, stage and evidence there; a second run changes nothing."""
    from bluegold.core.settings import settings
    from bluegold.export.mlflow.client import Client
    from bluegold.export.mlflow.mirror import mirror

    with governed(workspace) as (registry, _, _), Client(tracking_uri, settings().mlflow_token) as client:
        done = mirror(registry, client, tuple(model or ()))
    lines = [f"{one.model}: {one.versions} versions, {one.made} new, {one.changed} changes" for one in done]
    emit({"mirrored": done}, as_json=as_json, text="\n".join(lines) or "no version is registered yet")


@mlflow.command("import")
def mlflow_import(
    name: Annotated[str, typer.Argument(metavar="NAME[/VERSION]", help="Model there, its newest version without.")],
    *,
    tracking_uri: UriOption,
    model: Annotated[str, typer.Option("--as", help="Name of the model here (default: as there).")] = "",
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a model over as metadata and evidence; nothing of it is loaded, so it cannot pass the gates."""
    from bluegold.core.settings import settings
    from bluegold.export.mlflow.client import Client
    from bluegold.export.mlflow.importing import take

    server = Client(tracking_uri, settings().mlflow_token)
    with server as client, governed(workspace, actor, create=True) as (registry, _, _):
        taken = take(registry, client, name, model)
    lines = [f"{taken.version.ref} is {taken.source}, as metadata and evidence: nothing of it was loaded"]
    lines += [f"refused: {path} runs code when it is opened" for path in taken.unsafe]
    emit(
        {"version": taken.version, "source": taken.source, "refused": taken.unsafe},
        as_json=as_json,
        text="\n".join(lines),
    )
