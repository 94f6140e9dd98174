"""S1: the development pipeline, from data to a registered version."""

from __future__ import annotations

import datetime as dt

import msgspec

from bluegold.core.nouns import Port, StageContract
from bluegold.design.blocks import Block, Bullets, Callout, Diagram, Heading, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.diagrams import CLASSES, label
from bluegold.design.facts import StageFact
from bluegold.features.fields import FieldSpec
from bluegold.features.system import Feature, History, Lookup, ModelChoice, System

__all__ = ["stage_table", "write"]

Cells = tuple[str, str, str, str]

_STOPS = next(f.default for f in msgspec.structs.fields(StageContract) if f.name == "on_failure")
_MEASURES = (
    ("accuracy", "Accuracy", "AP-7"),
    ("majority_class", "Majority class", ""),
    ("balanced_accuracy", "Balanced accuracy", ""),
    ("auc", "AUC", "AP-8"),
    ("skill", "Error saved against the naive answer", ""),
    ("r2", "R2", ""),
    ("coverage", "Coverage of the 80 % interval", ""),
    ("calibration_error", "Calibration error", ""),
    ("fairness_parity", "Fairness, % parity", "AP-11"),
    ("explainability", "Explainability", "AP-12"),
    ("robustness_change", "Robustness, % change", "AP-13"),
    ("n", "Hold-out rows", ""),
)


def write(brief: Brief) -> Section:
    """Write the section."""
    say = brief.say
    blocks: list[Block] = [
        Paragraph(
            text=say(
                "One run turns source data into one registered, signed version. Data quality is its first gate, not "
                "its last test. Stages are content-addressed: one that has the same inputs, code and parameters is "
                "not run again, and a run that was killed goes on where it stood."
            )
        ),
        _diagram(brief),
        stage_table(brief, "Stages of the development pipeline", brief.facts.development),
    ]
    if not brief.executive:
        blocks += _definition(brief)
    blocks += _results(brief)
    if not brief.executive:
        blocks += [Heading(text="Decisions of S1", anchor="s1-decisions"), brief.decided("S1")]
    return Section(anchor="s1", label="S1", title="Development pipeline", blocks=tuple(blocks))


def _diagram(brief: Brief) -> Diagram:
    system = brief.facts.system
    lookups = tuple(dict.fromkeys(lookup.table for lookup in system.lookups)) if system else ()
    source = label("<br/>".join(("source rows", *lookups)))
    text = f"""flowchart TB
  subgraph UP["data to model"]
    direction LR
    src[("{source}")]:::store --> a["1 Data quality<br/>checks"]:::stage --> b["2 Data<br/>transforms"]:::stage
    b --> c["3 Data<br/>summary"]:::stage --> d["4 Model<br/>building"]:::stage
  end
  subgraph DOWN["model to version"]
    direction LR
    e["5 Model<br/>tuning"]:::stage --> f["6 Model<br/>verification"]:::stage
    f --> g["7 Code<br/>commit"]:::stage --> h["8 CI/CD"]:::stage --> reg[("Registry<br/>signed version")]:::store
  end
  d --> e
  a -.-> q["quarantine<br/>rows with reasons"]:::bad
{CLASSES}"""
    return Diagram(
        name="development-pipeline",
        caption="Development pipeline",
        alt="Source data passes eight stages, from data quality checks to CI/CD, and ends as a signed version in the "
        "registry; refused rows go to quarantine with their reasons.",
        source=text,
    )


def stage_table(brief: Brief, caption: str, stages: tuple[StageFact, ...]) -> Table:
    """The stages of one pipeline with ports, gate and failure answer; checks of one stage share its number."""
    titles = list(dict.fromkeys(stage.title for stage in stages))
    rows: list[tuple[str, ...]] = []
    for stage in stages:
        contract = stage.contract
        part = contract.name.rpartition("/")[2].replace("_", " ")
        several = sum(other.title == stage.title for other in stages) > 1
        name = f"**{titles.index(stage.title) + 1} {stage.title}**" + (f": {part}" if several else "")
        mark = brief.cites.cite(stage.place, f"contract of {contract.name}")
        if brief.executive:
            rows.append((name, f"{contract.purpose} {mark}", contract.gate))
            continue
        rows.append(
            (
                name,
                f"{contract.purpose} {mark}",
                _ports(contract.inputs),
                _ports(contract.outputs),
                contract.gate,
                "stops, can be resumed" if contract.on_failure == _STOPS else contract.on_failure,
            )
        )
    head = (
        ("Stage", "Does", "Gate") if brief.executive else ("Stage", "Does", "Inputs", "Outputs", "Gate", "On failure")
    )
    return Table(caption=caption, head=head, rows=tuple(rows), wide=(1, 2) if brief.executive else (1, 4))


def _ports(ports: tuple[Port, ...]) -> str:
    return ", ".join(f"`{port.name}`" for port in ports)


def _definition(brief: Brief) -> list[Block]:
    system, say = brief.facts.system, brief.say
    if system is None:
        return [
            Callout(
                kind="warn",
                text=f"[{brief.needs_input}: "
                + say("a definition (pipeline.py) with contract, features, target and models")
                + "] "
                + brief.cites.cite("pipeline.py", "the definition of the system is not written yet", "open"),
            )
        ]
    contract = system.contract
    fields: tuple[tuple[str, ...], ...] = tuple(
        (f"`{field.name}`", _kind(field), _limits(field), _policy(field), field.description or "-", _mark(brief, field))
        for field in contract.fields
    )
    blocks: list[Block] = [
        Heading(text="Data contract", anchor="s1-contract"),
        Paragraph(
            text=f"**{contract.name}**: {contract.description} {brief.definition('contract', 'the contract')} "
            + say(
                "The same contract cleans training data, batches and every single request. A column that is not in "
                "it can never become a feature, so what is only known afterwards cannot leak in."
            )
        ),
        Table(
            caption="Fields of the contract",
            head=("Field", "Kind", "Limits", "What breaks them", "Meaning", "Evidence"),
            rows=fields,
        ),
    ]
    if contract.rules:
        blocks.append(
            Bullets(
                items=tuple(
                    f"`{rule.name}`: {rule.broken} {brief.definition('rules', 'rules across fields')}"
                    for rule in contract.rules
                )
            )
        )
    return [*blocks, *_features(brief)]


def _kind(field: FieldSpec) -> str:
    return "integer" if field.integer else field.kind


def _limits(field: FieldSpec) -> str:
    if field.levels:
        return ", ".join(field.levels[:8]) + (f" and {len(field.levels) - 8} more" if len(field.levels) > 8 else "")
    if field.kind == "category":
        return "levels learned from training data"
    if field.kind == "text":
        return f"at most {field.max_length} characters"
    low = "" if field.ge is None else f"{field.ge:g}"
    high = "" if field.le is None else f"{field.le:g}"
    unit = f" {field.unit}" if field.unit else ""
    return f"{low} to {high}{unit}".strip() if low or high else "-"


def _policy(field: FieldSpec) -> str:
    parts = []
    if field.kind == "category":
        parts.append(f"unknown: {field.unknown}")
    if field.kind == "number" and (field.ge is not None or field.le is not None):
        parts.append(f"outside: {field.outside}")
    return ", ".join((*parts, f"missing: {field.missing}"))


def _mark(brief: Brief, field: FieldSpec) -> str:
    stated = ", ".join(one for one in (_kind(field), _limits(field), _policy(field)) if one != "-")
    return brief.definition(f"field:{field.name}", f"field {field.name}: {stated}")


def _features(brief: Brief) -> list[Block]:
    system = brief.facts.system
    if system is None:
        return []
    rows = [_row(brief, item) for item in system.features]
    rows += [_history(brief, item) for item in system.histories]
    rows += [row for item in system.lookups for row in _lookup(brief, item)]
    return [
        Heading(text="Features, written once", anchor="s1-features"),
        Table(caption="Features", head=("Feature", "Kind", "Definition", "Evidence"), rows=tuple(rows)),
        Bullets(items=_choices(brief, system)),
    ]


def _row(brief: Brief, item: Feature) -> Cells:
    key = f"feature:{item.name}"
    code = brief.code(key, item.expression)
    said = f"used: {item.name}" if code == f'col("{item.name}")' else f"feature {item.name}: {code}"
    return f"`{item.name}`", "row", f"`{code}`", brief.definition(key, said)


def _history(brief: Brief, item: History) -> Cells:
    key, by, span = f"history:{item.name}", ", ".join(item.by), _span(item.window)
    code = brief.code(key, item.expression)
    said = brief.say("{what} of the same {by}, last {span}", what=f"`{code}`", by=by, span=span)
    return f"`{item.name}`", "history", said, brief.definition(key, f"history {item.name}: {code}, {by}, {span}")


def _lookup(brief: Brief, item: Lookup) -> list[Cells]:
    """One row a column."""
    say, by = brief.say, ", ".join(item.by)
    when, age = say("latest at or before the moment") if item.at else say("fixed"), ""
    if item.at and item.within:
        age = f", {_span(item.within)}"
        when = say("{when}, at most {age} old", when=when, age=_span(item.within))
    mark = brief.definition(f"lookup:{item.table}", f"look-up in {item.table}: {', '.join(item.columns)}, {by}{age}")
    said = say("`{table}` by {by}, {when}", table=item.table, by=by, when=when)
    return [(f"`{column}`", "look-up", said, mark) for column in item.columns]


def _choices(brief: Brief, system: System) -> tuple[str, ...]:
    """Candidates, target, split, protected attributes and the criterion of fairness."""
    say, code = brief.say, brief.code
    models = ", ".join(
        f"{model.family} {brief.definition(f'model:{model.family}', f'candidate {model.family}: {_choice(model)}')}"
        for model in system.models
    )
    protected = ", ".join(f"`{name}`" for name in system.protected) or say("none stated")
    target, split = code("system:target", system.target), code("system:split", "by chance")
    criterion = brief.facts.plan.fairness.criterion
    listed = ", ".join(system.protected) or "-"
    ensemble = brief.facts.plan.ensemble
    together: tuple[str, ...] = ()
    if ensemble is not None:
        weights = ensemble.weights if isinstance(ensemble.weights, str) else ", ".join(map(str, ensemble.weights))
        named = ", ".join(f"`{name}`" for name in ensemble.members)
        because = f" ({ensemble.reason})" if ensemble.reason else ""
        mark = brief.plan("ensemble", f"ensemble: {', '.join(ensemble.members)}, weights {weights}")
        together = (
            f"{say('Answer as one, by their weighted mean:')} {named}, {say('weights')} {weights}{because} {mark}",
        )
    return (
        *together,
        f"{say('Candidates:')} {models or '-'}",
        f"{say('Target:')} `{target}` " + brief.definition("system:target", f"target: {target}"),
        f"{say('Split:')} `{split}` " + brief.definition("system:split", f"how rows are divided: {split}"),
        f"{say('Protected attributes:')} {protected} "
        + brief.definition("system:protected", f"protected attributes: {listed}"),
        f"{say('Fairness is judged by')} {criterion.replace('_', ' ')} "
        + brief.plan("fairness", f"criterion of fairness: {criterion}"),
    )


def _choice(model: ModelChoice) -> str:
    """What is fixed and what is searched, in one line."""
    fixed = [f"{key} {value}" for key, value in model.params.items()]
    searched = [f"{key} {' or '.join(map(str, values))}" for key, values in model.search.items()]
    return ", ".join(fixed + searched) or "as it comes"


def _span(span: dt.timedelta) -> str:
    """A span of time in its largest whole unit.

    Example:
        >>> _span(dt.timedelta(hours=3)), _span(dt.timedelta(days=7))
        ('3 h', '7 d')
    """
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _results(brief: Brief) -> list[Block]:
    versions, say = brief.facts.history.versions, brief.say
    if not versions:
        text = say("No version is registered yet; 'bluegold develop' registers the first one.")
        mark = brief.cites.cite("registry: no version", "nothing is registered yet", "open")
        return [Callout(kind="note", text=f"[{brief.needs_input}] {text} {mark}")]
    head = ("Measure on the hold-out", *(f"{version.version}" for version in versions[-6:]), "Requirement")
    rows: list[tuple[str, ...]] = [
        ("Stage now", *(f"{{{{{version.stage}}}}} {brief.version(version)}" for version in versions[-6:]), "")
    ]
    for name, title, requirement in _MEASURES:
        if any(name in version.metrics for version in versions):
            row = brief.row(requirement).requirement if requirement else None
            limit = f"{requirement} {'≥' if row.direction == '>=' else '≤'} {row.threshold:g}" if row else "-"
            rows.append((title, *(_number(version.metrics.get(name)) for version in versions[-6:]), limit))
    return [
        Heading(text="What the versions measured", anchor="s1-results"),
        Table(
            caption="Registered versions on their hold-out",
            head=head,
            rows=tuple(rows),
            numeric=tuple(range(1, len(head) - 1)),
        ),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 and value == int(value) else f"{value:.4g}"
