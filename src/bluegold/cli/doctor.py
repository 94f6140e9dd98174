"""`bluegold doctor`: what this installation and workspace can do, checked one by one."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import typer

from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, workspace_path
from bluegold.core.errors import BluegoldError
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace

__all__ = ["Check", "doctor"]

EXTRAS = {"dagster": "export dagster", "mlflow": "mirror to a tracking server", "ray": "scale-out"}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at; ``state`` is ``ok``, ``bad`` or ``absent`` (optional and not there)."""

    name: str
    state: str
    detail: str


def doctor(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Check the installation and the workspace: packages, stores, keys, audit chain, ports."""
    checks = [*_installation(), *_workspace(workspace_path(workspace))]
    healthy = all(check.state != "bad" for check in checks)
    marks = {"ok": "ok    ", "bad": "BAD   ", "absent": "absent"}
    text = "\n".join(f"{marks[check.state]}  {check.name}: {check.detail}" for check in checks)
    emit({"healthy": healthy, "checks": checks}, as_json=json, text=text)
    if not healthy:
        raise typer.Exit(1)


def _installation() -> Iterator[Check]:
    from importlib import metadata, util

    yield Check(name="python", state="ok", detail=".".join(map(str, sys.version_info[:3])))
    for package in ("polars", "lightgbm", "scikit-learn", "sqlalchemy", "lmdb", "httptools", "msgspec"):
        yield _attempt(package, lambda package=package: metadata.version(package))  # type: ignore[misc] # the loop's value is bound
    for package, use in EXTRAS.items():
        found = util.find_spec(package) is not None
        yield Check(name=package, state="ok" if found else "absent", detail=f"optional: {use}")
    yield _attempt("loopback port", _free_port)


def _workspace(root: Path) -> Iterator[Check]:
    if not Workspace(root).database.is_file():
        detail = f"none at '{root}' yet; 'bluegold develop' makes it"
        yield Check(name="workspace", state="absent", detail=detail)
        return
    yield _attempt("workspace", lambda: str(Workspace.create(root).root))
    space = Workspace(root)
    chosen = settings()
    for kind, url in (
        ("relational", chosen.relational_url or "sqlite"),
        ("object", chosen.object_url or "files"),
        ("key_value", chosen.key_value_url or "lmdb"),
    ):
        yield _attempt(f"{kind} store", lambda kind=kind, url=url: _ping(kind, url, space))  # type: ignore[misc] # the loop's values are bound
    yield _attempt("keys", lambda: _keys(space))
    yield _attempt("audit chain", lambda: _chain(space))


def _attempt(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, state="ok", detail=look())
    except (BluegoldError, OSError, ImportError) as error:
        return Check(name=name, state="bad", detail=str(error))


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]} can be bound"


def _ping(kind: str, url: str, space: Workspace) -> str:
    from bluegold.stores.urls import ADAPTERS

    scheme = url.partition("://")[0].partition("+")[0]
    for known, adapters in ADAPTERS.items():
        if known == kind and scheme in adapters:
            store = adapters[scheme](url, space)
            try:
                store.ping()
            finally:
                store.close()
            return f"{scheme} answers"
    raise BluegoldError(f"no {kind} store is called '{scheme}'", way_out="correct the URL in the environment")


def _keys(space: Workspace) -> str:
    from bluegold.security.signing import Verifier

    Verifier.open(space.keys)
    mode = space.keys.stat().st_mode & 0o077
    if mode:
        raise BluegoldError(f"'{space.keys}' can be read by others", way_out=f"chmod 700 {space.keys}")
    return "signing key present, private"


def _chain(space: Workspace) -> str:
    from bluegold.core.errors import IntegrityError
    from bluegold.registry.registry import Registry

    with Registry.open(space) as registry:
        report = registry.audit.verify()
    if not report.ok:
        raise IntegrityError(f"the audit chain is broken at {report.first_bad}", way_out="bluegold audit verify")
    return f"{report.checked} rows verified"
