"""The rollout: shadow, canary and shift, each watched until it may end, has to end badly, or lacks evidence."""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec

from bluegold.core.errors import BluegoldError, RegistryError, ServingError
from bluegold.core.nouns import TrafficSplit, now
from bluegold.core.plan import Point
from bluegold.delivery.attribution_shift import AttributionShift
from bluegold.delivery.calendar import closed
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.evidence import Comparison, Evidence
from bluegold.delivery.journal import Journal
from bluegold.delivery.points import passed
from bluegold.delivery.release import TRAFFIC
from bluegold.delivery.safety import decide_rollback
from bluegold.delivery.skew import LiveFeatures
from bluegold.delivery.steering import Steering
from bluegold.delivery.trial import Trial
from bluegold.delivery.watch import Observation, Watch
from bluegold.features.profile import Profile
from bluegold.production.results.decision_reader import DecisionReader

__all__ = ["Rollout"]

_TICK_S = 0.1
_TELL_S = 2.0
_SPARE_STARTS = 4


class Rollout:
    """Walks a release through its traffic phases.

    Args:
        candidate: Gold with its Blue and its plan.
        journal: the release.
        steering: sets the traffic.
    """

    def __init__(self, candidate: Candidate, journal: Journal, steering: Steering) -> None:
        self._candidate = candidate
        self._journal = journal
        self._steering = steering
        self._plan = candidate.plan.rollout
        self._watch: Watch | None = None
        self._evidence: Evidence | None = None
        self._trial: Trial | None = None

    def watch(self) -> None:
        """Enter the present phase and watch it to its end."""
        try:
            split = self._enter()
            observation = self._until_decided(split)
        except (KeyboardInterrupt, BluegoldError) as error:
            if self._journal.moved_by_others():
                return
            self._pause(f"the watch was interrupted: {error or 'by a person'}")
            if isinstance(error, RegistryError | ServingError):
                return
            raise
        if observation is not None:
            self._go_on(observation)

    def _enter(self) -> TrafficSplit:
        """Set the phase's traffic (or find it set already) and wait until every worker serves it."""
        journal = self._journal
        mode, share = TRAFFIC[journal.phase], self._share()
        if journal.phase in {"canary", "shift"} and self._stage() == "Staging":
            journal.registry.lifecycle.transition(
                journal.ref, "Canary", journal.actor, "six gates, rehearsal and shadow passed", (journal.release.id,)
            )
        split = self._steering.set(
            journal.blue,
            journal.ref,
            mode,
            share,
            reason=f"release {journal.release.id}",
            sticky_by=self._plan.sticky_by,
        )
        took = self._steering.applied(split)
        self._open_evidence()
        if took is not None:
            journal.tell(f"{mode} at {share:.0%} on every worker after {took:.2f} s", share=share)
        return split

    def _stage(self) -> str:
        return self._journal.registry.versions.get(self._journal.ref).stage

    def _share(self) -> float:
        phase = self._journal.phase
        if phase == "shadow":
            return 0.0
        return self._canary_share if phase == "canary" else float(self._journal.detail.get("share", 0.0))

    @property
    def _canary_share(self) -> float:
        experiment = self._plan.experiment
        return self._plan.canary if experiment is None else experiment.share

    def _open_evidence(self) -> None:
        """Build the evidence from the log, and begin a window for every revision that asked Gold."""
        if self._evidence is None:
            blue = self._journal.blue
            decision = self._candidate.decision
            starts = 1 + 1 + len(self._plan.shares) + _SPARE_STARTS
            slices = dict.fromkeys((*self._candidate.protected, *filter(None, (decision.rule.group_by,))))
            self._evidence = Evidence(
                Comparison(
                    model=self._journal.model,
                    blue=blue,
                    gold=self._journal.ref,
                    positive=decision.rule.positive_label,
                    rule=decision.rule,
                    slow_ms=self._plan.guardrails.latency_ms,
                    slices=tuple(slices),
                ),
                starts=starts,
                features=self._live_features(),
                reasons=self._reasons(starts),
            )
            reader = DecisionReader(self._candidate.workspace.decisions)
            since = self._journal.detail.get("positions")
            self._watch = Watch(reader, self._evidence, self._plan, since)
            if self._plan.experiment is not None:
                self._trial = Trial(self._plan.experiment, decision.rule, reader, since)
        for split in self._splits():
            if split.revision not in self._evidence.revisions:
                self._evidence.begin(split.revision)

    def _reasons(self, starts: int) -> AttributionShift | None:
        """What compares attributions, where the plan wants them compared and both models have some."""
        blue = self._candidate.blue
        if blue is None or self._plan.guardrails.attribution_shift >= 1.0:
            return None
        try:
            return AttributionShift(blue, self._candidate, starts)
        except BluegoldError as error:
            self._journal.tell(f"attributions are not compared: {error.what}")
            return None

    def _live_features(self) -> LiveFeatures | None:
        if not self._candidate.has("profile.json"):
            return None
        mine = self._candidate.program
        programs = [mine] + [
            blue.program for blue in (self._candidate.blue,) if blue and blue.program.names == mine.names
        ]
        return LiveFeatures(self._candidate.facts("profile.json", Profile), frozenset(one.digest for one in programs))

    def _splits(self) -> list[TrafficSplit]:
        """The revisions of this release that asked Gold."""
        since = int(self._journal.detail.get("since_revision", 0))
        return [
            split
            for split in self._journal.registry.traffic.history(self._journal.model)
            if split.revision > since and split.gold == self._journal.ref and split.mode in TRAFFIC.values()
            if split.mode != "rehearsal"
        ]

    def _until_decided(self, split: TrafficSplit) -> Observation | None:
        """Look until there is a decision; None when somebody else decided."""
        if self._watch is None:
            return None
        entered, told = time.monotonic(), time.monotonic()
        hold_s = self._hold_s(split)
        trial = self._trial if self._journal.phase == "canary" else None
        splits = self._splits() if trial is not None else []
        while True:
            self._watch.read()
            observation = self._watch.look(
                time.monotonic() - entered,
                hold_s=hold_s,
                users=self._journal.phase in {"canary", "shift"},
                last=self._next() == "promotion",
            )
            if trial is not None:
                observation = trial.look(splits, observation)
            observation = self._may_advance(observation)
            if self._intervened(split):
                return None
            running = trial is not None and not trial.late(splits)  # an experiment has its days
            waited = not running and time.monotonic() - entered > self._plan.max_wait_s
            if observation.verdict != "hold" or waited:
                return observation
            if time.monotonic() - told > _TELL_S:
                told = time.monotonic()
                self._journal.tell(observation.reason, share=split.gold_share)
            time.sleep(_TICK_S)

    def _hold_s(self, split: TrafficSplit) -> float:
        if self._journal.phase == "shadow":
            return self._plan.shadow_s
        return max(self._plan.hold_s, self._plan.bake_s if split.gold_share == 1.0 else 0.0)

    def _next(self) -> Point:
        """The step that an advance would take."""
        if self._journal.phase == "shadow":
            return "canary"
        return "promotion" if self._journal.phase == "shift" and self._share() == 1.0 else "shift"

    def _may_advance(self, observation: Observation) -> Observation:
        """An advance that the calendar or an approval point does not allow yet is a hold at the present share."""
        if observation.verdict != "advance":
            return observation
        reason, point = closed(self._plan, now()), self._next()
        if not reason and point in self._plan.approve_before:
            first = point != "shift" or self._journal.phase == "canary"
            if first and point not in passed(self._journal.registry, self._journal.release):
                reason = f"waits for a person: bluegold promote {self._journal.ref} --past {point}"
        return msgspec.structs.replace(observation, verdict="hold", reason=reason) if reason else observation

    def _intervened(self, split: TrafficSplit) -> bool:
        """Whether somebody else moved the release or the traffic; then safety is where it goes."""
        if self._journal.moved_by_others():
            return True
        current = self._steering.current()
        if current is None or current.revision == split.revision:
            return False
        reason = f"the traffic was changed by {current.set_by}: {current.reason or current.mode}"
        decide_rollback(self._journal, reason)
        return True

    def _go_on(self, observation: Observation) -> None:
        journal = self._journal
        if observation.verdict == "rollback":
            decide_rollback(
                journal,
                observation.reason,
                first_bad_at=observation.first_bad_at,
                measures=observation.measures,
                **_shown(observation),
            )
        elif observation.verdict == "pause":
            self._pause(observation.reason, **_shown(observation))
        elif observation.verdict == "hold":
            self._pause(f"nothing could be decided after {self._plan.max_wait_s:g} s: {observation.reason}")
        else:
            self._advance(observation)

    def _advance(self, observation: Observation) -> None:
        journal = self._journal
        missing = journal.consent_missing()
        if missing:
            target: Literal["waiting_for_approval", "paused"] = (
                "waiting_for_approval" if journal.phase == "shadow" else "paused"
            )
            journal.advance(target, missing, level="loud", reason=missing, measures=observation.measures)
            self._leave(missing)
        elif journal.phase == "shadow":
            share = self._canary_share
            journal.advance("canary", f"canary: Gold answers {share:.0%}", share=share, measures=observation.measures)
        else:
            share = next((share for share in self._plan.shares if share > self._share()), 0.0)
            if share:
                self._shift(share, observation)
            elif journal.phase == "canary":
                self._shift(1.0, observation)
            else:
                journal.advance(
                    "promoting",
                    "every phase held its guardrails",
                    share=1.0,
                    measures=observation.measures,
                    reason=f"{self._evidence.quality.n if self._evidence else 0} labelled pairs, no guardrail broken",
                )

    def _shift(self, share: float, observation: Observation) -> None:
        won = f"{observation.reason}; " if observation.experiment is not None else ""
        self._journal.advance(
            "shift",
            f"{won}shift: Gold answers {share:.0%}",
            share=share,
            measures=observation.measures,
            **_shown(observation),
        )

    def _pause(self, reason: str, **detail: Any) -> None:
        """Blue answers everybody until a person decides; the evidence so far stays in the log."""
        self._journal.advance("paused", f"paused for a person: {reason}", level="loud", reason=reason, **detail)
        self._leave(reason)

    def _leave(self, reason: str) -> None:
        self._steering.set(
            self._journal.blue, "", "off", 0.0, reason=f"paused: {reason}"[:300], sticky_by=self._plan.sticky_by
        )


def _shown(observation: Observation) -> dict[str, Any]:
    """The experiment as the release carries it along."""
    return {} if observation.experiment is None else {"experiment": observation.experiment}
