"""S5: CI/CD with Blue & Gold: gates, rehearsal, shadow, canary, shift, promotion, rollback."""

from __future__ import annotations

import msgspec

from bluegold.core.nouns import GateReport, Measure
from bluegold.core.plan import Guardrails
from bluegold.delivery.release import CLOSED, STEPS, USERS, Phase, Step
from bluegold.design.blocks import Block, Bullets, Diagram, Fold, Heading, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.diagrams import CLASSES
from bluegold.design.places import module_place

__all__ = ["GATES", "write"]

#: (number, name, passes when, module)
GATES: tuple[tuple[str, str, str, str], ...] = (
    ("1", "model", "accuracy, AUC, fairness, robustness and explainability reach their thresholds", "gate_1_model"),
    ("2", "feature", "training and serving features are identical; distributions match the profile", "gate_2_feature"),
    ("3", "data quality", "the input data passed its contract and quality checks", "gate_3_data_quality"),
    ("4", "performance", "latency and throughput of a real worker are within the service level", "gate_4_performance"),
    ("5", "security", "signed, scanned artefacts; access controls hold; no new vulnerability", "gate_5_security"),
    ("6", "regression", "no degradation against Blue, overall and for each slice", "gate_6_regression"),
)

_MAIN: tuple[Phase, ...] = ("candidate", "gates", "rehearsal", "shadow", "canary", "shift", "promoting", "promoted")
_LIVE: tuple[Phase, ...] = ("shadow", "canary", "shift")


def write(brief: Brief) -> Section:
    """Write the section."""
    say = brief.say
    blocks: list[Block] = [
        Paragraph(
            text=say(
                "Blue is production and the rollback target; Gold is the version under validation. No version reaches "
                "users without six green gates and a rollback that was walked in the same release. Missing evidence "
                "is a hold: it never passes and never triggers. A green gate means that a threshold was met, not that "
                "the version is a success: that is what the canary finds out."
            )
        ),
        _diagram(),
        Heading(text="The six gates", anchor="s5-gates"),
        _gates(brief),
        *_reports(brief),
        Heading(text="Rollout and guardrails", anchor="s5-rollout"),
        _rollout(brief),
        *_releases(brief),
        *_others(brief),
    ]
    if not brief.executive:
        blocks += [_steps(brief), Heading(text="Decisions of S5", anchor="s5-decisions"), brief.decided("S5")]
    return Section(anchor="s5", label="S5", title="Delivery: Blue & Gold", blocks=tuple(blocks))


def _diagram() -> Diagram:
    """The release table as a picture: forward steps; what all live phases share is drawn once, from their frame."""
    forward = [step for step in STEPS if _forward(step)]
    shared = [
        target
        for target in dict.fromkeys(step.target for step in forward)
        if target not in _LIVE
        and all(any(s.source == phase and s.target == target for s in forward) for phase in _LIVE)
    ]
    lines = ["flowchart LR", '  subgraph LIVE["under live traffic, watched"]', "    direction LR"]
    lines += [f"    {_node(phase)}" for phase in _LIVE] + ["  end"]
    phases = dict.fromkeys(phase for step in forward for phase in (step.source, step.target))
    lines += [f"  {_node(phase)}" for phase in phases if phase not in _LIVE]
    drawn = dict.fromkeys((step.source, step.target) for step in forward if step.source != step.target)
    for source, target in drawn:
        if not (source in _LIVE and target in shared):
            lines.append(f"  {source} {_arrow(source, target)} {target}")
    lines += [f"  LIVE -.-> {target}" for target in shared]
    lines.append(CLASSES)
    return Diagram(
        name="blue-gold-flow",
        caption="A release, phase by phase, drawn from the table that delivery enforces",
        alt="A candidate passes six gates, a rollback rehearsal, shadow, canary and rising shares before it is "
        "promoted; a failed gate refuses it, a broken guardrail rolls it back, missing evidence holds or pauses it. "
        "Steps back and steps that only a person may take are in the table.",
        source="\n".join(lines),
    )


def _forward(step: Step) -> bool:
    """Steps of the normal course: not those a person takes, not those that lead back."""
    if "person" in step.needs or step.when.startswith("a person"):
        return False
    return not (step.source in {"held", "paused", "waiting_for_approval"} and step.target in {"gates", "shadow"})


def _node(phase: Phase) -> str:
    tone = {"refused": "bad", "rolled_back": "bad", "rolling_back": "bad", "promoted": "blue", "gates": "gate"}
    kind = tone.get(phase, "gold" if phase in USERS else "outside" if phase == "candidate" else "stage")
    left, right = ("([", "])") if phase in CLOSED or phase == "candidate" else ("[", "]")
    name = "six gates" if phase == "gates" else phase.replace("_", " ")
    return f'{phase}{left}"{name}"{right}:::{kind}'


def _arrow(source: Phase, target: Phase) -> str:
    straight = source in _MAIN and target in _MAIN and _MAIN.index(target) == _MAIN.index(source) + 1
    return "-->" if straight else "-.->"


def _gates(brief: Brief) -> Table:
    rows = []
    for number, name, passes, module in GATES:
        mapped = [row.requirement.id for row in brief.facts.rows if row.requirement.gate.startswith(number)]
        mark = brief.cites.cite(module_place(f"bluegold.delivery.gates.{module}", "check"), f"gate {number} {name}")
        cells = (f"**{number} {name}**", f"{passes} {mark}", ", ".join(mapped) or "-")
        verdicts = tuple(_verdict(brief, number, version.ref) for version in brief.facts.history.versions[-6:])
        rows.append((*cells, *verdicts))
    heads = tuple(version.version for version in brief.facts.history.versions[-6:])
    return Table(
        caption="Gates and what they said", head=("Gate", "Passes when", "Requirements", *heads), rows=tuple(rows)
    )


def _verdict(brief: Brief, number: str, ref: str) -> str:
    for report in brief.facts.history.reports.get(ref, ()):
        if _number(report.gate) == number:
            return f"{{{{{report.verdict}}}}} {brief.report(report)}"
    return "-"


def _number(gate: str) -> str:
    digits = "".join(character for character in gate if character.isdigit())
    return digits[:1]


def _reports(brief: Brief) -> list[Block]:
    history = brief.facts.history
    if brief.executive or not any(history.reports.values()):
        return []
    blocks: list[Block] = [Heading(text="Gate reports with their measures", anchor="s5-reports")]
    for version in history.versions[-6:]:
        reports = history.reports.get(version.ref, ())
        if not reports:
            continue
        said = ", ".join(f"{_number(report.gate)} {report.verdict}" for report in reports)
        blocks.append(
            Fold(
                summary=f"{version.version}, now {version.stage}: {said}",
                blocks=tuple(block for report in reports for block in _report(brief, report)),
            )
        )
    return blocks


def _report(brief: Brief, report: GateReport) -> tuple[Table | Paragraph, ...]:
    shown = report.measures[:40]
    rows = tuple(
        (
            measure.name.replace("_", " "),
            _value(measure, measure.value),
            _limit(measure),
            _value(measure, measure.baseline),
            f"{measure.n:,}" if measure.n else "-",
            f"{{{{{_shown(measure)}}}}}",
            measure.note or "-",
        )
        for measure in shown
    )
    more = "" if len(shown) == len(report.measures) else f", first {len(shown)} of {len(report.measures)}"
    caption = (
        f"Gate {report.gate.replace('_', ' ')}: {report.verdict} in {report.seconds:.2f} s{more} {brief.report(report)}"
    )
    head = ("Measure", "Value", "Limit", "Baseline", "n", "Verdict", "Note")
    return (
        Paragraph(text=f"**{report.gate.replace('_', ' ')}** {{{{{report.verdict}}}}} {report.reason}"),
        Table(caption=caption, head=head, rows=rows, numeric=(1, 2, 3, 4)),
    )


def _shown(measure: Measure) -> str:
    """A measure without a limit is shown, not judged."""
    return "shown" if measure.limit is None and measure.verdict == "pass" else measure.verdict


def _value(measure: Measure, value: float | None) -> str:
    if value is None:
        return "-"
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{number} {measure.unit}".rstrip()


def _limit(measure: Measure) -> str:
    if measure.limit is None:
        return "-"
    return f"{'≥' if measure.direction == '>=' else '≤'} {measure.limit:,.6g}"


def _limits(guard: Guardrails) -> str:
    """Every limit in one line."""
    named = msgspec.structs.asdict(guard).items()
    return ", ".join(f"{name} {value:g}" for name, value in named if isinstance(value, float))


def _rollout(brief: Brief) -> Bullets:
    plan, say = brief.facts.plan.rollout, brief.say
    guard = plan.guardrails
    shadow, shares = f"{plan.shadow_s:g} s", ", ".join(f"{share:.0%}" for share in plan.shares)
    sticky = f"`{plan.sticky_by}`" if plan.sticky_by else say("the request")
    why = brief.facts.plan.why
    return Bullets(
        items=(
            f"**{say('Shadow:')}** {shadow} {brief.plan('rollout.shadow_s', f'duration of shadow: {shadow}')}",
            f"**{say('Shares:')}** {shares}; "
            + say("each with at least {n} requests and {s} s", n=f"{plan.min_requests:,}", s=f"{plan.hold_s:g}")
            + " "
            + brief.plan(
                "rollout.shares",
                f"shares of the rollout: {shares}, {plan.min_requests:,} requests, {plan.hold_s:g} s",
            ),
            " ".join(
                (
                    f"**{say('Sticky by:')}** {sticky}",
                    why.get("sticky_by", ""),
                    brief.plan("rollout.sticky_by", f"stickiness: {plan.sticky_by or '-'}"),
                )
            ),
            f"**{say('Quality against Blue:')}** "
            + say("at most {x} of correctness lost", x=f"{guard.quality_loss:.1%}")
            + " "
            + brief.plan("rollout.guardrails", f"guardrails: {_limits(guard)}"),
            f"**{say('Agreement:')}** ≥ {guard.agreement:.0%}",
            *_reasons(brief),
            f"**{say('Errors:')}** ≤ {guard.error_rate:.1%}",
            f"**{say('Slower than')} {guard.latency_ms:g} ms:** ≤ {guard.slow_rate:.0%}",
            say(
                "Verdicts come from always-valid confidence sequences at level {a}: they may be looked at any time "
                "without raising false alarms.",
                a=f"{plan.alpha:g}",
            )
            + " "
            + brief.cites.cite(module_place("bluegold.delivery.sequential"), "always-valid sequential statistics"),
            *_experiment(brief),
        )
    )


def _reasons(brief: Brief) -> list[str]:
    """Whether Gold may decide for other reasons than Blue, and by how much."""
    limit = brief.facts.plan.rollout.guardrails.attribution_shift
    if limit >= 1.0:
        return []
    said = brief.say("no feature's share of the attributions changes by more than {x}", x=f"{limit:.0%}")
    return [f"**{brief.say('Reasons:')}** {said}"]


def _experiment(brief: Brief) -> list[str]:
    """What the canary is to find out about users, and what follows from it."""
    plan, say = brief.facts.plan.rollout.experiment, brief.say
    if plan is None:
        return []
    asked = (
        say("how often answers are right")
        if plan.metric == "correct"
        else say("more positive outcomes" if plan.better == "more" else "fewer positive outcomes")
    )
    told = say(
        "Gold answers {share} of the users until a winner is certain at level {a}, "
        "for at most {most} outcomes or {days} days",
        share=f"{plan.share:.0%}",
        a=f"{plan.alpha:g}",
        most=f"{plan.most:,}",
        days=f"{plan.days:g}",
    )
    then = say("a winner goes on by itself" if plan.decides == "promote" else "a winner is recommended to a person")
    otherwise = {
        "pause": "without one a person decides",
        "rollback": "without one Blue stays",
        "go_on": "without one too",
    }
    mark = brief.plan("rollout.experiment", f"experiment: {plan.metric}, {plan.share:.0%}, decides: {plan.decides}")
    return [f"**{say('Experiment:')}** {asked}; {told}; {then}; {say(otherwise[plan.undecided])} {mark}"]


def _releases(brief: Brief) -> list[Block]:
    history = brief.facts.history
    if not history.releases:
        return []
    rows = []
    for release in history.releases:
        steps = history.steps.get(release.id, ())
        path = " → ".join(dict.fromkeys(step.phase.replace("_", " ") for step in steps))
        seconds = (release.updated_at - release.opened_at).total_seconds()
        rows.append(
            (
                f"**{release.id}**",
                release.ref.rpartition(":")[2],
                f"{{{{{release.phase.replace('_', ' ')}}}}}",
                path,
                f"{seconds:,.1f}",
                _reason(release.detail),
                brief.cites.cite(f"registry: release {release.id}", f"{release.ref} is {release.phase}"),
            )
        )
    return [
        Heading(text="Releases so far", anchor="s5-releases"),
        Table(
            caption="Releases",
            head=("Release", "Version", "Phase", "Path", "Seconds", "Because", "Evidence"),
            rows=tuple(rows),
            numeric=(4,),
        ),
    ]


def _others(brief: Brief) -> list[Block]:
    """Candidates of other models in the same registry: what was refused there is evidence that gates refuse."""
    rows = tuple(
        (
            f"**{version.ref}**",
            f"{{{{{version.stage}}}}}",
            ", ".join(f"{_number(report.gate)} {report.verdict}" for report in reports) or "-",
            _failed(reports),
            brief.version(version),
        )
        for version, reports in brief.facts.history.others[-10:]
    )
    if not rows:
        return []
    return [
        Heading(text="Other models in this registry", anchor="s5-others"),
        Table(
            caption="Other models and what the gates said about them",
            head=("Version", "Stage", "Gates", "What failed", "Evidence"),
            rows=rows,
        ),
    ]


def _failed(reports: tuple[GateReport, ...]) -> str:
    found = [measure for report in reports for measure in report.measures if measure.verdict == "fail"]
    shown = [f"{one.name.replace('_', ' ')} {_value(one, one.value)} (limit {_limit(one)})" for one in found[:6]]
    return ", ".join(shown) + (f" and {len(found) - 6} more" if len(found) > 6 else "") or "-"


def _reason(detail: dict[str, object]) -> str:
    text = " ".join(str(detail.get("reason", "") or "").split())
    return text if len(text) <= 300 else text[:299] + "…"


def _steps(brief: Brief) -> Fold:
    mark = brief.cites.cite(module_place("bluegold.delivery.release", "STEPS"), "the release table")
    needs = {"six_gates": "six gates", "no_blue": "no Blue yet", "full_share": "full share"}
    rows = tuple(
        (
            step.source.replace("_", " "),
            step.target.replace("_", " "),
            step.when,
            ", ".join(needs.get(need, need) for need in step.needs) or "-",
        )
        for step in STEPS
    )
    return Fold(
        summary=brief.say("Every step of the release table ({n})", n=len(rows)),
        blocks=(Table(caption=f"Release table {mark}", head=("From", "To", "When", "Needs"), rows=rows),),
    )
