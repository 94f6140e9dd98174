"""`bluegold audit`: verify that nothing was tampered with, or read the audit trail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit, workspace_path

if TYPE_CHECKING:
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry
    from bluegold.registry.verification import ChainReport

__all__ = ["audit"]

audit = typer.Typer(no_args_is_help=True, help="Verify that nothing was tampered with, or read the audit trail.")


@audit.command("verify")
def audit_verify(
    file: Annotated[
        Path | None, typer.Argument(help="A file of 'audit export', 'audit checkpoint' or 'audit prove'.")
    ] = None,
    *,
    key: Annotated[
        str, typer.Option("--key", help="The public key that must have signed FILE (needed to trust a foreign one).")
    ] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the audit chain, every artefact and every decision, or a FILE; name the first thing that was changed."""
    if file is not None:
        from bluegold.cli.audit_files import verify_file

        sound = verify_file(file, key, workspace, as_json=as_json)
    else:
        sound = _workspace(workspace, as_json=as_json)
    if not sound:
        raise typer.Exit(1)


def _workspace(workspace: Path | None, *, as_json: bool) -> bool:
    from bluegold.core.workspace import Workspace
    from bluegold.production.results.anchors import anchor, check_anchors
    from bluegold.production.results.decision_reader import DecisionReader
    from bluegold.registry import Registry
    from bluegold.registry.verification import ChainReport

    space = Workspace.open(workspace_path(workspace))
    with Registry.open(space) as registry:
        chain = registry.audit.verify()
        artefacts = _artefacts(registry)
        log = DecisionReader(space.decisions).verify()
        anchors = check_anchors(registry, space.decisions)
        evidence = _evidence(registry, space)
        if chain.ok and log.ok and anchors.ok:
            anchor(registry, space.decisions)  # what was found good now may not be gone the next time
    decisions = ChainReport(ok=log.ok, checked=log.checked, first_bad=log.first_bad)
    tails = ChainReport(ok=anchors.ok, checked=anchors.checked, first_bad=anchors.first_bad)
    parts = {"registry": chain, "artefacts": artefacts, "decisions": decisions, "anchors": tails, "evidence": evidence}
    sound = all(part.ok for part in parts.values())
    units = {
        "registry": "audit rows",
        "artefacts": "artefacts",
        "decisions": "decision log entries",
        "anchors": "anchored ends of decision logs",
        "evidence": "bytes of evidence",
    }
    lines = [_told(part, units[name]) for name, part in parts.items()]
    lines.append(
        "everything verifies" if sound else "TAMPERING FOUND: restore from a backup and find out who had access"
    )
    emit({"ok": sound, **parts}, as_json=as_json, text="\n".join(lines))
    return sound


def _evidence(registry: Registry, space: Workspace) -> ChainReport:
    """The ledger begins with what it held when it was last added to."""
    from bluegold.registry.verification import ChainReport
    from bluegold.requirements.ledger import LEDGER, Ledger

    for row in registry.audit.newest(LEDGER, "prove", 1):
        size, digest = Ledger(space.evidence).digest(row.details["bytes"])
        if (size, digest) != (row.details["bytes"], row.details["sha256"]):
            why = f"it does not begin with the {row.details['bytes']:,} bytes that audit row {row.number} names"
            return ChainReport(ok=False, checked=size, first_bad=f"file {LEDGER}", why=why)
        return ChainReport(ok=True, checked=size)
    return ChainReport(ok=True, checked=0)


@audit.command("export")
def audit_export(
    file: Annotated[Path, typer.Argument(help="Where to; a gzip of JSON lines.")],
    *,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole audit trail to a file that 'bluegold audit verify FILE' checks anywhere."""
    from bluegold.registry.audit_export import export_audit

    with governed(workspace, actor, may=("archive", "configure")) as (registry, _, who):
        point = export_audit(registry.audit, file, who)
        public = registry.audit.signer.verifier.encoded
    text = f"{point.number} rows written to {file}\nroot {point.root}\nkey  {public}"
    emit({"checkpoint": point, "key": public, "file": file.name}, as_json=as_json, text=text)


@audit.command("archive")
def audit_archive(
    *,
    older_than: Annotated[int, typer.Option("--older-than", min=0, help="Age in days from which rows leave.")] = 365,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move old audit rows out of the database into a signed file of the workspace, which 'audit verify' reads on.

    What a live version, the present traffic or a legal hold of a plan needs stays in the database too.
    """
    import datetime as dt

    from bluegold.core.nouns import now
    from bluegold.production.results.anchors import ACTION, CUT
    from bluegold.production.results.retention import plan_of
    from bluegold.registry.audit_retention import archive_audit

    with governed(workspace, actor, may=("archive",)) as (registry, _, who):
        serving = registry.versions.list(stage="Production", limit=1_000_000)
        models = sorted(version.model for version in serving if "plan.json" in version.artefacts)
        holds = [hold for model in models for hold in plan_of(registry, model).holds]
        before = now() - dt.timedelta(days=older_than)
        moved = archive_audit(registry.audit, before, holds, lasting=(ACTION, CUT), who=who)
    text = f"audit rows {moved.first} to {moved.last} are in audit/{moved.file}; {moved.kept} of them stay here too"
    emit(moved, as_json=as_json, text=text)


@audit.command("checkpoint")
def audit_checkpoint(
    *,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
) -> None:
    """Sign everything up to now, the ends of the decision logs too; keep the JSON that is printed elsewhere."""
    from bluegold.production.results.anchors import anchor

    with governed(workspace, actor, may=("archive", "configure")) as (registry, space, who):
        anchor(registry, space.decisions)
        point = registry.audit.checkpoint(who)
        public = registry.audit.signer.verifier.encoded
    emit({"checkpoint": point, "key": public}, as_json=True, text="")


@audit.command("prove")
def audit_prove(
    number: Annotated[int, typer.Argument(min=1, help="Number of the row.")],
    *,
    workspace: WorkspaceOption = None,
) -> None:
    """Print the proof that one row is in the chain; 'audit verify' checks it without the others."""
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry

    with Registry.open(Workspace.open(workspace_path(workspace))) as registry:
        proof = registry.audit.prove(number)
        public = registry.audit.signer.verifier.encoded
    emit({"proof": proof, "key": public}, as_json=True, text="")


@audit.command("log")
def audit_log(
    *,
    since: Annotated[int, typer.Option("--since", min=0, help="Only events with a higher number.")] = 0,
    subject: Annotated[str, typer.Option("--subject", help="Only events about this subject.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most this many.")] = 50,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what to which subject, when, and how it ended."""
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry

    with Registry.open(Workspace.open(workspace_path(workspace))) as registry:
        events = registry.audit.events(since, limit, subject=subject)
    lines = [
        f"{e.number:>6}  {e.at:%Y-%m-%d %H:%M:%S}  {e.who:<16} {e.action:<22} {e.subject:<28} {e.outcome[:40]}"
        for e in events
    ]
    if len(events) == limit:
        lines.append(f"more may follow: --since {events[-1].number}")
    emit({"events": events}, as_json=as_json, text="\n".join(lines) or "no events")


def _artefacts(registry: Registry) -> ChainReport:
    """Hold every artefact of every version against its signature and digest."""
    from bluegold.core.errors import IntegrityError
    from bluegold.registry.verification import ChainReport

    checked = 0
    for version in reversed(registry.versions.list(limit=1_000_000)):
        try:
            checked += len(registry.versions.artefacts(version.ref))
        except IntegrityError as error:
            return ChainReport(ok=False, checked=checked, first_bad=error.subject or version.ref, why=str(error))
    return ChainReport(ok=True, checked=checked)


def _told(part: ChainReport, unit: str) -> str:
    if part.ok:
        return f"ok   {part.checked} {unit}"
    return f"BAD  {part.first_bad}{': ' + part.why if part.why else ''} (after {part.checked} good {unit})"
