"""`bluegold design`: the architecture document of a system."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, say, workspace_path
from bluegold.core.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from bluegold.core.plan import Plan
    from bluegold.core.workspace import Workspace
    from bluegold.features.system import System

__all__ = ["design"]

_VARIANTS = {"technical": ("technical", "tecnica", "técnica"), "executive": ("executive", "ejecutiva")}
#: The options of the command: name -> (type with its help, default).
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "repo": (
        Annotated[Path | None, typer.Option("--repo", help="Code base to read; its pipeline.py is the definition.")],
        None,
    ),
    "mode": (
        Annotated[str, typer.Option("--mode", "--modo", help="autopilot, unattended, supervised or step-by-step.")],
        "autopilot",
    ),
    "fmt": (Annotated[str, typer.Option("--format", "--formato", help="markdown, html or dual.")], "markdown"),
    "variant": (
        Annotated[str, typer.Option("--variant", "--variante", help="technical or executive.")],
        "technical",
    ),
    "lang": (Annotated[str, typer.Option("--lang", help="en or es.")], "en"),
    "out": (Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the files.")], None),
    "facts": (
        Annotated[
            list[str] | None, typer.Option("--fact", help="A fact the decisions weigh, as latency_ms=50; repeatable.")
        ],
        None,
    ),
    "check": (
        Annotated[
            Path | None,
            typer.Option("--check", help="Compare a written design with the code base today; exit 1 when it drifted."),
        ],
        None,
    ),
    "workspace": (WorkspaceOption, None),
    "as_json": (JsonOption, False),
}


def design(name: str = "", **options: Any) -> None:
    """Write the six-section document with its diagrams, decisions, requirements and evidence."""
    if options["check"] is not None:
        _check(name, options)
        return
    from bluegold.cli.conversation import conversation, with_answers
    from bluegold.core.plan import Plan
    from bluegold.core.workspace import Workspace
    from bluegold.design.document import document, examine, held
    from bluegold.design.modes import mode_of
    from bluegold.design.stated import parse_facts

    mode_of(options["mode"])
    variant = _one_of(options["variant"], _VARIANTS, "variant")
    _one_of(options["fmt"], {name: (name,) for name in ("markdown", "html", "dual")}, "format")
    given = parse_facts(tuple(options["facts"] or ()))
    space = Workspace(workspace_path(options["workspace"]))
    known = space if space.database.is_file() else None
    repo: Path | None = options["repo"]
    system = name or _asked()
    subject = _subject(system, repo, known)
    folder = options["out"] or (known.documents if known else Path("architecture"))
    talk = conversation(system, options["mode"], options["lang"], folder)
    found = with_answers(talk, subject, known, examine(repo, given))
    talk.checkpoint("before delivery", [f"{options['fmt']}, {variant}, {options['lang']}: {folder}"])
    files = document(subject, known, folder, fmt=options["fmt"], variant=variant, lang=options["lang"], repo=found)
    talk.finish()
    if isinstance(subject, Plan) and found.as_is is not None and not found.learns:
        say(f"'{repo}' shows no machine learning: this is the design of a greenfield")
    failed = held(files)
    emit(
        {"document": str(files[0]), "files": [str(file) for file in files], "failed": failed},
        as_json=options["as_json"],
        text="\n".join(str(file) for file in files),
    )
    if failed:
        raise DeliveryError(
            f"{len(failed)} parts of the validation do not hold",
            why=", ".join(failed),
            way_out="the section Validation of the document says what is missing",
        )


def _check(name: str, options: Mapping[str, Any]) -> None:
    """Compare a written design with the code base: what is new, what is gone, what is decided otherwise."""
    from bluegold.core.workspace import Workspace
    from bluegold.design.document import compose, examine
    from bluegold.design.drift import changes, read_packet, state
    from bluegold.design.stated import parse_facts

    before = state(read_packet(options["check"]))
    repo: Path = options["repo"] or Path()
    space = Workspace(workspace_path(options["workspace"]))
    known = space if space.database.is_file() else None
    subject = _subject(name or before.name, repo, known)
    given = before.given | parse_facts(tuple(options["facts"] or ()))
    now = state(compose(subject, known, examine(repo, given)).packet)
    found = changes(before, now)
    emit(
        {"document": str(options["check"]), "changes": found},
        as_json=options["as_json"],
        text="\n".join(found) or f"'{options['check']}' describes the code base as it is",
    )
    if found:
        count = f"{len(found)} change{'s' if len(found) > 1 else ''}"
        raise DeliveryError(
            f"'{options['check']}' has drifted from the code base: {count}",
            way_out="review them, then write the design again",
        )


def _signature() -> inspect.Signature:
    """What the command line shows: the name, then every option of the table."""
    given = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named = Annotated[str, typer.Argument(help="Name of the system.")]
    found = [inspect.Parameter("name", given, default="", annotation=named)]
    found += [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for option, (kind, default) in _OPTIONS.items()
    ]
    return inspect.Signature(found)


design.__signature__ = _signature()  # type: ignore[attr-defined]  # typer reads it, mypy does not know it
design.__annotations__ = {name: part.annotation for name, part in _signature().parameters.items()}


def _one_of(given: str, names: Mapping[str, tuple[str, ...]], what: str) -> str:
    for name, spellings in names.items():
        if given.strip().lower() in spellings:
            return name
    raise UsageError(f"there is no {what} '{given}'", way_out=f"use one of {', '.join(names)}")


def _asked() -> str:
    if not sys.stdin.isatty():
        raise UsageError("the name of the system is missing", way_out="write 'bluegold design NAME'")
    return str(typer.prompt("Name of the system"))


def _subject(name: str, repo: Path | None, workspace: Workspace | None) -> System | Plan:
    """The definition in the code base, else the one the registry holds, else a plan with that name."""
    from bluegold.core.plan import Plan
    from bluegold.core.plan_file import read_plan
    from bluegold.features.loader import load_system
    from bluegold.registry import Registry

    if repo is not None and not repo.is_dir():
        raise UsageError(f"'{repo}' is not a folder", way_out="give --repo the folder of a code base")
    if repo is not None and (repo / "pipeline.py").is_file() and (repo / "architecture.yaml").is_file():
        system = load_system(repo)
        if system.name != name:
            raise UsageError(f"'{repo}' defines '{system.name}', not '{name}'", way_out=f"design {system.name}")
        return system
    if workspace is not None and repo is None:
        from bluegold.cli.subject import registered_system

        with Registry.open(workspace) as registry:
            if registry.versions.list(name, limit=1):
                return registered_system(registry, name)
    if repo is not None and (repo / "architecture.yaml").is_file():
        return read_plan(repo / "architecture.yaml")
    return Plan(system=name)
