"""NF-9: feature pipeline isolation."""

from __future__ import annotations

import itertools

import msgspec

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client, bodies
from bluegold.probes.scratch import ACTOR, NotMeasured, Scratch
from bluegold.stores.key_value_lmdb import KeyValueLmdb

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-9"
TIMES = 40
LIMIT_S = 30.0
SPOILED = b"spoiled by a probe"


def measure(bench: Bench) -> Evidence:
    """Break one feature pipeline beside another, and one feature beside the others; only the broken one may show it.

    First a Gold whose feature program cannot work gets half of the users of a scratch server; then the stored events
    of one online feature are overwritten, if the system has one.

    Raises:
        NotMeasured: nothing is in production, or the server did not follow.
    """
    scratch = bench.scratch()
    found = {"a broken pipeline of Gold": _gold(bench, scratch)}
    if bench.program.histories:
        found["one broken online feature"] = _online(bench, scratch)
    hurt = [f"{name} {said}" for name, said in found.items() if said]
    return bench.evidence(
        REQUIREMENT,
        not hurt,
        samples=TIMES * len(found),
        method=f"{' and '.join(found)} on a scratch server, {TIMES} requests each: "
        + ("; ".join(hurt) if hurt else "every request answered, every feature and score of the others as before"),
        artefact="run/board",
    )


def _gold(bench: Bench, scratch: Scratch) -> str:
    """What a Gold whose feature program raises does to users; empty when nothing."""
    artefacts = dict(scratch.registry.versions.artefacts(scratch.blue.ref))
    program = msgspec.json.decode(artefacts["program.json"])
    _break(program)
    artefacts["program.json"] = msgspec.json.encode(program)
    lineage = msgspec.structs.replace(scratch.blue.lineage, run_id="probe", features="broken")
    broken = scratch.registry.versions.register(scratch.blue.model, artefacts, lineage, {}, author=ACTOR)
    before = _asked(bench, scratch)
    split = scratch.split("probe of NF-9", gold=broken.ref, gold_share=0.5, mode="canary")
    if not scratch.board.wait_applied(split.revision, LIMIT_S):
        raise NotMeasured("the scratch server did not take the split with the broken Gold")
    after = _asked(bench, scratch)
    scratch.split("probe of NF-9 is over")
    return "" if after == before else "changed or cost answers of Blue"


def _break(program: object) -> None:
    """Make every expression of a feature program name a column that does not exist."""
    if isinstance(program, dict):
        if program.get("op") == "column":
            program["value"] = "no such column"
        for value in program.values():
            _break(value)
    elif isinstance(program, list):
        for value in program:
            _break(value)


def _online(bench: Bench, scratch: Scratch) -> str:
    """What the spoiled events of one history do to the other features; empty when nothing."""
    spec = bench.program.histories[0]
    own = {one.name for one in bench.program.histories if one.stream == spec.stream}
    before = _vectors(bench, scratch)
    store = KeyValueLmdb(scratch.workspace.online, durable=False)
    try:
        for key, _ in list(store.scan(spec.stream, limit=100_000)):
            store.put(key, SPOILED)
    finally:
        store.close()
    after = _vectors(bench, scratch)
    if len(after) < len(before):
        return "cost answers"
    names = bench.program.names
    live = {one.name for one in bench.program.histories}
    changed = {
        name
        for old, new in zip(before, after, strict=True)
        for name, was, is_now in zip(names, old, new, strict=True)
        if was != is_now and name not in live
    }
    return f"changed {', '.join(sorted(changed)[:5])}, not only {', '.join(sorted(own))}" if changed else ""


def _asked(bench: Bench, scratch: Scratch) -> list[tuple[int, float | None]]:
    """Status and score of the same requests, made once more."""
    found = []
    with Client(scratch.endpoint) as client:
        for body in itertools.islice(itertools.cycle(bodies(bench)), TIMES):
            status, answer = client.post("/v1/predict", body)
            live = bool(bench.program.histories)  # each request is an event of the next one's history
            found.append((status, None if live or status != 200 else answer["score"]))
    return found


def _vectors(bench: Bench, scratch: Scratch) -> list[list[float | None]]:
    """The features with which the same requests were decided."""
    found = []
    with Client(scratch.endpoint) as client:
        for body in itertools.islice(itertools.cycle(bodies(bench)), TIMES):
            status, answer = client.post("/v1/predict", body)
            if status == 200:
                found.append(client.get(f"/v1/decisions/{answer['id']}")[1]["vector"])
    return found
