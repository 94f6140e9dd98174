"""The experiment of a canary: watched beside its guardrails, and decided by itself as its plan said beforehand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Literal

import msgspec

from bluegold.core.nouns import Measure, TrafficSplit, now
from bluegold.core.plan import ExperimentPlan
from bluegold.delivery.experiment import Experiment, Groups, Question
from bluegold.delivery.watch import Observation
from bluegold.production.results.decision_reader import DecisionReader, Positions
from bluegold.registry.rule import DecisionRule

__all__ = ["Trial", "Verdict", "decided"]

Verdict = Literal["advance", "hold", "pause", "rollback"]
_WITHOUT_WINNER: dict[str, Verdict] = {"go_on": "advance", "pause": "pause", "rollback": "rollback"}


class Trial:
    """A running experiment.

    Args:
        plan: what was stated beforehand.
        rule: of Gold; how outcomes are read.
        reader: the decision log of all workers.
        positions: where in the log the release began.

    Raises:
        DefinitionError: the outcomes of this system cannot be counted as the plan asks.
    """

    def __init__(
        self, plan: ExperimentPlan, rule: DecisionRule, reader: DecisionReader, positions: Positions | None = None
    ) -> None:
        self._plan = plan
        self._groups = Groups(
            Question(
                metric=plan.metric,
                rule=rule,
                alpha=plan.alpha,
                fewer=plan.metric == "outcome" and plan.better == "fewer",
            )
        )
        self._reader = reader
        self._positions: Positions = dict(positions or {})
        self._judged: tuple[int, Experiment] | None = None

    def look(self, splits: Iterable[TrafficSplit], seen: Observation) -> Observation:
        """What the guardrails say, and the experiment where they let it run.

        Args:
            splits: the traffic revisions of this release so far.
            seen: by the watch; a guardrail that is broken goes before everything else.
        """
        splits = tuple(splits)
        self._groups.follow(splits)
        while True:
            records, self._positions = self._reader.tail(self._positions)
            if not records:
                break
            self._groups.take(records)
        if seen.verdict in {"rollback", "pause"}:
            return seen
        found = self._found()
        verdict, reason = decided(self._plan, found, self._groups.outcomes, late=self.late(splits))
        if verdict == "advance" and seen.verdict == "hold":
            verdict, reason = "hold", f"{reason}; but {seen.reason}"
        return msgspec.structs.replace(
            seen, verdict=verdict, reason=reason, measures=(*seen.measures, self._measure(found)), experiment=found
        )

    def _found(self) -> Experiment:
        """The analysis, made again only when outcomes came in."""
        n = self._groups.outcomes
        if self._judged is None or self._judged[0] != n:
            self._judged = n, self._groups.judged()
        return self._judged[1]

    def late(self, splits: Iterable[TrafficSplit]) -> bool:
        """Whether the days that the plan states are over."""
        began = [split.at for split in splits if split.mode == "canary" and split.at is not None]
        return bool(began) and now() - min(began) > dt.timedelta(days=self._plan.days)

    def _measure(self, found: Experiment) -> Measure:
        return Measure(
            name=f"experiment: {found.metric}, Gold's users against Blue's",
            value=found.difference,
            limit=None,
            n=self._groups.outcomes,
            verdict="pass" if found.verdict == "gold is better" else "hold",
            note=f"{found.verdict}: {found.reason}, at level {found.alpha:g}",
        )


def decided(plan: ExperimentPlan, found: Experiment, outcomes: int, *, late: bool) -> tuple[Verdict, str]:
    """What an experiment's plan makes of what was found.

    Args:
        plan: what was stated beforehand.
        found: the evidence so far.
        outcomes: of both groups together.
        late: whether the stated days are over.

    Returns:
        what the release does next, and why.

    Example:
        >>> from bluegold.delivery.experiment import analyse
        >>> decided(ExperimentPlan(undecided="rollback"), analyse([], []), 0, late=True)[0]
        'rollback'
    """
    said = f"experiment over {outcomes} outcomes: {found.verdict}, {found.reason}"
    if found.verdict == "invalid":
        return "pause", said
    if outcomes >= plan.least and found.verdict == "gold is better":
        return ("advance", said) if plan.decides == "promote" else ("pause", f"{said}; promotion is recommended")
    if outcomes >= plan.least and found.verdict == "blue is better":
        return "rollback", said
    over = f"{plan.most} outcomes" if outcomes >= plan.most else f"{plan.days:g} days" if late else ""
    if over and found.verdict == "blue is better":
        return "rollback", f"{said}, after {over}"
    if over:
        return _WITHOUT_WINNER[plan.undecided], f"{said}; no winner after {over}"
    return "hold", f"{said} ({outcomes} of at most {plan.most})"
