"""As is: what the code base does today, what its stores hold, what is risky, each with its place."""

from __future__ import annotations

import itertools

from bluegold.design.blocks import Block, Bullets, Diagram, Heading, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.diagrams import CLASSES, label
from bluegold.design.facts import Facts, learns
from bluegold.design.scan.summary import technologies
from bluegold.design.understand import Activity, AsIs, Place, Risk

__all__ = ["pipelines", "shown_places", "write"]

_MISSING = {
    "no-registry": "no registry",
    "no-monitoring": "no monitoring",
    "no-data-checks": "no data checks",
    "no-rollback": "no way back",
    "no-evaluation": "no evaluation",
}
_SIDE = {"development": "S1 development", "production": "S2 production"}


def write(brief: Brief) -> Section:
    """Write the section."""
    facts, say = brief.facts, brief.say
    as_is = facts.as_is
    if as_is is None:
        return Section(anchor="as-is", label="", title="The system as it is", blocks=())
    if facts.system is not None and not learns(facts.findings, as_is):
        return _defined(brief, as_is)
    if not learns(facts.findings, as_is):
        text = say(
            "{n} files were read and none of them trains, scores or registers a model: there is no machine-learning "
            "system here yet, and the design is that of a greenfield.",
            n=f"{as_is.files:,}",
        )
        blocks_here: tuple[Block, ...] = (Paragraph(text=text), *_technologies(brief, facts))
        return Section(anchor="as-is", label="", title="The system as it is", blocks=blocks_here)
    blocks: list[Block] = [Paragraph(text=_read(brief, as_is)), _diagram(as_is)]
    if brief.executive:
        blocks.append(Bullets(items=tuple(_short(brief, risk) for risk in as_is.risks if risk.row.severity == "high")))
        return Section(anchor="as-is", label="", title="The system as it is", blocks=tuple(blocks))
    blocks += [Heading(text="What the code does", anchor="as-is-activities"), _activities(brief, as_is)]
    if as_is.stores:
        blocks += [Heading(text="What the stores hold", anchor="as-is-stores"), _stores(brief, as_is)]
    blocks += [Heading(text="What is missing or risky", anchor="as-is-risks"), *_risks(brief, as_is)]
    blocks += _technologies(brief, facts)
    return Section(anchor="as-is", label="", title="The system as it is", blocks=tuple(blocks))


def _defined(brief: Brief, as_is: AsIs) -> Section:
    """A system that is defined for this program: what runs is what the document describes."""
    text = brief.say(
        "{n} files were read. The system is defined in its pipeline.py, so both pipelines are those of this document; "
        "what else the code base shows stands here.",
        n=f"{as_is.files:,}",
    )
    blocks: list[Block] = [Paragraph(text=f"{text} {brief.definition('system', 'the definition of the system')}")]
    if as_is.risks and not brief.executive:
        blocks += [Heading(text="What is missing or risky", anchor="as-is-risks"), *_risks(brief, as_is)]
    if not brief.executive:
        blocks += _technologies(brief, brief.facts)
    return Section(anchor="as-is", label="", title="The system as it is", blocks=tuple(blocks))


def pipelines(brief: Brief) -> Diagram | None:
    """The two pipelines as they are; nothing where there are none."""
    facts = brief.facts
    return _diagram(facts.as_is) if facts.as_is is not None and learns(facts.findings, facts.as_is) else None


def _read(brief: Brief, as_is: AsIs) -> str:
    say = brief.say
    sides = [
        ", ".join(say(one.title).lower() for one in as_is.activities if one.pipeline == side)
        for side in ("development", "production")
    ]
    high = sum(risk.row.severity == "high" for risk in as_is.risks)
    text = say(
        "{files} files were read and none was run; {modules} modules and notebooks are the system's own.",
        files=f"{as_is.files:,}",
        modules=f"{as_is.modules:,}",
    )
    found = say(
        "Development today: {one}. Production today: {two}. {n} risks were found, {high} of them high.",
        one=sides[0] or say("nothing"),
        two=sides[1] or say("nothing"),
        n=len(as_is.risks),
        high=high,
    )
    return f"{text} {found}"


def shown_places(brief: Brief, places: tuple[Place, ...], most: int = 3) -> str:
    """The first places with what stands there and their evidence."""
    shown = [f"`{one.cited}` {one.shows} {brief.cites.cite(one.cited, one.shows)}" for one in places[:most]]
    more = brief.say("and {n} more", n=len(places) - most) if len(places) > most else ""
    return "; ".join((*shown, *((more,) if more else ())))


def _mark(brief: Brief, kind: str, name: str, places: tuple[Place, ...]) -> str:
    said = ", ".join(place.cited for place in places[:6])
    return brief.cites.cite(f"code base: {kind} {name}", said, "inferred")


def _activities(brief: Brief, as_is: AsIs) -> Table:
    rows = tuple(
        (
            f"**{brief.say(one.title)}** {_mark(brief, 'activity', one.id, one.places)}",
            brief.say(_SIDE[one.pipeline]),
            _spread(brief, one),
            one.stage,
        )
        for one in as_is.activities
    )
    return Table(
        caption="Activities, by the calls that show them",
        head=("Activity", "Pipeline", "Shown by", "Becomes stage"),
        rows=rows,
        wide=(2,),
    )


def _spread(brief: Brief, one: Activity) -> str:
    """One place of each file first: three places of one file say less than one of three."""
    first = {place.path: place for place in reversed(one.places)}
    heads = [place for place in one.places if first[place.path] is place]
    return shown_places(brief, (*heads, *(place for place in one.places if place not in heads)))


def _stores(brief: Brief, as_is: AsIs) -> Table:
    rows = tuple(
        (
            f"**{held.technology}** {_mark(brief, 'store', held.technology, held.places)}",
            held.kind.replace("_", "-"),
            ", ".join(brief.say(one) for one in held.holds) or f"[{brief.needs_input}: {brief.say('what it holds')}]",
            shown_places(brief, held.places, 2),
        )
        for held in as_is.stores
    )
    return Table(
        caption="Stores in use, and what the code around them does",
        head=("Store", "Kind", "Holds", "Shown by"),
        rows=rows,
        wide=(3,),
    )


def _risks(brief: Brief, as_is: AsIs) -> list[Block]:
    if not as_is.risks:
        return [Paragraph(text=brief.say("None of the risks that are looked for was found."))]
    order = {"high": 0, "medium": 1, "low": 2}
    rows = tuple(
        (
            f"**{brief.say(risk.row.title)}** {{{{{risk.row.severity}}}}} "
            + _mark(brief, "risk", risk.row.id, risk.places),
            brief.say(risk.row.why),
            brief.say(risk.row.answer),
            shown_places(brief, risk.places, 4),
        )
        for risk in sorted(as_is.risks, key=lambda one: order[one.row.severity])
    )
    return [
        Table(
            caption="Risks of the system as it is",
            head=("Risk", "Why it hurts", "What the architecture answers", "Shown by"),
            rows=rows,
            wide=(3,),
        )
    ]


def _short(brief: Brief, risk: Risk) -> str:
    place = risk.places[0]
    return f"**{brief.say(risk.row.title)}** ({place.cited}): {brief.say(risk.row.why)} " + _mark(
        brief, "risk", risk.row.id, risk.places
    )


def _technologies(brief: Brief, facts: Facts) -> list[Block]:
    seen = technologies(facts.findings)
    used = [one for one in seen if one.usage == "used"]
    if not used:
        return []
    rows = tuple(
        (
            f"**{one.technology}**",
            f"{one.section} {one.kind.replace('-', ' ')}",
            f"`{one.best.path}:{one.best.line}` {one.best.evidence}",
            str(one.findings),
            brief.cites.cite(
                f"code base: technology {one.technology}", f"{one.kind}, {one.best.path}:{one.best.line}", "inferred"
            ),
        )
        for one in used
    )
    declared = sorted({one.technology for one in seen if one.usage == "declared"} - {one.technology for one in used})
    blocks: list[Block] = [
        Heading(text="Technologies in use", anchor="as-is-technologies"),
        Table(
            caption="Technologies in use",
            head=("Technology", "What it is", "Best shown by", "Places", "Evidence"),
            rows=rows,
            numeric=(3,),
        ),
    ]
    if declared:
        text = brief.say("Declared as a dependency, but used nowhere: {names}.", names=", ".join(declared))
        blocks.append(Paragraph(text=text))
    return blocks


#: activities that stand beside the chain, not in it
_BESIDE = frozenset({"orchestrate", "integrate", "track", "monitor", "deploy"})


def _diagram(as_is: AsIs) -> Diagram:
    """Activities in order, the stores they touch, and what is missing in red."""
    lines = ["flowchart TB"]
    told: list[str] = []
    for side, name in (("development", "development, as it is"), ("production", "production, as it is")):
        here = [one for one in as_is.activities if one.pipeline == side]
        if not here:
            continue
        lines += [f'  subgraph {side.upper()}["{name}"]', "    direction LR"]
        lines += [f'    {one.id}["{_node(one)}"]:::stage' for one in here]
        chain = [one for one in here if one.id not in _BESIDE]
        lines += [f"    {one.id} --> {other.id}" for one, other in itertools.pairwise(chain)]
        lines += [f"    {one.id} -.- {chain[-1].id}" for one in here if one.id in _BESIDE and chain]
        lines.append("  end")
        told.append(f"{name}: {', '.join(one.title.lower() for one in here)}")
    lines += _between(as_is)
    missing = [risk.row.id for risk in as_is.risks if risk.row.id in _MISSING]
    for number, risk in enumerate(missing):
        lines.append(f'  m{number}["{_MISSING[risk]}"]:::bad')
        near = _near(as_is, risk)
        if near:
            lines.append(f"  {near} -.- m{number}")
    lines.append(CLASSES)
    gone = f"; missing: {', '.join(_MISSING[risk] for risk in missing)}" if missing else ""
    return Diagram(
        name="as-is-pipelines",
        caption="The two pipelines as they are",
        alt="; ".join(told) + gone + ".",
        source="\n".join(lines),
    )


def _node(one: Activity) -> str:
    first = one.files[0].rpartition("/")[2]
    more = f" +{len(one.files) - 1}" if len(one.files) > 1 else ""
    return label(f"{one.title}<br/>{first}{more}")


def _between(as_is: AsIs) -> list[str]:
    """Stores, and how the model gets from one side to the other."""
    ids = [one.id for one in as_is.activities]
    lines = []
    for number, held in enumerate(as_is.stores[:8]):
        lines.append(f'  s{number}[("{label(held.technology)}")]:::store')
        paths = {place.path for place in held.places}
        touching = [one.id for one in as_is.activities if paths & set(one.files) and one.id not in _BESIDE][:2]
        lines += [f"  {one} --- s{number}" for one in touching]
    source = next((one for one in ("register", "save", "train") if one in ids), "")
    target = next((one for one in ("serve", "score") if one in ids), "")
    if source and target:
        lines.append(f'  {source} == "model" ==> {target}')
    return lines


def _near(as_is: AsIs, risk: str) -> str:
    """The activity beside which something is missing."""
    wanted = {
        "no-registry": ("save", "train"),
        "no-monitoring": ("serve", "score"),
        "no-rollback": ("deploy", "serve", "score"),
        "no-data-checks": ("ingest", "train"),
        "no-evaluation": ("train",),
    }[risk]
    return next((one for one in wanted if as_is.does(one)), "")
