"""Structured logs: one line per event, as JSON or plain text, with secrets taken out."""

from __future__ import annotations

import datetime as dt
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import msgspec

__all__ = ["Log", "configure", "redact"]

_ROOT = "bluegold"
_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|api_?key|private|authorization|cookie|credential", re.IGNORECASE
)
_LOGIN = re.compile(r"(://[^/\s:@]*):[^@\s/]+@")
_HIDDEN = "[hidden]"


def redact(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without secrets: by name, and passwords inside URLs.

    Example:
        >>> redact({"token": "abc", "url": "postgresql://ada:pw@host/db", "rows": 3})
        {'token': '[hidden]', 'url': 'postgresql://ada:[hidden]@host/db', 'rows': 3}
    """
    return {name: _HIDDEN if _SECRET.search(name) else _clean(value) for name, value in fields.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _LOGIN.sub(rf"\1:{_HIDDEN}@", value)
    if isinstance(value, Mapping):
        return redact({str(name): item for name, item in value.items()})
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


class Log:
    """Writes events of one part of the system.

    Args:
        part: its name, for example ``production.worker``.

    Example:
        >>> configure("info", style="plain", stream=sys.stdout)
        >>> Log("registry").info("promoted", ref="flights:v2")
        20... INFO registry: promoted ref=flights:v2
        >>> Log("registry").debug("not shown at this level")
    """

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(f"{_ROOT}.{part}")

    def debug(self, event: str, **fields: Any) -> None:
        """What only somebody looking for a fault wants to see."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What happened."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What should be looked at."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What went wrong."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """A fault nobody expected, with the trace of the exception that is being handled."""
        self._write(logging.ERROR, event, {**fields, "trace": traceback.format_exc()})

    def critical(self, event: str, **fields: Any) -> None:
        """Why the process ends."""
        self._write(logging.CRITICAL, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": redact(fields)})


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    *,
    style: Literal["json", "plain"] = "plain",
    stream: TextIO | None = None,
) -> None:
    """Decide once per process what is logged, how and where; calling it again replaces the decision.

    Args:
        level: events below it are dropped.
        style: one JSON object a line, or text for people.
        stream: where to; standard error when not given.
    """
    root = logging.getLogger(_ROOT)
    for handler in list(root.handlers):
        root.removeHandler(handler)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(style))
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False


class _Formatter(logging.Formatter):
    def __init__(self, style: Literal["json", "plain"]) -> None:
        super().__init__()
        self._json = style == "json"

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        at = dt.datetime.fromtimestamp(record.created, dt.timezone.utc).isoformat(timespec="milliseconds")
        part = record.name.removeprefix(f"{_ROOT}.")
        if self._json:
            line = {"at": at, "level": record.levelname.lower(), "part": part, "event": record.getMessage(), **fields}
            return msgspec.json.encode(line, enc_hook=str).decode()
        words = "".join(f" {name}={value}" for name, value in fields.items())
        return " ".join(f"{at} {record.levelname} {part}: {record.getMessage()}{words}".splitlines())
