"""Events from the embedded log and from NATS: decided once however often the consumer is killed."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from bluegold.core.errors import DataError, IntegrityError
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.results.records import DecisionRecord
from bluegold.production.sources.event_log import EventLog

VERB = "import sys; from bluegold.cli.main import main; sys.argv = ['bluegold', *sys.argv[1:]]; main()"


def command(world: Any, *arguments: str) -> list[str]:
    return [sys.executable, "-c", VERB, "stream", *arguments, "-w", str(world.workspace.root)]


def decided(world: Any) -> list[str]:
    records = DecisionReader(world.workspace.decisions).records()
    return [one.payload["handed_in"] for one in records if isinstance(one, DecisionRecord)]


def killed_twice_then_finished(world: Any, url: str, output: Path) -> str:
    arguments = command(world, url, "--out", str(output))
    for size in (20_000, 150_000):
        with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process:
            while not output.exists() or output.stat().st_size < size:
                assert process.poll() is None
                time.sleep(0.002)
            process.kill()
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stderr


def events(world: Any, count: int) -> list[bytes]:
    bodies = [json.dumps(world.parcel(number)).encode() for number in range(count)]
    bodies[7], bodies[1300] = b"{poison", b'{"depot": "north"}'
    return bodies


def check(world: Any, output: Path, name: str, count: int) -> None:
    answers = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(answers) == count
    assert [place for place, one in enumerate(answers) if "score" not in one] == [7, 1300]
    seen = decided(world)
    assert len(seen) == len(set(seen)) == count - 2
    letters = (world.workspace.root / "dead-letters" / f"{name}.jsonl").read_text().splitlines()
    reasons = [json.loads(line) for line in letters]
    assert [one["status"] for one in reasons] == [400, 422]
    assert "kind" in reasons[1]["reason"]


def test_a_killed_consumer_of_the_embedded_log_decides_every_event_once(world: Any, tmp_path: Path) -> None:
    world.promote("v1")
    log = EventLog(world.workspace.root / "streams", "parcels", segment_bytes=100_000)
    bodies = events(world, 4000)
    for first in range(0, 4000, 500):
        log.append(bodies[first : first + 500])
    killed_twice_then_finished(world, "log://parcels", tmp_path / "out.jsonl")
    check(world, tmp_path / "out.jsonl", "log-parcels", 4000)
    assert DecisionReader(world.workspace.decisions).verify().ok


def test_the_log_survives_half_a_record_and_names_a_changed_one(tmp_path: Path) -> None:
    log = EventLog(tmp_path, "a")
    end = log.append([b"one", b"two"])
    path = next((tmp_path / "a").glob("*.log"))
    with path.open("ab") as file:
        file.write(b"\x10\0\0\0half")
    assert [event.body for event in asyncio.run(log.fetch(0, 10)) or []] == [b"one", b"two"]
    log.append([b"three"])
    assert [event.body for event in asyncio.run(log.fetch(end, 10)) or []] == [b"three"]
    raw = bytearray(path.read_bytes())
    raw[9] ^= 1
    path.write_bytes(raw)
    with pytest.raises(IntegrityError):
        asyncio.run(log.fetch(0, 10))
    with pytest.raises(DataError):
        EventLog(tmp_path, "../b")


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{tmp_path / "js"}", sync_interval: always }}\n'
    )
    binary = str(Path(sys.executable).with_name("nats-server"))
    with subprocess.Popen([binary, "-c", str(config)], stderr=subprocess.DEVNULL) as server:
        yield f"nats://127.0.0.1:{port}"
        server.terminate()


async def publish(url: str, bodies: list[bytes]) -> None:
    for _ in range(100):
        try:
            client = await nats.connect(url, allow_reconnect=False)
            break
        except OSError:
            await asyncio.sleep(0.05)
    stream = client.jetstream()
    await stream.add_stream(name="PARCELS", subjects=["parcels"])
    for first in range(0, len(bodies), 200):
        await asyncio.gather(*[stream.publish("parcels", body) for body in bodies[first : first + 200]])
    await client.close()


@pytest.mark.slow
def test_a_killed_consumer_of_nats_decides_every_message_once(world: Any, tmp_path: Path, nats_server: str) -> None:
    world.promote("v1")
    asyncio.run(publish(nats_server, events(world, 2000)))
    os.sync()
    killed_twice_then_finished(world, f"{nats_server}/PARCELS", tmp_path / "out.jsonl")
    check(world, tmp_path / "out.jsonl", "nats-PARCELS", 2000)
