"""Every crash point of the delivery controller: killed with kill -9 before and after every single write.

A real server with two workers answers real requests while one controller after the other is killed, each one write
later than the one before, until one comes through.  Every transaction of the registry counts itself, so a new write
is a new crash point without anybody listing it.  Writes `docs/crash-points.md`.

    python benchmarks/crash_points.py [--quick]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from bluegold.core.workspace import Workspace
from bluegold.delivery.release import CLOSED
from bluegold.production.operations.supervisor import Supervisor
from bluegold.registry import Registry

__all__ = ["Kill", "main"]

ROOT = Path(__file__).resolve().parents[1]
HEAD = """# Crash points of the delivery controller
Written by `python benchmarks/crash_points.py`; the same walk is part of `make test`. Every row is one controller
process that was killed with `kill -9` at the write it shows: *before* the transaction was committed, or *after*. A new
controller goes on from there. Meanwhile two workers answer requests of users; none may fail, exactly one version may be
in production, the audit chain must hold, and users may meet Gold only after six gates and a rehearsal.

A promotion may also end *rolled_back*, rightly: a controller that dies in canary or shift before it has renewed its
lease leaves the lease of the one before standing. When two in a row do, and starting the next takes longer than the
lease (ten seconds unless the plan says otherwise), the workers' watchdog sees a controller that shows no life while
Gold answers users, and takes the traffic back; the next controller finds that written and closes the release. The test
of this walk makes the lease longer, so that it shows the controller alone; the watchdog has a test of its own.

The state machine itself is explored exhaustively by `tests/delivery/test_exploration.py`, over every interleaving of
these writes with people, the watchdog and further kills. An experiment is a canary with another share and adds no
write; an ensemble is a version like any other. Coordinated promotions have a walk of their own:
`tests/delivery/test_together.py` kills before every write, and again while the next controller carries on, and finds
all in production or none; a person who takes one of them back, after whichever write, takes back all. With an
experiment in the canary, `test_exploration_experiments.py` goes through whatever its evidence may say, and when.
"""


class Kill(NamedTuple):
    """One killed controller: at which write, when, and in which phase the release was found."""

    when: str
    write: str
    phase: str


def module(name: str) -> Any:
    """A module of the delivery tests: their small system, their traffic, their invariants."""
    package = "delivery_tests"
    if package not in sys.modules:
        folder = ROOT / "tests" / "delivery"
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            raise SystemExit("the delivery tests are not here: run this in a checkout")
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[package] = loaded
        spec.loader.exec_module(loaded)
    return importlib.import_module(f"{package}.{name}")


def walk(version: str, when: str, *, hot: bool, most: int) -> tuple[list[Kill], str, int, int]:
    """Kill one controller after the other; returns the kills, the end, answered and failed requests."""
    bench, crash = module("conftest"), module("test_crash")
    kills: list[Kill] = []
    with tempfile.TemporaryDirectory() as folder:
        space = Workspace.create(Path(folder) / "w")
        bench.register(space)
        told = Path(folder) / "writes"
        os.environ["BLUEGOLD_TEST_WRITES"] = str(told)
        with Registry.open(space, actor="olga") as registry:
            for stage in ("Staging", "Canary"):
                registry.lifecycle.transition("pumps:v1", stage, reason="benchmark")
            registry.promote("pumps:v1", reason="benchmark")
            with Supervisor(space, bench.MODEL, workers=2) as endpoint, bench.Traffic(endpoint, hot=hot) as live:
                limit, ref = 1, f"{bench.MODEL}:{version}"
                while len(kills) < most:
                    told.write_text("")
                    before = crash.look(registry, ref)
                    done = crash.controller(space, version, when, limit)
                    phase = crash.look(registry, ref)
                    if done.returncode not in {0, -9}:
                        raise SystemExit(done.stderr)
                    if done.returncode == 0:
                        break
                    kills.append(Kill(when, _words(told), phase))
                    if phase in CLOSED:
                        break
                    limit = limit + 1 if phase == before else 1
            return kills, phase, len(live.answers), len(live.failed)


def _words(told: Path) -> str:
    lines = told.read_text().splitlines()
    if not lines:
        return "(no write)"
    rows = json.loads(lines[-1])
    return "; ".join(f"{action} {subject}: {outcome}" for action, subject, outcome in rows) or "(nothing new to write)"


def main(argv: list[str] | None = None) -> int:
    """Walk, and write the list."""
    parser = argparse.ArgumentParser(description="Crash points.")
    parser.add_argument("--quick", action="store_true", help="four kills only; writes nothing")
    quick = parser.parse_args(argv).quick
    parts, failures = [HEAD], 0
    for title, version, hot, end in (("Promotion", "v2", False, "promoted"), ("Rollback", "v3", True, "rolled_back")):
        for when in ("after",) if quick else ("before", "after"):
            kills, found, answered, failed = walk(version, when, hot=hot, most=4 if quick else 120)
            well = failed == 0 and (quick or found == end)
            failures += not well
            parts.append(
                f"\n## {title}, killed {when} every write\n{len(kills)} kills; the release ended *{found}*; "
                f"{answered:,} requests answered meanwhile, {failed} failed: {'passed' if well else 'FAILED'}.\n\n"
                "| kill | at the write | release found in |\n| ---: | --- | --- |\n"
            )
            parts += [f"| {number} | {kill.write} | {kill.phase} |\n" for number, kill in enumerate(kills, 1)]
            sys.stdout.write(f"{title} {when}: {len(kills)} kills, {found}, {answered} answered, {failed} failed\n")
    if not quick:
        (ROOT / "docs" / "crash-points.md").write_text("".join(parts), encoding="utf-8")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
