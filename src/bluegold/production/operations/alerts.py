"""Alerts: what somebody should know, by severity, said once while it lasts, and said when it is over.

They are lines of ``run/alerts.jsonl`` and of the log, and go to a webhook when one is configured.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal

import msgspec

from bluegold.telemetry.log import Log

__all__ = ["Alert", "Alerts", "Severity"]

_LOG = Log("alerts")

Severity = Literal["info", "warning", "critical"]
REPEAT_S = 900.0
TIMEOUT_S = 2.0
MOST_BYTES = 8 * 1024 * 1024


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert.  ``about`` names the condition; ``state`` is raised, goes on (again after a while) or is over.

    ``at`` is seconds since 1970; ``times`` says how often the condition was found since it was raised.
    """

    at: float
    severity: Severity
    about: str
    text: str
    state: Literal["raised", "lasting", "over"]
    times: int = 1


class Alerts:
    """Says what is found, without repeating itself.

    Args:
        file: where alerts are appended; at 8 MiB the older half is kept as ``.1``.
        webhook: URL that gets each alert as a JSON POST; empty for none.
        repeat: seconds after which a lasting condition is said again.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "alerts.jsonl"
        >>> alerts = Alerts(file)
        >>> for _ in range(3):
        ...     alerts.found("disk", "critical", "the disk is full", at=1.0)
        >>> alerts.over("disk", at=2.0)
        >>> [(one.state, one.times) for one in alerts.read()]
        [('raised', 1), ('over', 3)]
    """

    def __init__(self, file: Path, webhook: str = "", repeat: float = REPEAT_S) -> None:
        self._file = file
        self._webhook = webhook
        self._repeat = repeat
        self._lasting: dict[str, tuple[Alert, int]] = {}

    def found(self, about: str, severity: Severity, text: str, at: float | None = None) -> None:
        """Say that a condition holds, unless it was said already."""
        moment = time.time() if at is None else at
        said, times = self._lasting.get(about, (None, 0))
        if said is not None and said.severity == severity and moment - said.at < self._repeat:
            self._lasting[about] = (said, times + 1)
            return
        state: Literal["raised", "lasting"] = "lasting" if said else "raised"
        alert = Alert(at=moment, severity=severity, about=about, text=text, state=state, times=times + 1)
        self._lasting[about] = (alert, times + 1)
        self._say(alert)

    def over(self, about: str, at: float | None = None) -> None:
        """Say that a condition does not hold any more, if it was said that it does."""
        said, times = self._lasting.pop(about, (None, 0))
        if said is not None:
            moment = time.time() if at is None else at
            self._say(msgspec.structs.replace(said, at=moment, state="over", times=times, severity="info"))

    def check(self, about: str, severity: Severity, text: str) -> None:
        """Say it when there is a text, else that it is over."""
        if text:
            self.found(about, severity, text)
        else:
            self.over(about)

    def read(self) -> list[Alert]:
        """What was said, oldest first."""
        if not self._file.exists():
            return []
        return [msgspec.json.decode(line, type=Alert) for line in self._file.read_bytes().splitlines()]

    def _say(self, alert: Alert) -> None:
        body = msgspec.json.encode(alert)
        write = {"info": _LOG.info, "warning": _LOG.warning, "critical": _LOG.error}[alert.severity]
        write(f"{alert.about}: {alert.text}", state=alert.state, times=alert.times)
        try:
            if self._file.exists() and self._file.stat().st_size > MOST_BYTES:
                self._file.replace(self._file.with_suffix(".1"))
            with self._file.open("ab") as file:
                file.write(body + b"\n")
        except OSError as error:  # the disk may be what the alert is about
            _LOG.error("the alert could not be kept", because=str(error))
        if self._webhook:
            self._send(body)

    def _send(self, body: bytes) -> None:
        if not self._webhook.startswith(("http://", "https://")):
            _LOG.error("the webhook is no http address", webhook=self._webhook)
            return
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._webhook, body, {"content-type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310 - the scheme was checked
                pass
        except (OSError, urllib.error.URLError, http.client.HTTPException, ValueError) as error:
            _LOG.error("the webhook did not take the alert", because=str(error))
