"""SEC-5: data access controls."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import Any

import msgspec

from bluegold.core.errors import AccessDenied, BluegoldError
from bluegold.core.nouns import Evidence, TrafficSplit
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client, bodies
from bluegold.probes.instruments.guarded import guarded
from bluegold.registry.registry import Registry
from bluegold.security.access import ROLES, Action
from bluegold.security.identities import Identities

__all__ = ["REQUIREMENT", "exposed", "measure"]

REQUIREMENT = "SEC-5"
_OPEN = ("/v1/health", "/v1/rollout", "/metrics", "/openapi.json")
_DATA = ("users.json", "bluegold.db", "decisions", "objects", "results", "archive")
_ENTER, _READ = stat.S_IXGRP | stat.S_IXOTH, stat.S_IRGRP | stat.S_IROTH
_NO_USERS = (
    "this workspace has no users, so whoever reaches the port may ask and read decisions, and whoever is named may "
    "change anything; 'bluegold user add' switches the controls on"
)
_MAY: dict[str, frozenset[Action]] = {str(role): may for role, may in ROLES.items()}
Attempt = Callable[[Registry, str, str], Any]


def measure(bench: Bench) -> Evidence:
    """Ask for every route and every change with every role and with none, and look at the rights of the files.

    Raises:
        NotMeasured: nothing is in production.
    """
    wrong, tried = exposed(bench.workspace), 1
    if not Identities.open(bench.workspace).active:
        asked, found = _open_door(bench)
        wrong, tried = [*found, *wrong], tried + asked
        how = "a decision asked for and read without a key; rights of the workspace's files"
    else:
        asked, found = _routes(bench)
        changed, passed = _changes(bench)
        wrong, tried = [*wrong, *found, *passed], tried + asked + changed
        how = (
            f"{asked} requests with a key of every role, none, a made-up and an expired one; {changed} changes of the "
            "registry tried with every role; rights of the workspace's files"
        )
    said = f"not held: {wrong[0]} ({len(wrong)} in all)" if wrong else "each was allowed or refused as the roles say"
    return bench.evidence(REQUIREMENT, not wrong, samples=tried, method=f"{how}: {said}", artefact="bluegold.db")


def exposed(workspace: Workspace) -> list[str]:
    """Files that other users of this machine can read or change.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> space = Workspace.create(Path(tempfile.mkdtemp()) / "w")
        >>> exposed(space)
        []
        >>> space.root.chmod(0o755)
        >>> exposed(space)[0].startswith("others can read")
        True
    """
    if not workspace.root.stat().st_mode & _ENTER:
        return []
    seen = [workspace.root / name for name in _DATA]
    if workspace.keys.exists() and workspace.keys.stat().st_mode & _ENTER:
        seen += [path for path in workspace.keys.iterdir() if path.suffix != ".pub"]
    return [
        f"others can read {path.relative_to(workspace.root)}"
        for path in seen
        if path.exists() and path.stat().st_mode & _READ
    ]


def _open_door(bench: Bench) -> tuple[int, list[str]]:
    """What somebody without a key gets from a workspace without users."""
    with Client(bench.scratch().endpoint) as client:
        status, answer = client.post("/v1/predict", bodies(bench)[0])
        read, _ = client.get(f"/v1/decisions/{answer.get('id', '')}")
    if status != 200 and read != 200:
        return 2, []
    return 2, [_NO_USERS]


def _routes(bench: Bench) -> tuple[int, list[str]]:
    """Requests made to every route, and what was not answered as it should be."""
    server, body = bench.once(guarded), bodies(bench)[0]
    status, answer = server.ask("application", "POST", "/v1/predict", body)
    decision = answer.get("id", "") if isinstance(answer, dict) else ""
    wrong = [] if status == 200 and decision else [f"an application got {status} for a prediction"]
    outcome = msgspec.json.encode({"outcomes": [{"id": decision, "value": True}]})
    routes: tuple[tuple[str, str, bytes, Action | None], ...] = (
        ("POST", "/v1/predict", body, "predict"),
        ("POST", "/v1/outcomes", outcome, "predict"),
        ("GET", f"/v1/decisions/{decision}", b"", "decisions"),
        *(("GET", path, b"", None) for path in _OPEN[:2]),
    )
    for who in server.keys:
        may = _MAY.get(who)  # what is no role may nothing, and has no name
        for method, path, sent, action in routes:
            got, _ = server.ask(who, method, path, sent)
            allowed = action is None or (may is not None and action in may)
            expected = {200, 202} if allowed else {401} if may is None else {403}
            if got not in expected and not (allowed and got < 401):
                wrong.append(f"'{who}' got {got} from {method} {path.partition('?')[0]}")
    return len(server.keys) * len(routes), wrong


def _changes(bench: Bench) -> tuple[int, list[str]]:
    """Every change of the registry with every role, in a copy: what was done that the role does not allow."""
    attempts = _attempts(bench)
    roles = [role for role in sorted(ROLES) if role != "automatic"]
    wrong = []
    with bench.copy() as space:
        write_atomic(space.root / "access.json", msgspec.json.encode({role: [role] for role in roles}))
        for name in ("users.json", "oidc.json"):
            (space.root / name).unlink(missing_ok=True)
        with Registry.open(space, actor="probe") as registry:
            since = registry.audit.append("", "probe", "SEC-5").number
            for action, attempt in attempts.items():
                for role in (*roles, "a stranger"):
                    denied = _denied(attempt, registry, bench.newest.ref, role)
                    if denied == (action in _MAY.get(role, frozenset())):
                        wrong.append(f"'{role}' was {'refused' if denied else 'allowed'} to {action}")
                    new = registry.audit.events(since, 100)
                    since = new[-1].number if new else since
                    if denied and new:
                        wrong.append(f"'{role}' was refused to {action}, and something changed")
    return len(attempts) * (len(roles) + 1), wrong


def _denied(attempt: Attempt, registry: Registry, ref: str, role: str) -> bool:
    try:
        attempt(registry, ref, role)
    except AccessDenied:
        return True
    except BluegoldError:
        return False  # allowed to try; the rules of the registry stand in the way
    return False


def _attempts(bench: Bench) -> dict[Action, Attempt]:
    """What each action of a role is tried with."""
    model, version = bench.model, bench.newest

    def register(registry: Registry, ref: str, role: str) -> None:
        lineage = msgspec.structs.replace(version.lineage, parent=ref, run_id=f"probe-{role}")
        registry.versions.register(model, registry.versions.artefacts(ref), lineage, version.metrics, author=role)

    def split(registry: Registry, ref: str, role: str) -> None:
        registry.traffic.set(TrafficSplit(model=model, revision=0, blue=ref, set_by=role, reason="probe of SEC-5"))

    return {
        "register": register,
        "traffic": split,
        "approve": lambda registry, ref, role: registry.approvals.approve(ref, role),
        "move": lambda registry, ref, role: registry.lifecycle.transition(ref, "Staging", role, "probe of SEC-5"),
        "promote": lambda registry, ref, role: registry.promote(ref, role, "probe of SEC-5"),
        "restore": lambda registry, ref, role: registry.restore(model, ref, role, "probe of SEC-5"),
        "review": lambda registry, ref, role: registry.reviews.add(ref, "probe of SEC-5", "comment", role),
        "release": lambda registry, ref, role: registry.releases.open(ref, role),
        "configure": lambda registry, _, role: registry.users.add(f"by {role}", ("reader",), role),
    }
