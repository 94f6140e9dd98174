"""CI/CD dev ops: the committed version is taken back out of the registry and checked like a stranger's."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from bluegold.core.errors import BluegoldError, IntegrityError, StageError
from bluegold.core.nouns import Port, StageContract
from bluegold.development.stage import StageContext
from bluegold.features.program import FeatureProgram
from bluegold.registry.bundle import Bundle, load_bundle
from bluegold.security.artefact_scan import scan

__all__ = ["CONTRACT", "READS", "run"]

CONTRACT = StageContract(
    name="continuous_integration",
    section="S1",
    purpose="Load the version back, verify digest and signature, score canary records bit for bit, scan artefacts.",
    inputs=(Port(name="version", kind="json"),),
    outputs=(Port(name="integration", kind="report", description="every check with its answer"),),
    gate="every check passes; otherwise the version is refused in the registry",
    on_failure="the version is moved to Refused, loudly, and can never be delivered",
    requirements=("SEC-4", "CP-6"),
)
READS: tuple[str, ...] = ("name",)


def run(ctx: StageContext) -> dict[str, Any]:
    """Check the committed version.

    Raises:
        StageError: a check failed; the version is refused and the message says which check it was.
    """
    ref = ctx.take("version")["ref"]
    try:
        checks = _checks(ctx, ref)
    except BluegoldError as error:
        _refuse(ctx, ref, str(error))
        raise StageError(
            f"version {ref} failed its integration checks", why=str(error), way_out="develop it again", subject=ref
        ) from error
    ctx.note(f"{ref}: {', '.join(checks)}")
    return {"integration": {"ref": ref, "verdict": "pass", "checks": checks}}


def _checks(ctx: StageContext, ref: str) -> dict[str, str]:
    artefacts = ctx.registry.versions.artefacts(ref)
    problems = [f"{name}: {problem}" for name, data in artefacts.items() for problem in scan(name, data)]
    if problems:
        raise IntegrityError(f"the artefact scan of {ref} found {'; '.join(problems[:3])}", subject=ref)
    bundle = load_bundle(ctx.registry, ref)
    return {
        "signature and digests": f"{len(artefacts)} artefacts verified",
        "artefact scan": "nothing that could run code",
        "known answers": _known_answers(bundle),
        "feature program": _program(bundle, artefacts),
    }


def _known_answers(bundle: Bundle) -> str:
    """Every canary record scores the same bits, alone and in a batch."""
    matrix = np.array([record.matrix_row() for record in bundle.canaries])
    batch = bundle.predictor.scores(matrix)
    for record, vector, score in zip(bundle.canaries, matrix.tolist(), batch, strict=True):
        alone = bundle.predictor.score_row(vector)
        said = float(score) if bundle.predictor.outputs == 1 else tuple(score.tolist())
        if not (alone == record.score == said):
            raise IntegrityError(
                f"canary record '{record.id}' of {bundle.ref} scores {alone!r}",
                why=f"{record.score!r} was recorded, {said!r} comes from a batch",
                subject=bundle.ref,
            )
    return f"{len(bundle.canaries)} canary records bit-identical"


def _program(bundle: Bundle, artefacts: dict[str, bytes]) -> str:
    program = FeatureProgram.from_json(bundle.program_json)
    parity = msgspec.json.decode(artefacts["parity.json"])
    if program.digest != parity["features"]:
        raise IntegrityError(
            f"the parity report of {bundle.ref} belongs to other features",
            why=f"program {program.digest[:12]}, report {parity['features'][:12]}",
            subject=bundle.ref,
        )
    return f"{len(program.names)} features, parity report belongs to them"


def _refuse(ctx: StageContext, ref: str, reason: str) -> None:
    version = ctx.registry.versions.get(ref)
    if version.stage != "Refused":
        ctx.registry.lifecycle.transition(ref, "Refused", ctx.origin.author, f"integration: {reason}"[:500])
