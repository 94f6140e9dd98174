"""`bluegold experiment`: the canary of a version read as an A/B experiment between its users and Blue's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit
from bluegold.core.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from bluegold.delivery.experiment import Experiment, Metric

__all__ = ["experiment"]


def experiment(
    version: Annotated[str, typer.Argument(help="The challenger, for example flight-delays:v2 or v2.")],
    *,
    metric: Annotated[
        str, typer.Option("--metric", help="correct: how often answers were right; outcome: how often it was positive.")
    ] = "correct",
    alpha: Annotated[float, typer.Option("--alpha", min=0.0001, max=0.5, help="Level of the interval.")] = 0.05,
    fewer: Annotated[bool, typer.Option("--fewer", help="With outcome: fewer positive ones are better.")] = False,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the users who were routed to a version with those who stayed with Blue; look as often as you like."""
    from bluegold.delivery.candidate import Subject
    from bluegold.delivery.experiment import Question, analyse
    from bluegold.production.results.decision_reader import DecisionReader

    if metric not in {"correct", "outcome"}:
        raise UsageError(f"there is no metric '{metric}'", way_out="use correct or outcome")
    with governed(workspace, actor) as (registry, space, _):
        subject = Subject(registry, registry.versions.get(version))
        splits = [one for one in registry.traffic.history(subject.version.model) if one.gold == subject.ref]
        if not splits:
            raise DeliveryError(
                f"{subject.ref} was never in the traffic",
                way_out=f"run 'bluegold deliver {subject.ref}'",
                subject=subject.ref,
            )
        question = Question(
            metric=cast("Metric", metric), rule=subject.decision.rule, alpha=alpha, fewer=fewer and metric == "outcome"
        )
    found = analyse(DecisionReader(space.decisions).records(), splits, question)
    emit(found, as_json=as_json, text=lambda: _told(found))


def _told(found: Experiment) -> str:
    lines = [f"{found.verdict}: {found.reason}"]
    for name, arm in (("blue", found.blue), ("gold", found.gold)):
        mean = "-" if arm.mean is None else f"{arm.mean:.4f}"
        lines.append(
            f"  {name}  {arm.requests:>9,} requests  {arm.outcomes:>9,} outcomes  {found.metric} {mean}"
            f"  ({arm.low:.4f} to {arm.high:.4f})"
        )
    lines.append(f"  share of gold {found.seen_share:.2%}, ordered {found.ordered_share:.2%}")
    return "\n".join(lines)
