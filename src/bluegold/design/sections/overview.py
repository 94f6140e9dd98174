"""The overview: what the system is, where it stands, the picture on one page."""

from __future__ import annotations

from bluegold.design.blocks import Block, Bullets, Callout, Diagram, Paragraph, Section, Table, Tiles
from bluegold.design.brief import Brief
from bluegold.design.decide import missing
from bluegold.design.diagrams import CLASSES, label
from bluegold.design.sections.s3_stores import chosen
from bluegold.design.sections.standing import missed, periods
from bluegold.design.workload import QUESTIONS, workload
from bluegold.requirements.checklist import shown_value, totals

__all__ = ["write"]


def write(brief: Brief) -> Section:
    """Write the section."""
    facts, say = brief.facts, brief.say
    blocks: list[Block] = [Paragraph(text=_what(brief)), Tiles(items=_tiles(brief)), _diagram(brief), _reading(brief)]
    blocks += _inputs(brief)
    if facts.plan.regulated:
        blocks.append(
            Callout(
                kind="warn",
                text=say(
                    "This system is regulated: a person other than the author approves before users see a version."
                )
                + f" {brief.plan('regulated', 'the system is regulated')}",
            )
        )
    if facts.greenfield:
        text = say(
            "Nothing exists yet: this is the design of a greenfield. Phase 0 (foundation) writes the contract and the "
            "plan, with the simplest viable orchestrator, before anything else is built."
        )
        blocks.append(Callout(kind="note", text=text))
    if brief.executive:  # the sections that hold these are the technical variant's
        blocks += [*periods(brief), *missed(brief)]
    return Section(anchor="overview", label="", title="Overview", blocks=tuple(blocks))


def _inputs(brief: Brief) -> list[Block]:
    """The workload facts that decisions weigh: stated, read from the code, or still to be said."""
    facts, say = brief.facts, brief.say
    rows = [
        (
            say(fact.says) if isinstance(fact.value, bool) else f"`{fact.name}` = {fact.value:g}",
            f"`{fact.place}`",
            f"{{{{{fact.tag}}}}} {brief.cites.cite(fact.place, fact.says, fact.tag)}",
        )
        for fact in workload(facts).values()
        if fact.place and fact.value is not None and (fact.value or fact.tag == "explicit")
    ]
    blocks: list[Block] = []
    if rows and not brief.executive:
        blocks.append(
            Table(
                caption="What the decisions weigh",
                head=("Fact", "Where it stands", "Certainty"),
                rows=tuple(dict.fromkeys(rows)),
            )
        )
    open_facts = missing(facts) if facts.history.production is None else ()
    asked = tuple(f"[{brief.needs_input}: {say(QUESTIONS[name])}] `workload.{name}`" for name in open_facts)
    if asked:
        mark = brief.cites.cite("architecture.yaml: workload", "facts that nobody stated yet", "open")
        blocks.append(
            Paragraph(
                text=say("These facts would make decisions firmer, or change them; until then defaults hold:")
                + f" {mark}"
            )
        )
        blocks.append(Bullets(items=asked))
    return blocks


def _what(brief: Brief) -> str:
    facts, say = brief.facts, brief.say
    if facts.system is None:
        text = say("The architecture of {name}: two pipelines and one registry.", name=f"**{facts.name}**")
        missing = say("what one decision of this system is about, and what is known when it is taken")
        return f"{text} [{brief.needs_input}: {missing}]"
    contract = facts.system.contract
    mark = brief.definition("contract", "what one record is")
    entity = ""
    if facts.system.entity:
        entity = " " + say("Decisions are about one {entity}.", entity=f"`{facts.system.entity}`")
    return (
        say(
            "{name} decides about each record: {what}",
            name=f"**{facts.name}**",
            what=contract.description.rstrip(".") + ".",
        )
        + f" {mark}{entity} "
        + say(
            "Domain {domain}, risk {risk}, topology {topology}. Development and production are separate systems that "
            "meet only in the feature code and the registry; the pipeline is the architecture, the model is one part "
            "of it.",
            domain=facts.plan.domain,
            risk=say(facts.plan.risk),
            topology=say(brief.decision("topology").decision.choice),
        )
        + f" {brief.ground(brief.decision('topology'))}"
    )


def _tiles(brief: Brief) -> tuple[tuple[str, str, str], ...]:
    history, say = brief.facts.history, brief.say
    version = history.production
    count = totals(brief.facts.rows)
    met = count["objective"] + count["threshold"]
    measured = met + count["missed"]
    tiles = [
        (
            say("In production"),
            version.version if version else say("none yet"),
            f"{version.author} {brief.version(version)}" if version else "",
        ),
        (
            say("Requirements met"),
            f"{met} / {measured}",
            say("of {n} measured, {all} in all", n=measured, all=len(brief.facts.rows)),
        ),
        (say("Versions"), str(len(history.versions)), _stages(brief)),
    ]
    for identifier, title in (("AP-7", "Accuracy"), ("AP-8", "AUC"), ("AP-10", "Back to safety")):
        row = brief.row(identifier)
        value = row.evidence.value if row.evidence else (version.metrics.get(title.lower()) if version else None)
        if value is not None:
            mark = brief.measured(row) if row.evidence else brief.version(version) if version else ""
            tiles.append((say(title), shown_value(row.requirement, value), f"{identifier} {mark}"))
    return tuple(tiles)


def _stages(brief: Brief) -> str:
    stages = [version.stage for version in brief.facts.history.versions]
    return ", ".join(f"{stages.count(stage)} {stage}" for stage in dict.fromkeys(stages))


def _diagram(brief: Brief) -> Diagram:
    facts, say = brief.facts, brief.say
    version = facts.history.production
    blue = f"Blue<br/>{version.version}" if version else "Blue<br/>none yet"
    registry = label(f"S4 Registry<br/>{say(chosen(brief, 'relational'))} + {say(chosen(brief, 'object'))}")
    text = f"""flowchart LR
  data[("source data")]:::outside --> dev["S1 Development pipeline<br/>8 stages"]:::stage
  dev -- "signed version" --> reg[("{registry}")]:::store
  reg -- "candidate" --> cd["S5 six gates,<br/>shadow, canary"]:::gate
  cd -- "traffic split" --> reg
  reg -- "verified load" --> prod["S2 Production pipeline<br/>6 stages"]:::stage
  users(["users"]):::outside --> prod
  prod --> blue["{label(blue)}"]:::blue
  prod -.-> gold["Gold<br/>under validation"]:::gold
  feat["one feature definition"]:::good --> dev
  feat --> prod
{CLASSES}"""
    return Diagram(
        name="two-pipelines",
        caption="Two pipelines, one registry",
        alt="Source data flows through the development pipeline into the registry; delivery takes a candidate "
        "through six gates, shadow and canary by writing the traffic split; the production pipeline loads verified "
        "versions and answers users with Blue, while Gold is validated; both pipelines share one feature definition.",
        source=text,
    )


def _reading(brief: Brief) -> Bullets:
    say = brief.say
    return Bullets(
        items=(
            say("Every claim carries the number of its evidence; the index at the end says where it stands.")
            + " "
            + brief.cites.cite("bluegold/design/citations.py:1", "how claims are cited"),
            "{{explicit}} "
            + say("stated in the definition, the plan or the registry;")
            + " {{inferred}} "
            + say("concluded by a rule or a default;")
            + " {{open}} "
            + say("a person still has to say it."),
            *(
                [say("What probes, gates and the registry recorded stands here as it was recorded.")]
                if brief.facts.history.changes
                else []
            ),
        )
    )
