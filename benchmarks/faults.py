"""Faults under load: killed and hung workers, killed supervisors, reloads, version swaps; nothing may be lost.

python benchmarks/faults.py [--quick] [--add]
    [--only kills,edge,hangs,reloads,swaps,supervisors,standbys,edges,watchers,deputies,consumers,cost,peers]

`--add` counts the kills, requests and losses of a part's rows to those that were found before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fault_losses
import fault_peers
from bluegold.core.nouns import TrafficSplit
from bluegold.core.workspace import Workspace
from bluegold.development import develop
from bluegold.export.skeleton import skeleton
from bluegold.features.loader import load_system
from bluegold.production.operations.board import Board, Cell, Head, Slot, State
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor, reload
from bluegold.production.operations.watched import alive
from bluegold.production.results.decision_log import DecisionReader
from bluegold.registry.bundle import load_bundle
from bluegold.registry.registry import Registry

__all__ = ["PARTS", "main"]

HERE = Path(__file__).parent
RESULT = HERE / "results" / "faults.json"
LIMIT_S = 60.0
CONNECTIONS, PAUSE_MS = 16, 20.0
COLUMNS = (
    "fault",
    "times",
    "seen p50 ms",
    "seen p99 ms",
    "back p50 ms",
    "back p99 ms",
    "requests",
    "failed",
    "acknowledged, lost",
    "slowest answer ms",
    "longest silence ms",
)
WHAT = (
    "Two workers with a LightGBM model found by the starter pipeline (30 numbers a row), every decision durable before "
    "its answer, faults made by signal while 16 kept connections ask about every 20 ms each from another process. "
    "`seen` is the time from the signal until the supervisor has recorded the loss (hang: suspected it), `back` until "
    "the seat serves again (all seats, for a swap or a reload). A request counts as failed when it was written to a "
    "connection and not answered with 200, also when the connection had been closed before. After each part the log is "
    "verified and every acknowledged id is read back."
)


class Stage:
    """A workspace with two versions of one model, and what the parts share."""

    def __init__(self, root: Path) -> None:
        folder = root / "system"
        skeleton("starter", folder)
        self.workspace = Workspace.create(root / "w")
        self.registry = Registry.open(self.workspace, actor="benchmark")
        system = load_system(folder)
        first = develop(system, self.workspace, self.registry, author="ada", folder=folder)
        for step in ("Staging", "Canary"):
            self.registry.lifecycle.transition(first.ref, step, reason="benchmark")  # type: ignore[arg-type]
        self.registry.promote(first.ref, reason="benchmark")
        artefacts = self.registry.versions.artefacts(first.ref)
        second = self.registry.versions.register(first.model, artefacts, first.lineage, first.metrics, author="ada")
        self.refs = (first.ref, second.ref)
        self.model = first.model
        self.body = json.dumps(load_bundle(self.registry, first.ref).canaries[0].payload)

    @contextlib.contextmanager
    def served(self, *options: str) -> Iterator[tuple[Endpoint, Board]]:
        """A server, with its standby and its deputy there."""
        with Supervisor(self.workspace, self.model, 0, 2, "127.0.0.1", *options) as endpoint:
            board = Board(Path(endpoint.board))
            whole(board)
            until(lambda: board[Head.DEPUTY] > 0)
            yield endpoint, board

    @contextlib.contextmanager
    def load(self, endpoint: Endpoint, pause: float = PAUSE_MS) -> Iterator[dict[str, Any]]:
        """Ask meanwhile; the dictionary is filled at the end."""
        told = [endpoint.host, str(endpoint.port), str(CONNECTIONS), str(pause), self.body]
        command = [sys.executable, str(HERE / "fault_load.py"), *told]
        found: dict[str, Any] = {}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                time.sleep(0.5)
                yield found
            finally:
                found.update(json.loads(process.communicate()[0]))

    def lost(self, found: dict[str, Any]) -> str:
        """How many decisions were acknowledged, and how many of them are not in the log as they should be."""
        reader = DecisionReader(self.workspace.decisions)
        gone = sum(reader.get(name) is None for name in found["ids"])
        report = reader.verify()
        return f"{len(found['ids']):,}, {gone}" + ("" if report.ok else f" ({report.first_bad})")


def until(holds: Callable[[], object]) -> float:
    """Seconds until it holds."""
    began = time.perf_counter()
    while not holds():
        if time.perf_counter() - began > LIMIT_S:
            raise TimeoutError(f"it did not happen within {LIMIT_S:g} s")
        time.sleep(0.0005)
    return time.perf_counter() - began


def _deputised(board: Board, leader: int) -> bool:
    """Whether a deputy of this leader is at its post: it beats on the board."""
    deputy = board[Head.DEPUTY]
    fresh = time.monotonic_ns() - board[Head.DEPUTY_NS] < 100_000_000
    return deputy not in {0, leader} and fresh and alive(deputy)


def _again(slot: Slot, before: int) -> bool:
    return slot[Cell.RESTARTS] > before and slot[Cell.STATE] == State.READY


def whole(board: Board) -> None:
    """Wait until every seat serves and a standby is ready."""
    until(lambda: all(slot[Cell.STATE] == State.READY for slot in board.slots()))
    until(lambda: board.standby()[Cell.STATE] == State.STANDBY)
    time.sleep(0.05)


def row(name: str, seen: list[float], back: list[float], found: dict[str, Any], lost: str) -> list[Any]:
    """One line of the table; times in seconds."""
    total = found["answered"] + len(found["failed"])
    times = [_at(seen, 0.5), _at(seen, 0.99), _at(back, 0.5), _at(back, 0.99)]
    return [
        name,
        len(back or seen),
        *times,
        total,
        len(found["failed"]),
        lost,
        round(found["max_ms"], 1),
        round(found["gap_ms"], 1),
    ]


def _at(values: list[float], share: float) -> float | None:
    return round(sorted(values)[int((len(values) - 1) * share + 0.5)] * 1e3, 1) if values else None


def workers_struck(stage: Stage, name: str, number: signal.Signals, times: int, *options: str) -> list[Any]:
    """Strike one worker after the other, each time with a standby ready."""
    seen, back = [], []
    with stage.served(*options) as (endpoint, board), stage.load(endpoint) as found:
        for index in range(times):
            slot = board.slot(index % 2)
            before = slot[Cell.RESTARTS]
            os.kill(slot[Cell.PID], number)
            if number == signal.SIGSTOP:
                seen.append(
                    until(lambda slot=slot, before=before: slot[Cell.SUSPECTED] or slot[Cell.RESTARTS] > before)
                )
                rest = until(lambda slot=slot, before=before: slot[Cell.RESTARTS] > before)
            else:
                seen.append(until(lambda slot=slot, before=before: slot[Cell.RESTARTS] > before))
                rest = 0.0
            back.append(seen[-1] + rest + until(lambda slot=slot: slot[Cell.STATE] == State.READY))
            whole(board)
    return row(name, seen, back, found, stage.lost(found))


def kills(stage: Stage, quick: bool) -> list[list[Any]]:
    """Workers killed; connections are the workers' own."""
    return [workers_struck(stage, "worker killed", signal.SIGKILL, 5 if quick else 50)]


def edge(stage: Stage, quick: bool) -> list[list[Any]]:
    """Workers killed behind the edge."""
    return [workers_struck(stage, "worker killed, with --edge", signal.SIGKILL, 5 if quick else 50, "--edge")]


def hangs(stage: Stage, quick: bool) -> list[list[Any]]:
    """Workers stopped, without and with the edge."""
    times = 3 if quick else 20
    return [
        workers_struck(stage, "worker stopped (hang)", signal.SIGSTOP, times),
        workers_struck(stage, "worker stopped (hang), with --edge", signal.SIGSTOP, times, "--edge"),
    ]


def reloads(stage: Stage, quick: bool) -> list[list[Any]]:
    """Every worker replaced, again and again."""
    with stage.served() as (endpoint, board), stage.load(endpoint) as found:
        back = []
        for _ in range(2 if quick else 50):
            back.append(reload(stage.workspace))
            until(lambda: all(slot[Cell.STATE] == State.READY for slot in board.slots()))
    return [row("reload of both workers", [], back, found, stage.lost(found))]


def swaps(stage: Stage, quick: bool) -> list[list[Any]]:
    """Another version put in production, again and again."""
    back = []
    with stage.served() as (endpoint, board), stage.load(endpoint, 5.0) as found:
        for index in range(5 if quick else 50):
            began = time.perf_counter()
            wanted = TrafficSplit(model=stage.model, revision=0, blue=stage.refs[(index + 1) % 2], reason="benchmark")
            split = stage.registry.traffic.set(wanted)
            until(lambda split=split: board.applied(split.revision))
            back.append(time.perf_counter() - began)
            time.sleep(0.1)
    return [row("version swap on both workers", [], back, found, stage.lost(found))]


def supervisors(stage: Stage, quick: bool) -> list[list[Any]]:
    """The leading supervisor killed, again and again; workers are to go on untouched."""
    seen = []
    with stage.served() as (endpoint, board), stage.load(endpoint) as found:
        pids = [view.pid for view in board.views()]
        for _ in range(5 if quick else 100):
            leader = board[Head.LEADER]
            until(lambda leader=leader: _deputised(board, leader))
            os.kill(leader, signal.SIGKILL)
            seen.append(until(lambda leader=leader: board[Head.LEADER] != leader))
        same = pids == [view.pid for view in board.views()]
    name = f"supervisor killed ({'no worker replaced' if same else 'WORKERS WERE REPLACED'})"
    return [row(name, seen, [], found, stage.lost(found))]


def cost(stage: Stage, quick: bool) -> list[list[Any]]:
    """What the edge costs: as many requests as one thread of wrk makes on 32 connections, without and with it."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return []
    rows = []
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method='POST'\nwrk.headers['content-type']='application/json'\nwrk.body={stage.body!r}\n")
        script.flush()
        for name, options in (("no fault, full speed", ()), ("no fault, full speed, with --edge", ("--edge",))):
            with stage.served(*options) as (endpoint, _):
                command = [wrk, "-t1", "-c32", f"-d{2 if quick else 10}s", "--latency", "-s", script.name]
                said = subprocess.run(
                    [*command, f"{endpoint.url}/v1/predict"], capture_output=True, text=True, check=True
                ).stdout
            rate = float(re.findall(r"Requests/sec: *([\d.]+)", said)[0])
            times = ", ".join(f"p{share} {found}" for share, found in re.findall(r"(50|99)% +(\S+)", said))
            errors = sum(int(one) for one in re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", said))
            total = int(re.findall(r"(\d+) requests in", said)[0])
            rows.append([f"{name}: {rate:,.0f} requests/s, {times}", *[None] * 5, total, errors, "-", None, None])
    return rows


def peers(stage: Stage, quick: bool) -> list[list[Any]]:
    """Echo servers under their own supervisors, struck in the same way."""
    return fault_peers.strike(stage.load, until, row, 2 if quick else 10)


def _part(name: str) -> Callable[[Stage, bool], list[list[Any]]]:
    struck: Callable[[Any, int], list[list[Any]]] = getattr(fault_losses, name)
    return lambda stage, quick: struck(stage, 3 if quick else fault_losses.PIECES[name])


def added(before: list[list[Any]], now: list[list[Any]]) -> list[list[Any]]:
    """Rows of the same faults as one: kills, requests, failures and losses added, times as found last."""
    found = []
    for line in now:
        old = next((one for one in before if one[0] == line[0]), None)
        if old is not None:
            kept, lost = (list(map(_number, one[8].split(" (")[0].split(", "))) for one in (old, line))
            faults = "".join(
                sorted({one[8].partition(" (")[2] and f" ({one[8].partition(' (')[2]}" for one in (old, line)})
            )
            line[1], line[6], line[7] = (line[place] + old[place] for place in (1, 6, 7))
            line[8] = f"{kept[0] + lost[0]:,}, {kept[1] + lost[1]}{faults}"
        found.append(line)
    return found


def _number(text: str) -> int:
    return int(text.replace(",", ""))


PARTS: dict[str, Callable[[Stage, bool], list[list[Any]]]] = {
    **{one.__name__: one for one in (kills, edge, hangs, reloads, swaps, supervisors)},
    **{name: _part(name) for name in fault_losses.PIECES},
    **{one.__name__: one for one in (cost, peers)},
}


def main() -> int:
    """Run the parts and put their rows into the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    given = parser.parse_args()
    kept: dict[str, Any] = json.loads(RESULT.read_text())["parts"] if RESULT.exists() and not given.quick else {}
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        for name in given.only.split(","):
            found = PARTS[name](stage, given.quick)
            kept[name] = added(kept.get(name, []), found) if given.add else found
            sys.stdout.write("".join(f"{line}\n" for line in kept[name]))
            sys.stdout.flush()
        stage.registry.close()
    if given.quick:
        return 0
    result = {
        "title": "Faults under load",
        "what": WHAT,
        "command": "python benchmarks/faults.py",
        "machine": f"{os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "columns": COLUMNS,
        "rows": [(line + [None] * len(COLUMNS))[: len(COLUMNS)] for name in PARTS for line in kept.get(name, [])],
        "notes": NOTES,
        "parts": kept,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    return 0


NOTES = (
    "Each kill waits until a standby is ready again, about 1.5 s after the one before. Else a worker starts anew.",
    "Client, workers and supervisor share the two cores: the 99th percentiles hold waits for one of them.",
    "Without the edge, requests in flight on a killed worker fail, and the next one on each of its kept connections.",
    "`longest silence` is the longest time in which none of the 16 connections got an answer, over a row's faults.",
    "Rows without times count losses only: their kills were made in pieces, on a machine that did other work too.",
    "A killed edge takes its connections along: requests on them fail; what was acknowledged before is not lost.",
    "The edge is one more process on two cores; the rows at full speed show what it costs.",
    "The peers answer an echo and record nothing; `back`: two processes, neither the killed one, answer again.",
)


if __name__ == "__main__":
    sys.exit(main())
