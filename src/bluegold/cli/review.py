"""`bluegold review`: what reviewers need to see of a version, and a comment with evidence beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit
from bluegold.core.errors import UsageError

if TYPE_CHECKING:
    from bluegold.registry import Registry

__all__ = ["attached", "review"]


def review(
    version: Annotated[str, typer.Argument(help="The version.")],
    *,
    comment: Annotated[str, typer.Option("--comment", "-m", help="Say this about it; without it, only look.")] = "",
    evidence: Annotated[
        list[Path] | None, typer.Option("--evidence", "-e", help="A file that shows it; it is kept with the comment.")
    ] = None,
    save: Annotated[
        str, typer.Option("--save", metavar="REFERENCE", help="Write this piece of its evidence into the folder here.")
    ] = "",
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what stands between a version and production, or comment on it."""
    if evidence and not comment:
        raise UsageError("evidence needs a word about it", way_out="give --comment")
    with governed(workspace, actor) as (registry, _, who):
        if comment:
            registry.reviews.add(version, comment, actor=who, evidence=attached(registry, evidence or []))
        found = _found(registry, version)
        if save:
            path = _saved(registry, found, save)
            emit({"path": path}, as_json=as_json, text=f"written to {path}")
            return
    emit(found, as_json=as_json, text=lambda: _told(found))


def attached(registry: Registry, files: Sequence[Path]) -> tuple[str, ...]:
    """Keep files as evidence; their references.

    Raises:
        UsageError: a file cannot be read.
    """
    references = []
    for path in files:
        try:
            references.append(registry.reviews.attach(path.name, path.read_bytes()))
        except OSError as error:
            raise UsageError(f"'{path}' cannot be read", why=error.strerror or str(error)) from error
    return tuple(references)


def _saved(registry: Registry, found: dict[str, Any], reference: str) -> Path:
    """Write one piece of a version's evidence, verified, beside whatever is here.

    Raises:
        UsageError: the version has no such evidence, or a file of that name is here.
    """
    kept = [one for said in (*found["reviews"], *found["approvals"]) for one in said.evidence]
    if reference not in kept:
        raise UsageError(
            f"{found['version'].ref} has no evidence '{reference}'",
            way_out=f"name one of: {', '.join(kept[:10]) or '-'}",
        )
    content = registry.reviews.attachment(reference)
    path = Path(Path(reference.partition(":")[2].rpartition(":")[0]).name or "evidence")
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(
            f"'{path}' cannot be written",
            why=error.strerror or str(error),
            way_out="move what is there, or go elsewhere",
        ) from error
    return path


def _found(registry: Registry, ref: str) -> dict[str, Any]:
    version = registry.versions.verified(ref)
    return {
        "version": version,
        "gates": registry.gates.reports(version.ref),
        "reviews": registry.reviews.list(version.ref),
        "approvals": registry.approvals.list(version.ref),
        "standing": registry.approvals.standing(version.ref),
    }


def _told(found: dict[str, Any]) -> str:
    version, standing = found["version"], found["standing"]
    expired = {one.actor for one in standing.expired}
    lines = [f"{version.ref}  {version.stage}  by {version.author}", f"  digest   {version.digest}"]
    lines += [f"  gate     {one.gate}: {one.verdict}  {one.reason}" for one in found["gates"]]
    for one in sorted((*found["reviews"], *found["approvals"]), key=lambda said: said.at):
        word = getattr(one, "says", "approve") + (" (expired)" if one.actor in expired else "")
        lines.append(f"  {word:<8} {one.actor} at {one.at:%Y-%m-%d %H:%M:%S}  {one.comment}")
        lines += [f"           {reference}" for reference in one.evidence]
    needed = f"{len(standing.counting)} of {standing.needed} approvals" if standing.needed else "no approval is needed"
    lines.append(f"  stands   {standing.missing or f'nothing in the way: {needed}'}")
    return "\n".join(lines)
