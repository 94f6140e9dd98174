"""Work beside the story ends with it, and its failures are told."""

import threading
import time

import pytest

from bluegold.cli.story.beside import Beside
from bluegold.core.errors import DataError


def test_what_the_work_raises_is_raised_where_its_result_is_asked_for():
    def work(report):
        raise DataError("no rows", way_out="give some")

    with Beside(work) as beside:
        beside.start()
        with pytest.raises(DataError, match="no rows"):
            beside.result()


def test_leaving_by_an_error_ends_the_work_at_its_next_report():
    begun, ended = threading.Event(), []

    def work(report):
        for turn in range(1_000):
            begun.set()
            time.sleep(0.01)
            report(turn)
        ended.append("to the end")

    def left() -> None:
        with Beside(work) as beside:
            beside.start()
            assert begun.wait(60)
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        left()
    assert time.monotonic() - started < 60
    assert not ended


def test_work_begins_once():
    turns = []
    with Beside(turns.append) as beside:
        beside.start()
        beside.start()
        beside.result()
    assert len(turns) == 1
