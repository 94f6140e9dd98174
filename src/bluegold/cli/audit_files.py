"""Files out of an audit trail: an export, a checkpoint or a proof of one row, checked without their registry."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bluegold.cli.terminal import emit, workspace_path
from bluegold.core.errors import IntegrityError, UsageError, WorkspaceError
from bluegold.core.workspace import Workspace
from bluegold.registry.audit_export import verify_export
from bluegold.registry.checkpoints import Checkpoint, Proof, check_proof
from bluegold.registry.registry import Registry
from bluegold.security.signing import Verifier

__all__ = ["verify_file"]


class _Contents(msgspec.Struct):
    """A proof or a checkpoint, with the public key that signed it."""

    key: str
    proof: Proof | None = None
    checkpoint: Checkpoint | None = None


def verify_file(file: Path, key: str, workspace: Path | None, *, as_json: bool) -> bool:
    """Check a file and print what was found.

    Args:
        file: the file.
        key: the public key that must have signed it; without it the workspace's own, where there is one.
        workspace: whose chain a checkpoint is held against.
        as_json: print JSON.

    Raises:
        UsageError: it is no file of an audit trail.
    """
    try:
        head = file.read_bytes()[:2]
    except OSError as error:
        raise WorkspaceError(f"'{file}' cannot be read", why=error.strerror or str(error)) from error
    trusted = Verifier.decode(key) if key else None
    if head != b"\x1f\x8b":
        return _small(file, trusted, workspace, as_json=as_json)
    report = verify_export(file, trusted)
    said = f"signed by the key {report.key}" + ("" if key else "; compare it with the installation's")
    if report.ok:
        text = f"ok   {report.checked} audit rows, {said}"
    else:
        text = f"BAD  {report.first_bad}: {report.why} (after {report.checked} good audit rows)"
    emit(report, as_json=as_json, text=text)
    return report.ok


def _small(file: Path, trusted: Verifier | None, workspace: Path | None, *, as_json: bool) -> bool:
    """A proof stands by itself; a checkpoint is held against the chain of the workspace."""
    from bluegold.security.signing import Verifier

    class Contents(msgspec.Struct):
        key: str
        proof: Proof | None = None
        checkpoint: Checkpoint | None = None

    try:
        found = msgspec.json.decode(file.read_bytes(), type=Contents)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"'{file}' is no file of an audit trail", why=str(error), way_out="give one of 'bluegold audit export'"
        ) from error
    verifier = trusted or Verifier.decode(found.key)
    try:
        if found.proof is not None:
            check_proof(found.proof, verifier)
            event, point = found.proof.event, found.proof.checkpoint
            text = f"ok   audit row {event.number} ({event.who}: {event.action} {event.subject}, {event.outcome})\n"
            text += f"is among the {point.number} rows of the signed root {point.root}"
        elif found.checkpoint is not None:
            newer = _continued(found.checkpoint, workspace)
            text = f"ok   the first {found.checkpoint.number} of {newer} audit rows are those of the checkpoint"
        else:
            raise UsageError(f"'{file}' holds neither a proof nor a checkpoint")
    except IntegrityError as error:
        emit({"ok": False, "why": str(error), "first_bad": error.subject}, as_json=as_json, text=f"BAD  {error}")
        return False
    emit({"ok": True, "key": found.key}, as_json=as_json, text=text)
    return True


def _continued(older: Checkpoint, workspace: Path | None) -> int:
    with Registry.open(Workspace.open(workspace_path(workspace))) as registry:
        return registry.audit.continues(older).number
