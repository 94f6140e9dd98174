"""S3: the data stores, each justified by its workload."""

from __future__ import annotations

from bluegold.design.blocks import Block, Heading, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.places import module_place
from bluegold.stores.matrix import COMPLIANCE, FACTORS, PROFILES
from bluegold.stores.protocols import Kind

__all__ = ["WORKLOADS", "chosen", "comparison", "shown_store", "write"]

#: What this system puts into each kind of store.
WORKLOADS: dict[Kind, str] = {
    "relational": "registry, stages, approvals, traffic revisions, audit chain: small rows, strong consistency",
    "object": "artefacts and training data by sha256: large, immutable, read whole",
    "key_value": "histories and look-ups on the request path: microseconds, many readers",
    "graph": "lineage from data over features to versions: few edges, walked up and down",
    "vector": "similarity search over embeddings",
}

_COMPLIANCE: dict[str, tuple[str, ...]] = {
    "encryption at rest and in transit": (
        "encrypted volume, TLS",
        "encrypted bucket, TLS",
        "encrypted volume",
        "as relational",
        "encrypted volume",
    ),
    "access control": ("roles; rows where shared", "by object", "by namespace", "as relational", "by namespace"),
    "audit trail": ("hash chain", "names are digests", "decision log", "hash chain", "as its source"),
    "retention": ("audit rows stay", "by policy", "the feature's window", "as the version", "as its source"),
    "right to deletion": (),
    "residency": ("one region", "bucket region", "one host", "as relational", "one region"),
}

_ACROSS = (
    (
        "Stale online features",
        "every answered row is added to the online store after it is durable; a look-up has an age limit",
    ),
    (
        "Cache invalidation",
        "a version's online store belongs to its feature program's digest, so another program never reads it",
    ),
    (
        "Consistency between stores",
        "objects are written first and named by digest; the relational row that names them commits last",
    ),
    (
        "Lineage over store borders",
        "one id walks from decision to version, features, data and run: `bluegold trace ID`",
    ),
)


def write(brief: Brief) -> Section:
    """Write the section."""
    say = brief.say
    blocks: list[Block] = [
        Paragraph(
            text=say(
                "A store is chosen for its workload, never by familiarity. Each kind stands behind a protocol, so an "
                "embedded store of a small installation becomes a server by changing one address in the plan."
            )
        ),
        Heading(text="Selection", anchor="s3-selection"),
        _selection(brief),
        Heading(text="Decisions of S3", anchor="s3-decisions"),
        brief.decided("S3"),
        Heading(text="Comparison of the five kinds", anchor="s3-comparison"),
        comparison(brief),
        Heading(text="Across store borders", anchor="s3-across"),
        Table(
            caption="What crosses store borders",
            head=("Question", "Answer", "Evidence"),
            rows=tuple((f"**{q}**", a, _across(brief, number)) for number, (q, a) in enumerate(_ACROSS)),
        ),
        Heading(text="Compliance by kind", anchor="s3-compliance"),
        _compliance(brief),
    ]
    return Section(anchor="s3", label="S3", title="Data stores", blocks=tuple(blocks))


def chosen(brief: Brief, kind: Kind) -> str:
    """What is decided for a kind of store; empty when the system does without it."""
    value = brief.decision(kind).decision.choice
    return "" if value in {"", "none"} else value


def shown_store(value: str) -> str:
    """A store as the document may show it: never credentials.

    Example:
        >>> shown_store("postgresql://me:secret@db/x"), shown_store("lmdb")
        ('postgresql', 'lmdb')
    """
    return value.split("://", 1)[0]


def _selection(brief: Brief) -> Table:
    plan = brief.facts.plan
    rows = []
    for kind, profile in PROFILES.items():
        value = chosen(brief, kind)
        why = plan.why.get(kind, "")
        mark = brief.ground(brief.decision(kind))
        if why:
            mark += " " + brief.plan(f"why.{kind}", f"why {kind.replace('_', '-')}: {why}")
        rows.append(
            (
                f"**{kind.replace('_', '-')}**",
                brief.say(value) if value else "not used",
                _work(brief, kind, why, value),
                profile.consistency,
                profile.latency,
                brief.say(why or brief.decision(kind).decision.because) if value else "-",
                mark,
            )
        )
    return Table(
        caption="Store selection",
        head=("Kind", "Choice", "Workload here", "Consistency", "Latency class", "Because", "Evidence"),
        rows=tuple(rows),
    )


def _work(brief: Brief, kind: Kind, why: str, value: str) -> str:
    """The workload of a kind of store here: what the architecture puts there, and what is there today."""
    as_is = brief.facts.as_is
    today = [
        f"{held.technology}: {', '.join(brief.say(one) for one in held.holds)} "
        + brief.cites.cite(held.places[0].cited, f"{held.technology} in use")
        for held in (as_is.stores if as_is else ())
        if held.kind == kind and held.holds
    ]
    said = brief.say("Today:") + f" {'; '.join(today)}" if today else ""
    if value:
        return f"{brief.say(WORKLOADS[kind])}. {said}".strip()
    return f"{brief.say('no workload:')} {why or brief.say(brief.decision(kind).decision.because)}. {said}".strip()


def comparison(brief: Brief) -> Table:
    """The method's comparison matrix of store kinds."""
    mark = brief.cites.cite(module_place("bluegold.stores.matrix", "PROFILES"), "comparison of store kinds")
    rows = tuple(
        (f"**{factor}**", *(profile.grades[number] for profile in PROFILES.values()))
        for number, factor in enumerate(FACTORS)
    )
    kinds = tuple(kind.replace("_", "-") for kind in PROFILES)
    technologies = tuple(", ".join(profile.technologies) for profile in PROFILES.values())
    return Table(
        caption=f"Store comparison {mark}", head=("Factor", *kinds), rows=(*rows, ("**technologies**", *technologies))
    )


def _across(brief: Brief, number: int) -> str:
    places = (
        ("bluegold.production.remembering", ""),
        ("bluegold.features.materialise", ""),
        ("bluegold.registry.versions", "Versions"),
        ("bluegold.stores.graph_relational", "GraphRelational"),
    )
    module, symbol = places[number]
    return brief.cites.cite(module_place(module, symbol), _ACROSS[number][0])


def _compliance(brief: Brief) -> Table:
    rows = []
    for factor in COMPLIANCE:
        cells = _COMPLIANCE.get(factor) or tuple(profile.deletion for profile in PROFILES.values())
        rows.append((f"**{factor}**", *cells))
    mark = brief.cites.cite(module_place("bluegold.stores.matrix", "COMPLIANCE"), "what each kind has to answer for")
    return Table(
        caption=f"What is asked of each kind {mark}",
        head=("Concern", *(kind.replace("_", "-") for kind in PROFILES)),
        rows=tuple(rows),
    )
