"""The decision log against crashes, full disks, tampering and torn tails, with real processes and real files."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegold.core.errors import WorkspaceError
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.production.results.segments import Place, segment_path


def record(number: int = 0, payload: object = None) -> DecisionRecord:
    return DecisionRecord(
        at=number,
        model="m",
        version="v1",
        color="blue",
        value=True,
        score=number / 7,
        payload=payload,
        vector=[1.5, None],
    )


def write(root: Path, count: int, *, worker: int = 0, segment_bytes: int = 1 << 26) -> list[str]:
    async def run() -> list[str]:
        log = DecisionLog(root, worker, segment_bytes=segment_bytes)
        records = [record(number) for number in range(count)]
        for one in records:
            await log.write([one])
        log.close()
        return [one.id for one in records]

    return asyncio.run(run())


def test_records_are_appended_together_or_not_at_all(tmp_path: Path) -> None:
    async def run() -> list[str]:
        log = DecisionLog(tmp_path, 0)
        await log.write([first := record(1)])
        with pytest.raises(TypeError):
            await log.write([record(2), record(3, payload=object()), record(4)])
        await log.write(more := [record(5), record(6)])
        log.close()
        return [first.id, *(one.id for one in more)]

    ids = asyncio.run(run())
    reader = DecisionReader(tmp_path)
    assert reader.verify().ok
    found = [one for one in reader.tail({})[0] if isinstance(one, DecisionRecord)]
    assert [(one.id, one.at) for one in found] == list(zip(ids, (1, 5, 6), strict=True))


def test_every_decision_is_read_by_its_id(tmp_path: Path) -> None:
    ids = write(tmp_path, 50)
    reader = DecisionReader(tmp_path)
    assert len(set(ids)) == 50
    for number, name in enumerate(ids):
        found = reader.get(name)
        assert found is not None
        assert (found.at, found.score, found.id) == (number, number / 7, name)
    assert reader.get("0-1-1") is None
    assert reader.get("7-1-0") is None
    assert reader.get("../../x") is None


def test_many_writers_share_commits_and_keep_the_chain(tmp_path: Path) -> None:
    async def run() -> None:
        log = DecisionLog(tmp_path, 0, segment_bytes=20_000)

        async def producer(name: int) -> None:
            for number in range(20):
                await log.write([record(name * 100 + number), OutcomeRecord(id="0-1-0", value=1.0, at=1)])

        await asyncio.gather(*[producer(name) for name in range(32)])
        log.close()

    asyncio.run(run())
    reader = DecisionReader(tmp_path)
    found = list(reader.records())
    assert sorted(one.at for one in found if isinstance(one, DecisionRecord)) == sorted(
        name * 100 + number for name in range(32) for number in range(20)
    )
    assert len(list((tmp_path / "worker-0").iterdir())) > 3, "segments were meant to roll over"
    assert reader.verify().ok


def test_a_restarted_worker_goes_on_with_the_chain(tmp_path: Path) -> None:
    first = write(tmp_path, 3)
    second = write(tmp_path, 3)
    assert not set(first) & set(second)
    report = DecisionReader(tmp_path).verify()
    assert report.ok
    assert report.checked == 3 + 3 + 2


def test_the_tail_gives_each_record_once(tmp_path: Path) -> None:
    reader = DecisionReader(tmp_path)
    assert reader.tail() == ([], {})
    write(tmp_path, 5)
    found, positions = reader.tail()
    assert [one.at for one in found] == [0, 1, 2, 3, 4]
    write(tmp_path, 2, worker=1)
    found, positions = reader.tail(positions)
    assert [one.at for one in found] == [0, 1]
    assert reader.tail(positions)[0] == []
    assert positions == reader.end()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_changed_byte_anywhere_is_found_and_named(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("log")
    write(root, 6)
    write(root, 1)  # the segment that follows says how long the first one is
    path = segment_path(root, 0, 1)
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    report = DecisionReader(root).verify()
    assert not report.ok
    assert report.first_bad.startswith("worker-0/00000000")


@pytest.mark.parametrize("cut", range(1, 700, 13))
def test_a_torn_tail_is_forgiven_and_the_log_goes_on(tmp_path: Path, cut: int) -> None:
    ids = write(tmp_path, 4)
    path = segment_path(tmp_path, 0, 1)
    os.truncate(path, path.stat().st_size - cut)
    more = write(tmp_path, 2)
    reader = DecisionReader(tmp_path)
    assert reader.verify().ok
    assert all(reader.get(name) for name in more)
    assert reader.get(ids[0]) is not None


def test_a_removed_segment_is_found(tmp_path: Path) -> None:
    for _ in range(3):
        write(tmp_path, 2)
    segment_path(tmp_path, 0, 2).unlink()
    assert "000000003" in DecisionReader(tmp_path).verify().first_bad


def test_a_shortened_finished_segment_is_found(tmp_path: Path) -> None:
    write(tmp_path, 4)
    write(tmp_path, 1)
    path = segment_path(tmp_path, 0, 1)
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.rfind(b"\n", 0, -1) + 1])
    assert "missing" in DecisionReader(tmp_path).verify().first_bad


def test_nothing_is_acknowledged_when_the_file_cannot_grow(tmp_path: Path) -> None:
    """A file-size limit makes the write fail for real, in the middle of a line."""

    async def run() -> tuple[list[str], list[str]]:
        log = DecisionLog(tmp_path, 0)
        good = [record(number) for number in range(3)]
        await log.write(good)
        size = segment_path(tmp_path, 0, 1).stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500, hard))
        results = await asyncio.gather(*[log.write([record(9, "x" * 400)]) for _ in range(5)], return_exceptions=True)
        assert all(isinstance(one, WorkspaceError) for one in results), results
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        after = [record(number) for number in range(2)]
        await log.write(after)
        log.close()
        return [one.id for one in good], [one.id for one in after]

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        good, after = asyncio.run(run())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    reader = DecisionReader(tmp_path)
    assert reader.verify().ok
    assert all(reader.get(name) for name in good + after)
    assert [one.at for one in reader.records()] == [0, 1, 2, 0, 1]


def test_an_unusable_folder_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "worker-0").write_text("in the way")
    with pytest.raises(WorkspaceError, match="decisions cannot be kept"):
        DecisionLog(tmp_path, 0)


WRITER = """
import asyncio, sys
from pathlib import Path
from bluegold.production.results.decision_log import DecisionLog
from bluegold.production.results.records import DecisionRecord

async def lane(log):
    while True:
        record = DecisionRecord(at=1, model="m", version="v1", color="blue", value=True, score=0.5, payload="x" * 300)
        await log.write([record])
        sys.stdout.write(record.id + "\\n")   # the acknowledgement, seen by the test through the pipe
        sys.stdout.flush()

async def main():
    log = DecisionLog(Path(sys.argv[1]), 0, segment_bytes=200_000)
    await asyncio.gather(*[lane(log) for _ in range(16)])

asyncio.run(main())
"""


def test_no_acknowledged_decision_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process, process.stdout as out:
            acknowledged.append(out.readline().strip())
            time.sleep(0.15)
            process.kill()
            acknowledged += [line.strip() for line in out.read().split("\n") if Place.parse(line.strip())]
    reader = DecisionReader(tmp_path)
    assert len(acknowledged) > 100
    assert len(set(acknowledged)) == len(acknowledged)
    assert [name for name in acknowledged if reader.get(name) is None] == []
    report = reader.verify()
    assert report.ok, report.first_bad
