"""S2: the production pipeline, from a request to a recorded result and its telemetry."""

from __future__ import annotations

from bluegold.design.blocks import Block, Bullets, Diagram, Heading, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.diagrams import CLASSES, label
from bluegold.design.places import module_place
from bluegold.design.sections.s1_development import stage_table
from bluegold.design.sections.s3_stores import chosen
from bluegold.production.operations.modes import TRANSITIONS

__all__ = ["write"]

_MODES = {
    "configuring": "starting; nothing is known yet",
    "learning": "no version is in production yet",
    "updating": "the configuration changes between two requests",
    "executing": "Blue answers alone",
    "shadow": "Gold listens, Blue answers",
    "monitoring": "Gold answers a share and is watched",
    "degraded": "the last good configuration answers because the wanted one cannot be had",
}

_SIGNALS = (
    (
        "Data Cleansing",
        "refused requests counted, flags kept with each decision",
        "bluegold.features.row",
        "RowProgram",
    ),
    (
        "Data Transformation",
        "feature values with every decision, the version's profile beside them; live drift: NF-8",
        "bluegold.features.profile",
        "Profile",
    ),
    (
        "Model Execution",
        "latency histogram, score of both colours, Gold errors",
        "bluegold.production.execution",
        "execute",
    ),
    (
        "Results Store",
        "records written, flush failures, chain verification",
        "bluegold.production.results.decision_log",
        "DecisionLog",
    ),
    (
        "Pipeline Operations",
        "pulse of each worker, restarts, known answers right and wrong",
        "bluegold.production.operations.board",
        "Cell",
    ),
    (
        "Dev Ops / CD CI",
        "traffic revision applied by each worker, system mode",
        "bluegold.production.operations.modes",
        "TRANSITIONS",
    ),
)


def write(brief: Brief) -> Section:
    """Write the section."""
    say = brief.say
    blocks: list[Block] = [
        Paragraph(
            text=say(
                "A request becomes an answer in one function: decode, cleanse, features, route, execute, record, "
                "answer. The record is on disk before the answer leaves; what is not recorded was not decided. The "
                "model is a black box that is replaced as a whole and never updated in place."
            )
            + " "
            + brief.cites.cite(module_place("bluegold.production.flow", "predict"), "the whole path of a request")
        ),
        _diagram(brief),
        stage_table(brief, "Stages of the production pipeline", brief.facts.production),
    ]
    if not brief.executive:
        blocks += [
            Heading(text="Monitoring, stage by stage", anchor="s2-monitoring"),
            _monitoring(brief),
            Heading(text="System modes", anchor="s2-modes"),
            _modes(brief),
        ]
    blocks += [Heading(text="Service level, measured", anchor="s2-level"), _level(brief)]
    if not brief.executive:
        blocks += [Heading(text="Decisions of S2", anchor="s2-decisions"), brief.decided("S2")]
    return Section(anchor="s2", label="S2", title="Production pipeline", blocks=tuple(blocks))


def _diagram(brief: Brief) -> Diagram:
    traffic = brief.facts.history.traffic
    now = traffic[-1] if traffic else None
    blue = label(f"Blue<br/>{now.blue.rpartition(':')[2]}") if now else "Blue"
    gold = label(f"Gold<br/>{now.gold.rpartition(':')[2]}") if now and now.gold else "Gold<br/>when released"
    text = f"""flowchart LR
  client(["Client"]):::outside --> a["1 Data<br/>cleansing"]:::stage
  a --> b["2 Data<br/>transformation"]:::stage
  online[("Online features<br/>{label(chosen(brief, "key_value") or "none")}")]:::store --> b
  b --> route{{"route<br/>by hash"}}:::gate
  subgraph EX["3 Model execution"]
    blue["{blue}"]:::blue
    gold["{gold}"]:::gold
  end
  route --> blue
  route -.-> gold
  blue --> log[("4 Results store<br/>durable first")]:::store
  gold -.-> log
  log --> answer(["Answer"]):::outside
  log --> ops["5 Pipeline<br/>operations"]:::stage
  ops --> dev["6 Dev Ops"]:::stage
  registry[("Registry<br/>traffic split")]:::store --> dev
{CLASSES}"""
    return Diagram(
        name="production-pipeline",
        caption="Production pipeline",
        alt="A client's request is cleansed, turned into features with the online store, routed by hash to Blue or "
        "Gold, recorded durably in the results store and then answered; operations watch the record and follow the "
        "registry's traffic split.",
        source=text,
    )


def _monitoring(brief: Brief) -> Table:
    rows = tuple(
        (
            f"**{stage}**",
            _signals(brief, signals),
            brief.cites.cite(module_place(module, symbol), f"signals of {stage}"),
        )
        for stage, signals, module, symbol in _SIGNALS
    )
    return Table(caption="What is watched in each stage", head=("Stage", "Signals", "Evidence"), rows=rows)


def _signals(brief: Brief, signals: str) -> str:
    """The signals of a stage; one that no probe has seen working says so."""
    missing = "NF-8" in signals and brief.row("NF-8").evidence is None
    return f"{signals} {{{{needs instrumentation}}}}" if missing else signals


def _modes(brief: Brief) -> Table:
    mark = brief.cites.cite(module_place("bluegold.production.operations.modes", "TRANSITIONS"), "the table of modes")
    rows = tuple(
        (f"`{mode}`", _MODES[mode], ", ".join(f"`{name}`" for name in after), mark)
        for mode, after in TRANSITIONS.items()
    )
    return Table(caption="System modes, enforced", head=("Mode", "Means", "May become", "Evidence"), rows=rows)


def _level(brief: Brief) -> Bullets:
    plan, say = brief.facts.plan, brief.say
    need = plan.latency_need or f"[{brief.needs_input}: {say('how long may an answer take, and why')}]"
    items = [
        f"**{say('Latency need:')}** {need} {brief.plan('latency_need', 'latency need')}",
        f"**{say('Model execution (AP-3):')}** {brief.shown('AP-3')}",
        f"**{say('Durable decisions (AP-6):')}** {brief.shown('AP-6')}",
        f"**{say('Fault detected (NF-5):')}** {brief.shown('NF-5')}",
        f"**{say('Capacity restored (NF-2):')}** {brief.shown('NF-2')}",
        f"**{say('Safe configuration (AP-10):')}** {brief.shown('AP-10')}",
    ]
    return Bullets(items=tuple(items))
