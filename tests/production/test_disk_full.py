"""A full disk, end to end: a real worker over HTTP whose decisions lie on a small file system that runs full."""

from __future__ import annotations

import concurrent.futures
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx
import pytest

from bluegold.production.operations.board import Board, Cell
from bluegold.production.operations.supervisor import Supervisor
from bluegold.production.results.decision_log import DecisionReader

T = TypeVar("T")
SIZE = 256 * 1024


class Disk(Protocol):
    """Where decisions go, and how it runs full."""

    def fill(self, pid: int) -> None: ...

    def free(self, pid: int) -> None: ...


class SmallDisk:
    """A file system of its own with 256 KiB, most of it taken by a file that is in the way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"

    def fill(self, pid: int) -> None:
        """Leave room for some decisions: it is they that fill the disk, in the middle of a batch."""
        self.ballast.write_bytes(b"x" * (SIZE - 24 * 4096))

    def free(self, pid: int) -> None:
        self.ballast.unlink()


class NoGrowth:
    """Where nothing may be mounted: the kernel refuses the worker every byte that would make a file larger."""

    def __init__(self) -> None:
        self.limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, self.limit[1]))

    def free(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, self.limit)


@pytest.fixture
def disk(world: Any) -> Iterator[Disk]:
    folder = world.workspace.decisions
    mount = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield SmallDisk(folder)
        finally:
            subprocess.run([shutil.which("umount") or "umount", "-l", str(folder)], check=True)
    elif hasattr(resource, "prlimit"):
        yield NoGrowth()
    else:
        pytest.skip("this system can neither mount a small file system nor limit a running process")


def ask(world: Any, url: str, count: int) -> list[httpx.Response]:
    """That many requests, eight at a time."""
    with httpx.Client(base_url=url, timeout=60) as http, concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda number: http.post("/v1/predict", json=world.parcel(number)), range(count)))


def until(url: str, holds: Callable[[httpx.Client], T], timeout: float = 60.0) -> T:
    """Ask until it holds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            with httpx.Client(base_url=url, timeout=60) as http:
                if found := holds(http):
                    return found
        except httpx.TransportError:  # the worker was killed with this request in flight
            continue
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def answered(world: Any, status: int) -> Callable[[httpx.Client], httpx.Response | None]:
    """The answer to a request when it has this status."""

    def post(http: httpx.Client) -> httpx.Response | None:
        response = http.post("/v1/predict", json=world.parcel(1))
        return response if response.status_code == status else None

    return post


def test_a_full_disk_is_said_and_nothing_is_acknowledged_that_is_not_kept(world: Any, disk: Disk) -> None:
    world.promote("v1")
    with Supervisor(world.workspace, "parcels", workers=1) as endpoint:
        slot = Board(Path(endpoint.board)).slot(0)
        pid = slot[Cell.PID]
        given = ask(world, endpoint.url, 10)
        assert {response.status_code for response in given} == {200}

        disk.fill(pid)
        given += ask(world, endpoint.url, 250)
        refused = until(endpoint.url, answered(world, 503))
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["status"] == 503
        assert "could not be recorded" in refused.json()["detail"]
        assert {response.status_code for response in given} <= {200, 503}
        health = until(endpoint.url, lambda http: http.get("/v1/health").json()["problem"] and http.get("/v1/health"))
        assert (health.status_code, health.json()["status"]) == (503, "down")
        assert "cannot record decisions" in health.json()["problem"]
        first = given[0].json()["id"]
        assert httpx.get(f"{endpoint.url}/v1/decisions/{first}").status_code == 200, "what is kept can be read"

        if isinstance(disk, SmallDisk):  # a worker that starts on a full disk says so too
            os.kill(pid, signal.SIGKILL)
            assert "recorded" in until(endpoint.url, answered(world, 503)).json()["detail"]
            assert slot[Cell.PID] != pid

        disk.free(slot[Cell.PID])
        given += [until(endpoint.url, answered(world, 200)), *ask(world, endpoint.url, 20)]
        until(endpoint.url, lambda http: http.get("/v1/health").json()["status"] == "ok")
        assert {response.status_code for response in given[-20:]} == {200}

    acknowledged = {answer["id"]: answer for answer in (one.json() for one in given if one.status_code == 200)}
    reader = DecisionReader(world.workspace.decisions)
    kept, _ = reader.tail({})
    assert reader.verify().ok
    assert {record.id: record.score for record in kept if not record.canary} == {
        name: answer["score"] for name, answer in acknowledged.items()
    }
