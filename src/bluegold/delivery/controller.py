"""The controller: takes a release from phase to phase until it ends or has to wait for somebody.

Crash-only: every step is in the registry before it takes effect, and each phase can be entered again.  Calling
:func:`deliver` once more after a kill goes on where the release was; the evidence is read again from the decision
log.  The controller itself may only go towards safety: what needs a person waits for one.
"""

from __future__ import annotations

from bluegold.core.errors import RegistryError, UsageError
from bluegold.core.nouns import GateReport
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.events import OnEvent
from bluegold.delivery.gating import GATES, run_gates, verdict_of
from bluegold.delivery.journal import Journal
from bluegold.delivery.promotion import carry_out_promotion
from bluegold.delivery.rehearsal import rehearse
from bluegold.delivery.release import TRAFFIC, Phase
from bluegold.delivery.reporting import failed
from bluegold.delivery.rollback import take_others_back
from bluegold.delivery.rollout import Rollout
from bluegold.delivery.safety import complete_rollback, decide_rollback
from bluegold.delivery.steering import Steering, alone
from bluegold.production.operations.processes import Endpoint
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.registry.registry import Registry
from bluegold.registry.tables import Release

__all__ = ["deliver"]

#: Phases in which a run of the controller ends.
_RESTS: frozenset[Phase] = frozenset({"refused", "held", "paused", "waiting_for_approval", "promoted", "rolled_back"})


def deliver(
    ref: str,
    registry: Registry,
    workspace: Workspace,
    plan: Plan | None = None,
    actor: str = "",
    on_event: OnEvent | None = None,
    endpoint: Endpoint | None = None,
) -> Release:
    """Deliver a version: six gates, rehearsal, shadow, canary, shift, promotion; or refuse it, or take it back.

    Args:
        ref: the version.
        registry: where it is.
        workspace: the registry's workspace.
        plan: the limits; without one, the plan that was signed with the version.
        actor: who delivers; empty means the registry's actor.
        on_event: told of every step.
        endpoint: the running server; without it, the one that serves the workspace.

    Returns:
        the release where it came to rest: ``promoted``, ``refused``, ``rolled_back``, or waiting for somebody in
        ``held`` (a gate lacks evidence), ``paused`` (the rollout does) or ``waiting_for_approval``.

    Raises:
        UnknownVersion: there is no such version.
        UsageError: the version is or was in production already.
        DeliveryError: another controller is at work, or no server runs where one is needed.
        RegistryError: a release of another version is open.
        AccessDenied: the actor may not deliver.
    """
    actor = actor or registry.actor
    candidate = Candidate.open(registry, workspace, ref, plan)
    with alone(registry, workspace, candidate.version.model, candidate.plan.rollout.lease_s):
        running = registry.releases.active(candidate.version.model)
        resumes = running is not None and running.ref == candidate.ref
        if not resumes and candidate.version.stage in {"Production", "Archived"}:
            raise UsageError(
                f"{candidate.ref} is {candidate.version.stage} already",
                way_out="go back to an archived version with 'bluegold rollback --to', or deliver a newer one",
                subject=candidate.ref,
            )
        journal = Journal(registry, registry.releases.open(candidate.ref, actor), actor, on_event)
        if resumes and journal.phase != "candidate":
            journal.tell(f"release {journal.release.id} of {journal.ref} goes on from phase '{journal.phase}'")
        return _Controller(candidate, journal, actor, endpoint).run()


class _Controller:
    """One run over one release."""

    def __init__(self, candidate: Candidate, journal: Journal, actor: str, endpoint: Endpoint | None) -> None:
        self._candidate = candidate
        self._journal = journal
        self._registry = candidate.registry
        self._steering = Steering(candidate.registry, candidate.workspace, candidate.version.model, actor, endpoint)
        self._rollout = Rollout(candidate, journal, self._steering)

    def run(self) -> Release:
        """Go on until the release rests; a step that somebody else was quicker with is looked at again."""
        self._wake()
        while self._journal.phase not in _RESTS:
            try:
                self._step()
            except RegistryError:
                if not self._journal.moved_by_others():
                    raise
        return self._journal.release

    def _step(self) -> None:
        match self._journal.phase:
            case "candidate":
                self._begin()
            case "gates":
                self._gates()
            case "rehearsal":
                self._rehearsal()
            case "shadow" | "canary" | "shift":
                self._rollout.watch()
            case "promoting":
                carry_out_promotion(self._candidate, self._journal, self._steering)
            case _:
                take_others_back(self._journal, self._candidate.workspace)
                complete_rollback(self._journal, self._steering)

    def _wake(self) -> None:
        """A release that rests goes on when what it waited for is there."""
        journal = self._journal
        phase = journal.phase
        self._quiet()
        taken = self._taken_back()
        if taken:
            decide_rollback(journal, taken)
        elif phase in {"paused", "waiting_for_approval"} and journal.blue != journal.production():
            self._to_gates("Blue changed meanwhile: the gates run again")
        elif phase == "held":
            self._to_gates("the gates run again")
        elif phase == "paused":
            self._steering.need_server()
            journal.advance("shadow", "the rollout goes on, from shadow", reason="")
        elif phase == "waiting_for_approval" and not journal.consent_missing():
            approved = self._approved()
            if journal.production():
                self._steering.need_server()
                journal.advance("shadow", f"{approved}: the rollout goes on, from shadow", reason="")
            else:
                journal.advance("promoting", f"{approved}: the first version of this model", reason=approved)

    def _quiet(self) -> None:
        """A release that rests has Blue alone, also when its controller was killed before it could write that."""
        split = self._steering.current()
        if self._journal.phase in {"paused", "waiting_for_approval"} and split and split.gold == self._journal.ref:
            self._steering.set(
                split.blue, "", "off", 0.0, reason="the release waits for somebody", sticky_by=split.sticky_by
            )

    def _taken_back(self) -> str:
        """Why the version was taken out of the traffic while no controller was at work, or nothing."""
        journal = self._journal
        if journal.phase not in {*TRAFFIC, "paused", "waiting_for_approval"}:
            return ""
        if self._registry.versions.get(journal.ref).stage != "RolledBack":
            return ""
        split = self._steering.current()
        return f"the traffic was taken back by {split.set_by}: {split.reason}" if split else "it was taken back"

    def _approved(self) -> str:
        people = [approval.actor for approval in self._registry.approvals.list(self._candidate.ref)]
        return f"approved by {', '.join(dict.fromkeys(people))}" if people else "consent is there"

    def _begin(self) -> None:
        self._to_gates(f"release {self._journal.release.id} of {self._journal.ref} begins")

    def _to_gates(self, text: str) -> None:
        split = self._steering.current()
        revision = split.revision if split else 0
        self._journal.advance("gates", text, blue=self._journal.production(), gates={}, since_revision=revision)
        self._candidate = Candidate.open(
            self._registry, self._candidate.workspace, self._journal.ref, self._candidate.plan
        )
        self._rollout = Rollout(self._candidate, self._journal, self._steering)

    def _gates(self) -> None:
        journal = self._journal
        if self._registry.versions.get(journal.ref).stage in {"Registered", "Refused", "RolledBack"}:
            self._registry.lifecycle.transition(
                journal.ref, "Staging", journal.actor, "its release opened", (journal.release.id,)
            )
        reports = run_gates(self._candidate, self._keep)
        verdict = verdict_of(reports)
        said: dict[str, str] = {report.gate: report.verdict for report in reports}
        because = "; ".join(f"gate {report.gate}: {report.reason}" for report in reports if report.verdict == verdict)
        if verdict == "fail":
            self._refuse(reports, said, because)
        elif verdict == "hold":
            journal.advance("held", f"held by its gates: {because}", level="loud", gates=said, reason=because)
        else:
            self._passed(said)

    def _keep(self, report: GateReport) -> None:
        self._registry.gates.record(report, self._journal.actor)
        self._journal.tell(
            f"gate {report.gate}: {report.verdict}, {report.reason}",
            level="step" if report.verdict == "pass" else "loud",
            data={"gate": report.gate, "verdict": report.verdict, "seconds": report.seconds},
        )

    def _refuse(self, reports: tuple[GateReport, ...], said: dict[str, str], because: str) -> None:
        no = [report for report in reports if report.verdict == "fail"]
        self._registry.lifecycle.transition(
            self._journal.ref, "Refused", self._journal.actor, because[:500], tuple(f"gate {r.gate}" for r in no)
        )
        self._journal.advance(
            "refused",
            f"{self._journal.ref} is refused: {because}",
            level="loud",
            gates=said,
            reason=because,
            gate=no[0].gate,
            measures={report.gate: failed(report.measures) for report in no},
        )

    def _passed(self, said: dict[str, str]) -> None:
        journal = self._journal
        if journal.production():
            journal.advance("rehearsal", f"all {len(GATES)} gates passed", gates=said)
            return
        missing = journal.consent_missing()
        if missing:
            journal.advance("waiting_for_approval", missing, level="loud", gates=said, reason=missing)
        else:
            journal.advance(
                "promoting",
                "all gates passed; no Blue yet, so there is nobody to compare with",
                gates=said,
                reason="first version: cold start",
            )

    def _rehearsal(self) -> None:
        journal = self._journal
        found = rehearse(self._candidate, self._steering, self._steering.need_server())
        if not found.ok:
            decide_rollback(journal, f"the rehearsal failed: {found.reason}", rehearsal=found, measures=found.measures)
            return
        journal.advance(
            "shadow",
            f"rehearsed: to Gold in {found.to_gold_s:.2f} s, back in {found.back_s:.2f} s, "
            f"{found.known_answers} known answers right on {found.workers} workers",
            rehearsal=found,
            positions=DecisionReader(self._candidate.workspace.decisions).end(),
        )
