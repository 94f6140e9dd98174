"""Logs are one line an event and hold no secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from bluegold.telemetry.log import Log, configure, redact


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    yield
    root = logging.getLogger("bluegold")
    root.handlers.clear()
    root.propagate = True
    root.setLevel(logging.NOTSET)


def test_json_lines_carry_the_fields() -> None:
    stream = io.StringIO()
    configure("info", style="json", stream=stream)
    log = Log("production.worker")
    log.debug("dropped")
    log.info("bundle loaded", ref="m:v1", milliseconds=3.5, path=object)
    log.error("failed", password="pw", url="https://ada:pw@host/x")  # noqa: S106 - what must be hidden
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["level"], first["part"], first["event"], first["ref"]) == (
        "info",
        "production.worker",
        "bundle loaded",
        "m:v1",
    )
    assert second["password"] == "[hidden]"  # noqa: S105 - the mark, no password
    assert "pw" not in stream.getvalue().replace("[hidden]", "")


def test_plain_lines_stay_one_line() -> None:
    stream = io.StringIO()
    configure("warning", stream=stream)
    Log("x").info("dropped")
    Log("x").warning("two\nlines", value="a\nb")
    assert stream.getvalue().count("\n") == 1


def test_secrets_are_hidden_at_any_depth() -> None:
    hidden = redact({"a": {"api_key": "s1", "list": ["postgresql://u:s2@h/d"]}, "Authorization": "s3", "passport": "p"})
    assert "s1" not in str(hidden)
    assert "s2" not in str(hidden)
    assert "s3" not in str(hidden)
    assert hidden["passport"] == "p"
