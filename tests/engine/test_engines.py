"""Laws that hold for every engine, and what only one of them can do."""

from __future__ import annotations

import os
import threading
import time

import pytest

from bluegold.core.errors import DataError, StageError
from bluegold.engine import Engine, Limits, LocalEngine, SubprocessEngine

ENGINES: tuple[Engine, ...] = (LocalEngine(), SubprocessEngine())


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
class TestEveryEngine:
    def test_returns_what_the_task_returns(self, engine: Engine) -> None:
        assert engine.run(divmod, 17, 5) == (3, 2)

    def test_stops_work_that_takes_too_long(self, engine: Engine) -> None:
        started = time.monotonic()
        with pytest.raises(StageError, match=r"did not end within 0\.3 s"):
            engine.run(time.sleep, 30, limits=Limits(timeout_s=0.3))
        assert time.monotonic() - started < 25, "it was waited for to its end"

    def test_passes_a_failure_on(self, engine: Engine) -> None:
        with pytest.raises((ZeroDivisionError, StageError), match="zero"):
            engine.run(divmod, 1, 0)


def test_local_tries_again_after_a_passing_failure_but_never_after_a_refusal() -> None:
    calls: list[str] = []

    def flaky() -> str:
        calls.append("flaky")
        if len(calls) < 3:
            raise OSError("not yet")
        return "done"

    assert LocalEngine().run(flaky, limits=Limits(retries=2)) == "done"
    assert len(calls) == 3

    def refused() -> None:
        calls.append("refused")
        raise DataError("the file is empty")

    with pytest.raises(DataError, match="empty"):
        LocalEngine().run(refused, limits=Limits(retries=2))
    assert calls.count("refused") == 1


def test_local_reports_an_overrun_off_the_main_thread() -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            LocalEngine().run(time.sleep, 0.2, limits=Limits(timeout_s=0.05))
        except StageError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_subprocess_survives_the_death_of_its_child() -> None:
    with pytest.raises(StageError, match="died"):
        SubprocessEngine().run(os._exit, 9)
