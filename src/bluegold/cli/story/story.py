"""The story of the demo: one system from its first version to a caught failure, all of it real.

The rows are real flights of 2013, the servers real processes, the traffic real HTTP.  Nothing in the rooms below knows
that it is a demo.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bluegold.cli.story.beside import Beside
from bluegold.cli.story.drill import spoil
from bluegold.cli.story.replay import thinned, write_replay
from bluegold.cli.story.screen import Screen
from bluegold.cli.story.summary import Refusal, RolledBack, Summary, Traffic
from bluegold.cli.story.traffic import Replay, Totals
from bluegold.core.errors import DataError
from bluegold.core.nouns import ModelVersion
from bluegold.core.workspace import Workspace
from bluegold.delivery.controller import deliver
from bluegold.delivery.events import DeliveryEvent
from bluegold.development import develop
from bluegold.development.stage import StageEvent
from bluegold.features.loader import load_system
from bluegold.features.splits import Split, by_time
from bluegold.features.system import Data, System
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor
from bluegold.registry import Registry
from bluegold.registry.tables import Release

__all__ = ["Story", "examples"]

AUTHOR = "ada (ML engineer)"
OPERATOR = "release automation"
RATE = 350.0  # requests per second of live traffic
LIVE_FROM = dt.datetime(2013, 9, 1)  # noqa: DTZ001 - contract times are naive; from here on flights arrive over HTTP
COLD_F = 40.0  # below this temperature (degrees Fahrenheit) the drill's labels are exchanged


def examples(name: str) -> Path:
    """Where an example lies: in the installed package, or in the checkout beside it.

    Raises:
        DataError: neither is there.
    """
    package = Path(__file__).parents[2]
    for folder in (package / "examples" / name, package.parents[1] / "examples" / name):
        if (folder / "pipeline.py").is_file():
            return folder
    raise DataError(f"the example '{name}' is not installed", way_out="reinstall bluegold, or run from its checkout")


def split(validate: str, until: str, *, holdout_until: str = "2014-01-02") -> Split:
    """Train before ``validate``, choose until ``until``, judge from September on."""
    return by_time(validate_from=validate, validate_until=until, holdout_from="2013-09-01", holdout_until=holdout_until)


class Story:
    """The acts of the demo, in order; each leaves what it did in ``summary``.

    Args:
        workspace: where everything is kept.
        screen: where progress is shown.
        fast: work on every fourth flight.
    """

    def __init__(self, workspace: Workspace, screen: Screen, *, fast: bool) -> None:
        self.workspace = workspace
        self.screen = screen
        self.registry = Registry.open(workspace, actor=OPERATOR)
        self.summary = Summary(workspace=str(workspace.root))
        self.system = load_system(examples("flights"))
        self.scheduled = load_system(examples("flights-scheduled"))
        self.fast = fast
        self.totals = Totals()
        self._at: dict[str, Callable[[], None]] = {}  # phase -> what is done once when a release reaches it

    def run(self) -> Summary:
        """Tell it from the first flight to the document."""
        flights = self.system.load()
        data = self._subset(flights)
        with Beside(self._weak) as weak, Beside(lambda report: self._spoiled(data, report)) as spoiled:
            weak.start()
            self.screen.act(
                "A first version, flights of January to June: nobody to compare with, six gates all the same"
            )
            first = self._develop(self.system, split("2013-05-01", "2013-07-01"), data)
            self._deliver(self.system, first, None)
            self.screen.act("A second version of the same definition: flights to August")
            second = self._develop(self.system, split("2013-07-01", "2013-09-01"), data)
            with Supervisor(self.workspace, self.system.name, workers=2) as endpoint:
                self.screen.step(f"2 workers serve {first.ref} on {endpoint.url}")
                self._under_traffic(flights, endpoint, second, weak, spoiled)
        self._finish()
        return self.summary

    def _under_traffic(
        self,
        flights: Data,
        endpoint: Endpoint,
        second: ModelVersion,
        weak: Beside[ModelVersion],
        spoiled: Beside[ModelVersion],
    ) -> None:
        """The acts that need a server: the second version's delivery, two candidates that fail, and the proof."""
        self.screen.act("The second one goes through the whole delivery under live traffic")
        self._at = {"rehearsal": spoiled.start}
        with self._traffic(flights, endpoint, "2013-09-01", "2013-09-20"):
            self._deliver(self.system, second, endpoint)
        self.screen.act("An honest but weak candidate, developed meanwhile: known only at scheduled time")
        self._refused(self.scheduled, weak.result())
        self.screen.act("A drill, developed meanwhile: labels were mixed up wherever it was cold")
        self._drill(flights, spoiled.result(), endpoint)
        self.screen.act("Proof: requirements measured on this system")
        self._prove(endpoint, flights)

    def _subset(self, data: Data) -> Data:
        return thinned(data, 4) if self.fast else data

    def _develop(self, system: System, parts: Split, data: Data) -> ModelVersion:
        started = self.screen.elapsed
        version = self._developed(system, parts, data, self.registry, self._stage)
        self._tell(version, f"({self.screen.elapsed - started:.0f} s)")
        return version

    def _weak(self, report: Callable[[StageEvent], None]) -> ModelVersion:
        """The weak candidate, developed beside the first version."""
        usual = split("2013-07-01", "2013-09-01")
        with Registry.open(self.workspace, actor=OPERATOR) as registry:
            return self._developed(self.scheduled, usual, self._subset(self.scheduled.load()), registry, report)

    def _spoiled(self, data: Data, report: Callable[[StageEvent], None]) -> ModelVersion:
        """The drill's candidate, developed while the rollout of the second version waits for evidence."""
        warm = split("2013-07-01", "2013-09-01", holdout_until="2013-11-01")
        extract = spoil(self.system, data, table="weather", column="temp", limit=COLD_F, outcome="arr_delay")
        with Registry.open(self.workspace, actor=OPERATOR) as registry:
            return self._developed(self.system, warm, extract, registry, report)

    def _developed(
        self, system: System, parts: Split, data: Data, registry: Registry, on_event: Callable[[StageEvent], None]
    ) -> ModelVersion:
        return develop(
            system.with_split(parts),
            self.workspace,
            registry,
            author=AUTHOR,
            data=data,
            folder=examples("flights" if system is self.system else "flights-scheduled"),
            on_event=on_event,
            history_until=LIVE_FROM,
        )

    def _tell(self, version: ModelVersion, aside: str = "") -> None:
        figures = version.metrics
        told = f"{version.ref}: accuracy {figures['accuracy']:.4f}, AUC {figures['auc']:.4f} on later flights {aside}"
        self.screen.step(told.rstrip())
        self.summary.versions.append(version.ref)

    def _stage(self, event: StageEvent) -> None:
        if event.what in {"done", "reused"}:
            self.screen.note(f"stage {event.number}/{event.total} {event.stage}: {event.what} in {event.seconds:.1f} s")

    def _deliver(self, system: System, version: ModelVersion, endpoint: Endpoint | None) -> Release:
        release = deliver(
            version.ref,
            self.registry,
            self.workspace,
            system.plan,
            OPERATOR,
            on_event=self._event,
            endpoint=endpoint,
        )
        reports = self.registry.gates.reports(version.ref)
        self.summary.gates[version.ref] = {report.gate: report.verdict for report in reports}
        self.summary.measures[version.ref] = {m.name: m.value for report in reports for m in report.measures}
        return release

    def _event(self, event: DeliveryEvent) -> None:
        {"step": self.screen.step, "note": self.screen.note, "loud": self.screen.loud}[event.level](event.text)
        self._at.pop(event.phase, lambda: None)()
        if event.phase in {"shadow", "canary", "shift", "promoted", "rolled_back"} and event.level != "note":
            entry = {"phase": event.phase, "share": event.share, "at": event.at.isoformat(), "version": event.ref}
            if not self.summary.rollout or any(
                self.summary.rollout[-1][key] != entry[key] for key in ("phase", "share", "version")
            ):
                self.summary.rollout.append(entry)

    def _refused(self, system: System, version: ModelVersion) -> None:
        self._tell(version)
        self._deliver(system, version, None)
        for report in self.registry.gates.reports(version.ref):
            if report.verdict == "fail":
                missed = {m.name: m.value for m in report.measures if m.verdict == "fail"}
                self.summary.refused.append(Refusal(version=version.ref, gate=report.gate, measures=missed))

    def _drill(self, flights: Data, version: ModelVersion, endpoint: Endpoint) -> None:
        self.screen.note(
            f"outcomes where it was below {COLD_F:.0f} °F were exchanged among each other in its training data"
        )
        self._tell(version)
        with ExitStack() as mild, ExitStack() as cold:
            mild.enter_context(self._traffic(flights, endpoint, "2013-11-01", "2013-11-12"))

            def turn() -> None:
                mild.close()
                self.screen.note("the canary answers now, and it turns cold")
                cold.enter_context(self._traffic(flights, endpoint, "2013-12-08", "2013-12-20"))

            self._at = {"canary": turn}
            release = self._deliver(self.system, version, endpoint)
        if release.phase == "rolled_back":
            reason = str(release.detail.get("reason", ""))
            seconds = float(release.detail.get("seconds", 0.0))
            self.summary.rolled_back.append(RolledBack(version=version.ref, reason=reason, seconds=seconds))

    @contextmanager
    def _traffic(self, data: Data, endpoint: Endpoint, start: str, end: str) -> Iterator[None]:
        rows = self.workspace.run / f"replay-{start}.jsonl"
        moments = dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end)
        count = write_replay(self.system, data, rows, *moments)
        replay = Replay(endpoint.port, rows, rate=RATE)
        self.screen.note(f"live traffic: {count:,} flights from {start} on, {RATE:.0f} requests/s over HTTP")
        try:
            yield
        finally:
            totals = replay.stop()
            rows.unlink()
            self.totals = self.totals.plus(totals)
            self.screen.step(
                f"{totals.answered:,} requests answered, {totals.failed} failed; p99 {totals.p99_ms:.1f} ms, "
                f"{totals.gold:,} answered by Gold, {totals.labelled:,} outcomes came back"
            )

    def _prove(self, endpoint: Endpoint, flights: Data) -> None:
        from bluegold.probes.bench import Bench
        from bluegold.probes.table import prove

        found = prove(Bench(self.workspace, self.registry, self.system, endpoint, flights))
        measured = [one for one in found if one.value is not None]
        met = sum(one.verdict in {"objective", "threshold"} for one in measured)
        self.screen.step(f"{len(measured)} of {len(found)} requirements measured, {met} met; the others say so")

    def _finish(self) -> None:
        from bluegold.design.document import document
        from bluegold.production.results.decision_reader import DecisionReader

        paths = document(self.system, self.workspace, self.workspace.documents, fmt="dual")
        page = next((path for path in paths if path.suffix == ".html"), paths[0])
        production = self.registry.lifecycle.production(self.system.name)
        decisions = DecisionReader(self.workspace.decisions).verify()
        self.summary.audit_verified = self.registry.audit.verify().ok and decisions.ok
        self.summary.blue = production.ref if production else ""
        self.summary.document = str(page)
        self.summary.evidence = str(self.workspace.evidence)
        self.summary.requests = Traffic(sent=self.totals.sent, answered=self.totals.answered, failed=self.totals.failed)
        self.summary.latency_ms = {"p50": self.totals.p50_ms, "p99": self.totals.p99_ms}
        self.summary.seconds = round(self.screen.elapsed, 1)
        self.summary.write(self.workspace)
