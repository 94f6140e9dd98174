"""The brief: what a section writer has at hand — facts, decisions, citations and the reader's language."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bluegold.core.nouns import Decision, GateReport, ModelVersion, Section
from bluegold.design.blocks import Table
from bluegold.design.citations import Citations, Tag
from bluegold.design.decide import Decided
from bluegold.design.facts import Facts
from bluegold.requirements.checklist import Row, shown_value

__all__ = ["Brief"]


_TAGS: dict[str, Tag] = {"explicit": "explicit", "detected": "inferred", "rule": "inferred", "default": "inferred"}
_HOW = {"explicit": "stated", "detected": "in use already", "rule": "by rule", "default": "by default"}


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """Given to every section.  ``say`` translates a fixed sentence and fills its ``{places}``."""

    facts: Facts
    decisions: tuple[Decided, ...]
    cites: Citations
    say: Callable[..., str]
    executive: bool = False

    @property
    def needs_input(self) -> str:
        """How missing input is written."""
        return self.say("Needs input")

    def plan(self, key: str, summary: str) -> str:
        """Cite a statement of the plan; a default that nobody wrote is cited as inferred."""
        place = self.facts.plan_places.get(key)
        if place:
            return self.cites.cite(place, summary)
        return self.cites.cite(f"core/plan.py default of {key}", summary, "inferred")

    def definition(self, key: str, summary: str) -> str:
        """Cite a statement of ``pipeline.py``; where its line cannot be told, the system's own line."""
        place = self.facts.places.get(key) or self.facts.places.get("system")
        if place:
            return self.cites.cite(place, summary)
        return self.cites.cite("pipeline.py", summary, "open")

    def code(self, key: str, otherwise: object) -> str:
        """How a part of the definition was written, as one line of code."""
        flat = " ".join(self.facts.texts.get(key, str(otherwise)).replace("`", "'").split())
        return flat if len(flat) <= 160 else flat[:159] + "…"

    def version(self, version: ModelVersion) -> str:
        """Cite a registered version."""
        return self.cites.cite(
            f"registry: version {version.ref} sha256:{version.digest[:12]}",
            f"registered by {version.author}, stage {version.stage}",
        )

    def report(self, report: GateReport) -> str:
        """Cite a gate report."""
        return self.cites.cite(
            f"registry: gate report {report.gate} of {report.candidate}", f"{report.verdict}: {report.reason}"
        )

    def measured(self, row: Row) -> str:
        """Cite a ledger entry, or nothing when there is none."""
        if row.evidence is None:
            return ""
        value = shown_value(row.requirement, row.evidence.value)
        return self.cites.cite(
            f"evidence.jsonl:{row.line}", f"{row.requirement.id} = {value}, {row.evidence.samples:,} samples"
        )

    def row(self, identifier: str) -> Row:
        """The checklist row of one requirement."""
        return next(row for row in self.facts.rows if row.requirement.id == identifier)

    def shown(self, identifier: str) -> str:
        """A measured value with its evidence, or that it needs instrumentation."""
        row = self.row(identifier)
        if row.evidence is None:
            return "{{needs instrumentation}}"
        if row.evidence.value is None:
            return f"{{{{{row.verdict}}}}}"
        return f"{shown_value(row.requirement, row.evidence.value)} {self.measured(row)}"

    def decision(self, identifier: str) -> Decided:
        """One decision."""
        return next(item for item in self.decisions if item.id == identifier)

    def ground(self, item: Decided) -> str:
        """Cite what a decision rests on: a place in plan or code, the facts of a rule, or the method's default."""
        made = item.decision
        marks = [self.cites.cite(f"decision: {item.id}", item.option, _TAGS[item.how])]
        if item.how in {"explicit", "detected"} and item.place:
            marks.append(self.cites.cite(item.place, f"{made.question} {made.choice}"))
        elif item.how == "rule":
            marks += [self.cites.cite(fact.place, fact.says) for fact in item.rests_on if fact.place]
            marks.append(self.cites.cite("bluegold/design/rules.toml", "rules over workload facts", "inferred"))
        else:
            marks.append(self.cites.cite("bluegold/design/options.toml", "defaults of the method's matrix", "inferred"))
        return " ".join(dict.fromkeys(marks))

    def decided(self, *sections: Section) -> Table:
        """The decisions of some sections with their trade-off and where they come from."""
        rows = []
        for item in self.decisions:
            made = item.decision
            if made.section not in sections:
                continue
            others = [self.say(option) for option in made.options if option != item.option]
            rows.append(
                (
                    f"**{self.say(made.question)}** {self.say('Or:')} {'; '.join(others)}",
                    f"{self.say(made.choice)} {{{{{_TAGS[item.how]}}}}} {self.say(_HOW[item.how])} {self.ground(item)}",
                    self.say(made.because),
                    self._tradeoff(made),
                    self.say(item.changes),
                )
            )
        return Table(
            caption="Decisions",
            head=("Decision", "Choice", "Because", "Trade-off", "Would change with"),
            rows=tuple(rows),
            wide=(2,),
        )

    def _tradeoff(self, made: Decision) -> str:
        gained = f"**{self.say('Enables:')}** {self.say(made.enables)}."
        return f"{gained} **{self.say('Constrains:')}** {self.say(made.constrains)}."
