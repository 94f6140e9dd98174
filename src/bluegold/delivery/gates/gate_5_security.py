"""Gate 5, security: signed, scanned, no known vulnerability, and the access rules hold when they are tried.

The controls are attacked, not asserted: the author tries to approve, a pickle is offered, a signature is forged.
Advisories come from an offline source, a file or a folder that the plan names; a configured source that is missing,
cannot be read or knows nothing is ``hold``, because a skipped audit is not a passed one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bluegold.core.errors import AccessDenied, IntegrityError, RegistryError
from bluegold.core.nouns import GateReport, Measure
from bluegold.delivery.advisories import SOURCE, Advisories
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.reporting import report, shown
from bluegold.security.access import AUTOMATIC
from bluegold.security.artefact_scan import scan
from bluegold.security.signing import Verifier

__all__ = ["NAME", "check"]

NAME = "5 security"


def check(candidate: Candidate) -> GateReport:
    """Verify signature and artefacts, audit the environment, and try to break the access rules."""
    started = time.monotonic()
    measures = [
        *_artefacts(candidate),
        _lineage(candidate),
        _advisories(candidate),
        _holds("forged signature is refused", lambda: _forge(candidate)),
        _holds("pickle under a model's name is refused", _offer_pickle),
        _holds("the author cannot approve", lambda: _approve(candidate, candidate.version.author)),
        _holds("the automatic actor cannot approve", lambda: _approve(candidate, AUTOMATIC)),
        _holds("nobody without a name can promote", lambda: _nameless(candidate)),
        _holds("no other user of the machine can read the signing key", lambda: _keys_are_private(candidate)),
    ]
    return report(NAME, candidate.ref, measures, started)


def _flag(name: str, *, good: bool, note: str = "", n: int = 1) -> Measure:
    return Measure(name=name, value=float(good), limit=1.0, n=n, verdict="pass" if good else "fail", note=note)


def _holds(name: str, attack: Callable[[], bool]) -> Measure:
    """An attack that must be turned away."""
    return _flag(name, good=attack())


def _artefacts(candidate: Candidate) -> list[Measure]:
    try:
        artefacts = candidate.registry.versions.artefacts(candidate.ref)
    except (IntegrityError, RegistryError) as error:
        return [_flag("signature and digests", good=False, note=str(error))]
    problems = [f"{name}: {problem}" for name, data in artefacts.items() for problem in scan(name, data)]
    return [
        _flag("signature and digests", good=True, n=len(artefacts)),
        _flag("artefact scan", good=not problems, n=len(artefacts), note="; ".join(problems[:3])),
    ]


def _lineage(candidate: Candidate) -> Measure:
    lineage = candidate.version.lineage
    parts = {name: getattr(lineage, name) for name in ("code", "data", "features", "environment", "seeds")}
    missing = [name for name, value in parts.items() if not value]
    return _flag(
        "lineage is complete", good=not missing, n=len(parts), note=f"missing: {', '.join(missing)}" * bool(missing)
    )


def _advisories(candidate: Candidate) -> Measure:
    name = "known vulnerabilities in the environment"
    plan = candidate.plan.security
    path = candidate.workspace.root / (plan.advisories or SOURCE)
    if not plan.advisories and not path.exists():
        note = f"not audited: no advisory source configured (security.advisories, or {SOURCE} in the workspace)"
        if plan.without_advisories == "hold":
            return Measure(name=name, value=None, limit=0.0, direction="<=", note=note)
        return shown(name, None, note=note)
    if not candidate.has("environment.txt"):
        return Measure(name=name, value=None, limit=0.0, direction="<=", note="the version carries no environment.txt")
    known = Advisories.read(path)
    if isinstance(known, str):
        return Measure(name=name, value=None, limit=0.0, direction="<=", note=f"the audit could not run: {known}")
    packages, hits = known.audit(candidate.read("environment.txt").decode("utf-8", "replace"))
    return Measure(
        name=name,
        value=float(len(hits)),
        limit=0.0,
        direction="<=",
        n=packages,
        verdict="fail" if hits else "pass" if packages else "hold",
        note=", ".join(hits[:5]) or f"{known.count} advisories read",
    )


def _forge(candidate: Candidate) -> bool:
    other = candidate.version.digest[::-1].encode()
    try:
        Verifier.open(candidate.workspace.keys).verify(other, candidate.version.signature)
    except IntegrityError:
        return True
    return False


def _offer_pickle() -> bool:
    return bool(scan("model.txt", b"cos\nsystem\n(S'true'\ntR."))


def _approve(candidate: Candidate, actor: str) -> bool:
    try:
        candidate.registry.approvals.approve(candidate.ref, actor=actor, comment="probe of gate 5")
    except AccessDenied:
        return True
    return False


def _nameless(candidate: Candidate) -> bool:
    try:
        candidate.registry.access.require("", "promote")
    except AccessDenied:
        return True
    return False


def _keys_are_private(candidate: Candidate) -> bool:
    folder = candidate.workspace.keys
    secrets = [path for path in folder.glob("*") if path.suffix in {".key", ".token"}]
    closed = folder.stat().st_mode & 0o077 == 0
    return bool(secrets) and (closed or all(path.stat().st_mode & 0o077 == 0 for path in secrets))
