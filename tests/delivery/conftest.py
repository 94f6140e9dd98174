"""A small system with real versions, a real server and real traffic, for deliveries that take seconds."""

from __future__ import annotations

import datetime as dt
import http.client
import importlib.util
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

import bluegold as bg
from bluegold.core.nouns import ModelVersion
from bluegold.core.workspace import Workspace
from bluegold.development import develop
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor
from bluegold.registry import Registry

FOLDER = Path(__file__).parent / "pumps"
MODEL = "pumps"


def pipeline() -> ModuleType:
    """The definition's module, for its generator of readings."""
    spec = importlib.util.spec_from_file_location("pumps_pipeline", FOLDER / "pipeline.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PUMPS = pipeline()


def spoiled(rows: pl.DataFrame) -> pl.DataFrame:
    """The readings with the label turned round wherever the load is high, as a broken feed would do."""
    return rows.with_columns(
        pl.when(pl.col("load") > 52).then(~pl.col("serviced")).otherwise(pl.col("serviced")).alias("serviced")
    )


def random_labels(rows: pl.DataFrame) -> pl.DataFrame:
    """The readings with labels that nobody can learn."""
    return rows.with_columns(pl.col("serviced").shuffle(seed=3))


def register(workspace: Workspace) -> None:
    """v1 an honest early version, v2 an honest later one, v3 the drill, v4 hopeless."""
    system = bg.load_system(FOLDER)
    days = PUMPS.START + dt.timedelta(days=18), PUMPS.START + dt.timedelta(days=22)
    early = bg.by_time(validate_from=days[0], validate_until=days[1], holdout_from=PUMPS.START + dt.timedelta(days=30))
    rows = PUMPS.readings(PUMPS.ROWS, seed=1)
    with Registry.open(workspace, actor="ada") as registry:
        for one, data in (
            (system.with_split(early), rows),
            (system, rows),
            (system, spoiled(rows)),
            (system, random_labels(rows)),
        ):
            develop(one, workspace, registry, author="ada", data=bg.Data(data), folder=FOLDER)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with four registered versions, made once."""
    root = tmp_path_factory.mktemp("template") / "w"
    register(Workspace.create(root))
    return root


@pytest.fixture
def workspace(template: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(template, tmp_path / "w")
    return Workspace.open(tmp_path / "w")


@pytest.fixture
def registry(workspace: Workspace) -> Iterator[Registry]:
    with Registry.open(workspace, actor="olga") as opened:
        yield opened


@pytest.fixture
def blue(workspace: Workspace, registry: Registry) -> ModelVersion:
    """v1 in production, put there without the gates, because they are not what the test is about."""
    for stage in ("Staging", "Canary"):
        registry.lifecycle.transition("pumps:v1", stage, reason="test")
    registry.promote("pumps:v1", reason="test")
    return registry.versions.get("pumps:v1")


@pytest.fixture
def server(workspace: Workspace, blue: ModelVersion) -> Iterator[Endpoint]:
    with Supervisor(workspace, MODEL, workers=2) as endpoint:
        yield endpoint


class Traffic(threading.Thread):
    """Requests one after the other, each followed by its outcome; counts what is not answered with 200."""

    def __init__(self, endpoint: Endpoint, *, hot: bool = False, labels: bool = True, seed: int = 11) -> None:
        super().__init__(daemon=True)
        self.endpoint = endpoint
        self.labels = labels
        self.rows = PUMPS.readings(3000, seed, hot=hot).to_dicts()
        self.answers: list[dict[str, Any]] = []
        self.failed: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.endpoint.host, self.endpoint.port, timeout=60)
        number = 0
        while not self.stopping.is_set():
            row = dict(self.rows[number % len(self.rows)])
            number += 1
            label = row.pop("serviced")
            answer = self.post(connection, "/v1/predict", {**row, "taken_at": row["taken_at"].isoformat()})
            if answer is not None:
                self.answers.append(answer)
                if self.labels:
                    self.post(connection, "/v1/outcomes", {"outcomes": [{"id": answer["id"], "value": label}]})
            time.sleep(0.0005)
        connection.close()

    def post(self, connection: http.client.HTTPConnection, path: str, body: Any) -> Any:
        try:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(repr(error))
            connection.close()
            return None
        if response.status != 200:
            self.failed.append(f"{response.status} {text[:200]!r}")
            return None
        return json.loads(text)

    def __enter__(self) -> Traffic:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.join()


@pytest.fixture
def traffic(server: Endpoint) -> Callable[..., Traffic]:
    return lambda **options: Traffic(server, **options)
