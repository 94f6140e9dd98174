"""The drift watch: a process beside the workers that reads what they recorded, and alerts when the world has changed
or a caller seems to copy the model.

Each version is watched by the profile that was registered with it.  It begins behind what was recorded before it
started, and works at low priority: it may be late, the answers may not.

``python -m bluegold.production.drift_watch CONFIG`` is started by the supervisor.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from functools import partial

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.features.profile import Profile
from bluegold.production.drift_monitor import DriftAlert, DriftMonitor, Watched
from bluegold.production.extraction_monitor import ExtractionMonitor, reference
from bluegold.production.operations.alerts import Alerts
from bluegold.production.operations.board import Board
from bluegold.production.operations.pulse import followed
from bluegold.production.operations.reader_config import ReaderConfig
from bluegold.production.reaching import Reached
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.registry.bundle import DecisionFile, Versioned
from bluegold.security.identities import Identities
from bluegold.telemetry.log import Log, configure

__all__ = ["DriftWatch", "main", "watched"]

_LOG = Log("drift")
NICE = 10


def watched(source: Versioned, ref: str) -> Watched:
    """What a version is watched by, as it was registered; one without profile is watched by its errors alone.

    Raises:
        BluegoldError: it cannot be read.
    """
    rule = DecisionFile.load(source.versions.artefact(ref, "decision.json")).rule
    kept = source.versions.verified(ref).artefacts
    profile = Profile.from_json(source.versions.artefact(ref, "profile.json")) if "profile.json" in kept else None
    return Watched(profile=profile, rule=rule)


class DriftWatch:
    """One round after the other.

    Args:
        workspace: whose decisions are watched.
        source: where versions are read.
        alerts: where alerts go.
    """

    def __init__(self, workspace: Workspace, source: Versioned, alerts: Alerts) -> None:
        self._source = source
        self._alerts = alerts
        self._known: dict[str, Watched] = {}
        self._lasting: set[tuple[str, str]] = set()
        start = DecisionReader(workspace.decisions).end()
        self._monitor = DriftMonitor(workspace, self._watched, start=start)

    def round(self) -> tuple[DriftAlert, ...]:
        """Look once; what has changed is alerted, and what is as in training again is over."""
        try:
            found = self._monitor.look()
        except (BluegoldError, msgspec.MsgspecError, OSError) as error:
            self._alerts.found("drift watch", "warning", f"decisions are not watched for drift: {error}")
            return ()
        self._alerts.over("drift watch")
        for alert in found:
            self._alerts.found(_about(alert.version, alert.subject), "warning", _text(alert))
        beyond = self._monitor.beyond
        for version, subject in self._lasting - beyond:
            self._alerts.over(_about(version, subject))
        self._lasting = set(beyond)
        return found

    def _watched(self, ref: str) -> Watched:
        if ref not in self._known:
            self._known[ref] = watched(self._source, ref)
        return self._known[ref]


def _about(version: str, subject: str) -> str:
    return f"drift of {subject} in {version}"


def _text(alert: DriftAlert) -> str:
    if alert.kind == "errors":
        return f"its error rate went from {alert.limit:.3g} to {alert.value:.3g}, seen at decision {alert.decision}"
    return f"stability index {alert.value:.3g}, limit {alert.limit:.3g}, seen at decision {alert.decision}"


def _look(extraction: ExtractionMonitor, alerts: Alerts) -> None:
    """Look for callers who copy the model."""
    try:
        extraction.look()
    except (BluegoldError, msgspec.MsgspecError, OSError) as error:
        alerts.found("extraction watch", "warning", f"decisions are not watched for extraction: {error}")
        return
    alerts.over("extraction watch")


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process."""
    [told] = sys.argv[1:] if argv is None else argv
    config = ReaderConfig.read(told)
    configure("info")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.suppress(OSError):
        os.nice(NICE)
    space = Workspace(config.workspace)
    led = followed(Board(config.board))
    try:
        with contextlib.closing(Reached(space, "automatic:drift")) as reached:
            alerts = Alerts(space.run / "alerts.jsonl", settings().webhook)
            watch = DriftWatch(space, reached, alerts)
            extraction = ExtractionMonitor(
                space,
                partial(reference, reached),
                alerts,
                keyed=lambda: Identities.open(space).active,
                start=DecisionReader(space.decisions).end(),
            )
            _LOG.info("watching for drift", every=config.every)
            while led() and not ended.is_set():
                watch.round()
                _look(extraction, alerts)
                ended.wait(config.every)
    except (BluegoldError, OSError) as error:
        _LOG.critical(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
