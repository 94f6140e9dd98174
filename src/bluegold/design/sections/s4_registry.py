"""S4: the model registry: versions, stages, lineage, approvals, rollback."""

from __future__ import annotations

from collections.abc import Mapping

from bluegold.core.nouns import ModelVersion
from bluegold.design.blocks import Block, Bullets, Callout, Diagram, Heading, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.diagrams import CLASSES
from bluegold.design.places import module_place
from bluegold.design.sections.standing import periods
from bluegold.registry.lifecycle import TRANSITIONS

__all__ = ["state_diagram", "write"]

_TONE = {"Registered": "outside", "Staging": "stage", "Canary": "gold", "Production": "blue", "Archived": "store"}


def write(brief: Brief) -> Section:
    """Write the section."""
    say = brief.say
    blocks: list[Block] = [
        Paragraph(
            text=say(
                "The registry joins the two pipelines and is the only thing they share besides the feature code. A "
                "version holds artefacts, lineage and measures under one digest, signed when it is registered and "
                "verified before every load. Every change is one transaction together with its row in a "
                "hash-chained audit trail."
            )
            + " "
            + brief.cites.cite(module_place("bluegold.registry.versions", "Versions"), "versions, signed and verified")
        ),
        state_diagram(brief),
        _table(brief),
        Heading(text="Versions", anchor="s4-versions"),
        _versions(brief),
        *periods(brief),
        *_lineage(brief),
        *_changes(brief),
        Heading(text="Rollback", anchor="s4-rollback"),
        _rollback(brief),
        Heading(text="Decisions of S4", anchor="s4-decisions"),
        brief.decided("S4"),
    ]
    return Section(anchor="s4", label="S4", title="Model registry", blocks=tuple(blocks))


def state_diagram(brief: Brief) -> Diagram:
    """The stages of a version, drawn from the table that the registry enforces."""
    present = {version.stage for version in brief.facts.history.versions}
    lines = ["stateDiagram-v2", "  direction LR", "  [*] --> Registered"]
    lines += [f"  {step.from_stage} --> {step.to_stage}" for step in TRANSITIONS]
    stages = dict.fromkeys(stage for step in TRANSITIONS for stage in (step.from_stage, step.to_stage))
    lines.append(CLASSES)
    lines += [f"  class {stage} {_TONE.get(stage, 'bad')}" for stage in stages]
    here = ", ".join(sorted(present)) or "none"
    return Diagram(
        name="registry-workflow",
        caption="Stages of a version: the table the registry enforces",
        alt="A version is registered, goes to Staging, Canary and Production, and is Archived when a newer one is "
        f"promoted; it can be Refused or RolledBack on the way. Stages with versions now: {here}.",
        source="\n".join(lines),
    )


def _table(brief: Brief) -> Table:
    mark = brief.cites.cite(module_place("bluegold.registry.lifecycle", "TRANSITIONS"), "the stage table")
    rows = tuple((f"{{{{{s.from_stage}}}}}", f"{{{{{s.to_stage}}}}}", s.when) for s in TRANSITIONS)
    return Table(caption=f"Allowed changes of stage {mark}", head=("From", "To", "When"), rows=rows)


def _versions(brief: Brief) -> Table | Callout:
    versions = brief.facts.history.versions
    if not versions:
        return Callout(kind="note", text=f"[{brief.needs_input}: {brief.say('a first version')}]")
    rows = tuple(
        (
            f"**{version.version}**",
            f"{{{{{version.stage}}}}}",
            version.author,
            f"{version.created_at:%Y-%m-%d %H:%M} UTC",
            f"`{version.digest[:12]}`",
            str(len(version.artefacts)),
            brief.version(version),
        )
        for version in versions
    )
    return Table(
        caption="Registered versions",
        head=("Version", "Stage", "Author", "Registered", "Digest", "Artefacts", "Evidence"),
        rows=rows,
        numeric=(5,),
    )


def _lineage(brief: Brief) -> list[Block]:
    history = brief.facts.history
    version = history.production or (history.versions[-1] if history.versions else None)
    if version is None:
        return []
    lineage = version.lineage
    rows = (
        ("code", f"`{lineage.code[:52]}`", "the commit of the definition, or the digest of its source"),
        ("data", f"`{lineage.data[:24]}`", "digest of the source rows and tables"),
        ("features", f"`{lineage.features[:24]}`", "digest of the feature program"),
        ("environment", f"`{lineage.environment[:24]}`", "digest of every installed package and its version"),
        ("seeds", f"`{_pairs(lineage.seeds)}`", "one seed drives every random choice"),
        ("parameters", f"`{_pairs(lineage.parameters)}`", "of the chosen model"),
        ("parent", f"`{lineage.parent or 'none'}`", "production when this version was made"),
        ("signature", f"`{version.signature[:24]}…`", "Ed25519 over the digest of all of this"),
    )
    return [
        Heading(text="Lineage", anchor="s4-lineage"),
        Table(
            caption=f"Lineage of {version.ref} {brief.version(version)}",
            head=("Part", "Value", "What it is"),
            rows=tuple((f"**{part}**", value, meaning) for part, value, meaning in rows),
        ),
        *_approvals(brief, version),
    ]


def _approvals(brief: Brief, version: ModelVersion) -> list[Block]:
    given = brief.facts.history.approvals.get(version.ref, ())
    if not given:
        return []
    items = tuple(
        f"**{one.actor}**: {one.comment or '-'} "
        + brief.cites.cite(f"registry: approval of {one.ref} by {one.actor}", f"bound to digest {one.digest[:12]}")
        for one in given
    )
    return [
        Paragraph(text=brief.say("Approvals, bound to the digest; the author cannot give one:")),
        Bullets(items=items),
    ]


def _pairs(values: Mapping[str, object]) -> str:
    text = ", ".join(f"{key}={value}" for key, value in sorted(values.items()))
    return text if len(text) <= 220 else text[:219] + "…"


def _changes(brief: Brief) -> list[Block]:
    changes = brief.facts.history.changes
    if not changes:
        return []
    rows = tuple(
        (
            f"{change.at:%Y-%m-%d %H:%M:%S}",
            change.ref.rpartition(":")[2],
            f"{change.from_stage or 'new'} → {{{{{change.to_stage}}}}}",
            change.actor,
            change.reason,
            brief.cites.cite(
                f"registry: stage change {number} of {brief.facts.name}",
                f"{change.ref} to {change.to_stage} by {change.actor}",
            ),
        )
        for number, change in enumerate(changes, start=1)
    )
    shown = rows[-30:]
    return [
        Heading(text="History of stages", anchor="s4-history"),
        Table(
            caption=f"Newest {len(shown)} of {len(rows)} changes of stage (UTC)",
            head=("When", "Version", "Change", "By", "Because", "Evidence"),
            rows=shown,
        ),
        *_chain(brief),
    ]


def _chain(brief: Brief) -> list[Block]:
    chain = brief.facts.history.chain
    if chain is None:
        return []
    mark = brief.cites.cite("registry: audit chain", f"{chain.checked:,} rows checked, {chain.first_bad or 'all hold'}")
    if chain.ok:
        return [
            Callout(
                kind="good",
                text=brief.say("The audit chain verifies: {n} rows, none changed.", n=f"{chain.checked:,}")
                + f" {mark}",
            )
        ]
    return [
        Callout(
            kind="bad",
            text=brief.say("The audit chain is broken at {row}: {why}.", row=chain.first_bad, why=chain.why)
            + f" {mark}",
        )
    ]


def _rollback(brief: Brief) -> Bullets:
    say = brief.say
    mark = brief.cites.cite(module_place("bluegold.registry.restore", "Restore"), "one step to the safe configuration")
    return Bullets(
        items=(
            say("One step, one transaction: Blue answers alone, Gold loses its traffic, stages say the same.")
            + f" {mark}",
            say("The version to go back to is verified before anything changes, and is never deleted."),
            say("Rehearsed in every release before users see Gold, and measured:") + f" AP-10 {brief.shown('AP-10')}",
        )
    )
