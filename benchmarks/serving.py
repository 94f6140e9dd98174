"""One row a request over HTTP: the governed worker beside an echo server, FastAPI, BentoML and LitServe.

python benchmarks/serving.py [--quick] [--workspace W] [--only bluegold,echo,fastapi,bentoml,litserve] [--install]
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell
from bluegold.production.operations.supervisor import Supervisor
from bluegold.production.results.decision_log import DecisionReader
from bluegold.registry.registry import Registry

__all__ = ["SERVERS", "main"]

HERE = Path(__file__).parent
RESULT = HERE / "results" / "serving.json"
PEERS = HERE / "serving_peers"
ENVIRONMENTS = Path(tempfile.gettempdir()) / "envs"
MODEL = "flight-delays"
WRK, TASKSET = shutil.which("wrk") or "", shutil.which("taskset") or ""
COLUMNS = [
    *("server", "requests/s", "times bluegold's", "p50 ms", "p99 ms", "requests/s at the machine's best"),
    *("p99 ms there", "start s", "wrong type", "missing column"),
]
PACKAGES = {
    "fastapi": ("fastapi", "uvicorn[standard]", "lightgbm", "numpy", "msgspec"),
    "bentoml": ("bentoml", "lightgbm", "numpy"),
    "litserve": ("litserve", "lightgbm", "numpy"),
}
WANTED = {"bentoml": 15, "fastapi": 2}
RUNS, SLICES = 3, 5
WHICH = (
    "shown is the middle one of 15 slices of 2 s, taken in three rounds in turn with the other servers; at the "
    "machine's best is the slice before which the yardstick was fastest, whatever the server did in it"
)
SERVERS = ("bluegold", "echo", *PACKAGES)
WHAT = (
    "One flight a request as JSON (about 185 bytes), 64 kept connections from wrk on one core, the server on the "
    "other. bluegold is one supervised worker: typed decoding, contract, history and look-up features from the online "
    "store, routing, LightGBM, decision record on the disk (fdatasync, group commit) before the answer, history "
    "events; flights arrive in the order of their time. `echo` is granian (RSGI) answering about as many bytes "
    "without doing anything. The peers get the same LightGBM model and the same bodies, but no contract, no store and "
    "no record: FastAPI with the same C predictor, BentoML and LitServe as their guides write a service."
)
LUA = """
local file = io.open(os.getenv("BODIES"))
local skip = tonumber(os.getenv("SKIP"))
local heads = {["content-type"] = "application/json"}
for _ = 1, skip do file:read("*l") end
request = function()
  local body = file:read("*l")
  if body == nil then file:seek("set"); body = file:read("*l") end
  return wrk.format("POST", "/v1/predict", heads, body)
end
done = function(summary, latency)
  local e = summary.errors
  print(string.format('{"n":%d,"us":%d,"p50":%f,"p99":%f,"errors":%d,"not_2xx":%d}', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.timeout, e.status))
end
"""


def bodies(path: Path, workspace: Workspace, count: int) -> None:
    """Write flights as JSON lines; each departs about a second after the one before."""
    with Registry.open(workspace, actor="automatic:benchmark") as registry:
        version = registry.versions.get(f"{MODEL}:{_version(registry)}")
        rows = [one["payload"] for one in json.loads(registry.versions.artefact(version.ref, "canaries.json"))]
    rows = [row for row in rows if row.get("tailnum")]
    at = dt.datetime(2014, 1, 2)  # noqa: DTZ001 - the contract's moments are naive
    with path.open("w") as file:
        for index in range(count):
            row = {**rows[index % len(rows)], "dep_delay": float(index % 50 - 10)}
            at += dt.timedelta(seconds=1)
            row["departed_at"] = at.isoformat()
            row["scheduled_at"] = (at - dt.timedelta(minutes=row["dep_delay"])).replace(second=0).isoformat()
            file.write(json.dumps(row, separators=(",", ":")) + "\n")


def _version(registry: Registry) -> str:
    change = registry.lifecycle.production(MODEL)
    if change is None:
        raise SystemExit("no version is in production in this workspace")
    return change.ref.rpartition(":")[2]


def prepared(folder: Path, given: Path | None) -> Workspace:
    """A copy of the given workspace, or a new one with the flights example developed and in production."""
    root = folder / "workspace"
    if given is not None:
        shutil.copytree(given, root, ignore=shutil.ignore_patterns("decisions", "run"))
        return Workspace.open(root)
    from bluegold.development import develop
    from bluegold.features.loader import load_system

    space = Workspace.create(root)
    with Registry.open(space, actor="automatic:benchmark") as registry:
        developed = develop(load_system(HERE.parent / "examples" / "flights"), space, registry, author="benchmark")
        for stage in ("Staging", "Canary"):
            registry.lifecycle.transition(developed.version, stage, reason="benchmark")
        registry.promote(developed.version, reason="benchmark")
    return space


def environment(name: str) -> Path:
    """The interpreter of a peer's own environment, made when it is missing."""
    root = ENVIRONMENTS / f"bluegold-serving-{name}"
    python = root / "bin" / "python"
    if not (root / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(root)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES[name]], check=True)
        (root / "complete").touch()
    return python


@contextlib.contextmanager
def serving(name: str, space: Workspace, model: Path) -> Iterator[tuple[int, float]]:
    """A server on core 0: its port, and the seconds it took to answer for the first time."""
    began = time.perf_counter()
    if name == "bluegold":
        with Supervisor(space, MODEL, workers=1) as endpoint:
            _pin(Board(Path(endpoint.board)).slot(0)[Cell.PID])
            yield endpoint.port, time.perf_counter() - began
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    commands = {
        "echo": ["-m", "granian", "--interface", "rsgi", "--no-log", "--port", str(port), "app_echo:application"],
        "fastapi": ["-m", "uvicorn", "--port", str(port), "--log-level", "error", "--no-access-log", "app_fastapi:app"],
        "bentoml": ["-m", "bentoml", "serve", "app_bentoml:Flights", "--port", str(port)],
        "litserve": ["app_litserve.py", str(port)],
    }
    python = sys.executable if name == "echo" else str(environment(name))
    command = [TASKSET, "-c", "0", python, *commands[name]]
    variables = {**os.environ, "MODEL": str(model), "PYTHONPATH": f"{PEERS}:{HERE.parent / 'src'}"}
    variables |= {"BENTOML_DO_NOT_TRACK": "True", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=PEERS, env=variables, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        yield port, _first_answer(process, port, began)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)


def _pin(pid: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {0})


def _first_answer(process: subprocess.Popen[bytes], port: int, began: float) -> float:
    while process.poll() is None and time.perf_counter() - began < 90:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask(port, b"{}") != 503:
                return time.perf_counter() - began
        time.sleep(0.02)
    raise SystemExit("the server did not start")


def ask(port: int, body: bytes) -> int:
    """The status of the answer to one body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def load(port: int, folder: Path, seconds: int, skip: int) -> dict[str, float]:
    """What wrk finds."""
    script = folder / "load.lua"
    script.write_text(LUA)
    command = [TASKSET, "-c", "1", WRK, "-t1", "-c64", f"-d{seconds}s", "--timeout", "10s", "-s", str(script)]
    variables = {**os.environ, "BODIES": str(folder / "bodies.jsonl"), "SKIP": str(skip)}
    done = subprocess.run([*command, f"http://127.0.0.1:{port}"], env=variables, capture_output=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(name: str, space: Workspace, folder: Path, seconds: int, slices: int) -> dict[str, Any]:
    """One server under load in slices, with the speed of its core before each, and what it says to bad rows."""
    good = json.loads((folder / "bodies.jsonl").open().readline())
    with serving(name, space, folder / "model.txt") as (port, start):
        if ask(port, json.dumps(good).encode()) != 200:
            raise SystemExit(f"{name} does not answer a good row")
        wrong = ask(port, json.dumps({**good, "distance": "far"}).encode())
        missing = ask(port, json.dumps({key: value for key, value in good.items() if key != "distance"}).encode())
        sent, parts = int(load(port, folder, 2, 0)["n"]) + 100, []
        for _ in range(slices):
            mark = yardstick(folder)
            found = load(port, folder, seconds, sent)
            sent += int(found["n"]) + 100
            part = {"rps": found["n"] / found["us"] * 1e6, "p50": found["p50"] / 1e3, "p99": found["p99"] / 1e3}
            parts.append(part | {"errors": found["errors"] + found["not_2xx"], **mark})
    row: dict[str, Any] = {"start": start, "wrong": wrong, "missing": missing, "parts": parts}
    if name == "bluegold":
        row["verified"] = DecisionReader(space.decisions).verify().ok
    return row


def yardstick(folder: Path) -> dict[str, float]:
    """How fast the server's core and the disk are now: a loop of plain Python, and fdatasync of 4 KiB, in ms."""
    os.sched_setaffinity(0, {0})
    began = time.perf_counter()
    total = 0
    for number in range(2_000_000):
        total += number
    loop = time.perf_counter() - began
    os.sched_setaffinity(0, {1})
    waits = []
    with (folder / "yardstick").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            waits.append(time.perf_counter() - began)
    waits.sort()
    return {"loop": loop * 1e3, "sync": waits[50] * 1e3, "late": waits[98] * 1e3}


def summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The slices of all rounds as one row: the middle one, and the one before which the core was fastest."""
    parts = sorted((part for run in runs for part in run["parts"]), key=lambda part: float(part["rps"]))
    middle, fast = parts[len(parts) // 2], min(parts, key=lambda part: float(part["loop"]))
    first = {key: runs[0][key] for key in ("wrong", "missing")} | {"start": min(run["start"] for run in runs)}
    verified = {"verified": all(run["verified"] for run in runs)} if "verified" in runs[0] else {}
    errors = sum(part["errors"] for part in parts)
    return first | verified | {**middle, "fast": fast, "errors": errors, "spread": [parts[0]["rps"], parts[-1]["rps"]]}


def _line(name: str, row: dict[str, Any], ours: float) -> list[Any]:
    said = ["-", "-"] if name == "echo" else [row["wrong"], row["missing"]]
    times, fast = f"{row['rps'] / ours:.2f}" if ours else "-", row["fast"]
    shown = [round(row["rps"]), times, round(row["p50"], 2), round(row["p99"], 2)]
    return [name, *shown, round(fast["rps"]), round(fast["p99"], 2), round(row["start"], 2), *said]


def _machine(rows: dict[str, dict[str, Any]]) -> str:
    """The machine over the whole run, at the middle and at the best moments."""
    both = [part for row in rows.values() for part in (row, row["fast"])]
    spans = {
        key: f"{min(one[key] for one in both):.1f} to {max(one[key] for one in both):.1f}" for key in ("loop", "sync")
    }
    return (
        f"the machine before the slices that are shown: 2 million additions in Python took {spans['loop']} ms on the "
        f"server's core, an fdatasync of 4 KiB {spans['sync']} ms"
    )


def table(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The result as the report renders it."""
    ours = rows.get("bluegold", {}).get("rps", 0.0)
    lines = [_line(name, rows[name], ours) for name in SERVERS if name in rows]
    notes = [
        f"{name}: {row['errors']:.0f} requests failed or were not answered with 2xx"
        for name, row in rows.items()
        if row["errors"]
    ]
    notes += [_machine(rows), WHICH]
    for name, row in rows.items():
        notes.append(f"{name}: all slices gave {row['spread'][0]:,.0f} to {row['spread'][1]:,.0f} requests/s")
    if ours:
        notes += _shortfalls(rows)
    return {
        "title": "Serving one row a request",
        "what": WHAT,
        "command": "python benchmarks/serving.py",
        "machine": f"{os.cpu_count()} cores; server pinned to one, load client to the other",
        "columns": COLUMNS,
        "rows": lines,
        "notes": notes,
        "raw": rows,
    }


def _shortfalls(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Every target that was missed, in the middle slice and at the machine's best."""
    found = []
    for where, mine in (("in the middle", rows["bluegold"]), ("at the machine's best", rows["bluegold"]["fast"])):
        if mine["rps"] < 10_000:
            found.append(f"shortfall {where}: {mine['rps']:,.0f} governed predictions/s, the target is 10,000")
        if mine["p99"] > 15:
            found.append(f"shortfall {where}: p99 {mine['p99']:.1f} ms, the target is 15 ms")
        for name, wanted in WANTED.items():
            if name in rows:
                other = (rows[name] if where == "in the middle" else rows[name]["fast"])["rps"]
                if mine["rps"] < wanted * other:
                    times = mine["rps"] / other
                    found.append(f"shortfall {where}: {times:.1f} times {name}'s requests/s, the target is {wanted}")
    return found


def rounds(chosen: list[str], space: Workspace, folder: Path, *, quick: bool) -> dict[str, dict[str, Any]]:
    """Every server in turn, several times: what is slow for one is slow for all."""
    seconds, slices, times = (1, 1, 1) if quick else (2, SLICES, RUNS)
    runs: dict[str, list[dict[str, Any]]] = {server: [] for server in chosen}
    for _ in range(times):
        for server in chosen:
            runs[server].append(measured(server, space, folder, seconds, slices))
    return {server: summed(found) for server, found in runs.items()}


def main() -> None:
    """Measure, print, and write the result beside earlier results of other servers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--install", action="store_true", help="only make the peers' environments")
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--only", default=",".join(SERVERS))
    given = parser.parse_args()
    chosen = given.only.split(",")
    if given.install:
        for name in PACKAGES:
            environment(name)
        return
    if not (WRK and TASKSET):
        raise SystemExit("wrk or taskset is missing: apt-get install wrk util-linux")
    earlier = json.loads(RESULT.read_text())["raw"] if RESULT.exists() else {}
    rows: dict[str, dict[str, Any]] = {name: row for name, row in earlier.items() if "fast" in row}
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        space = prepared(folder, given.workspace)
        with Registry.open(space, actor="automatic:benchmark") as registry:
            ref = f"{MODEL}:{_version(registry)}"
            (folder / "model.txt").write_bytes(registry.versions.artefact(ref, "model.txt"))
        bodies(folder / "bodies.jsonl", space, 200_000)
        rows |= rounds(chosen, space, folder, quick=given.quick)
    result = table(rows)
    for line in [COLUMNS, *result["rows"]]:
        print("  ".join(f"{cell!s:>16}" for cell in line))
    print(*result["notes"], sep="\n")
    if not given.quick:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
