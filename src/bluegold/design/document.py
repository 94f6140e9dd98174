"""The document: one definition, its registry and its ledger become the files an architect hands over."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec

from bluegold.core.errors import BluegoldError, UsageError, WorkspaceError
from bluegold.core.nouns import Finding
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.design.annexes import annexes
from bluegold.design.blocks import Document, texts
from bluegold.design.brief import Brief
from bluegold.design.citations import Citations
from bluegold.design.decide import decide
from bluegold.design.facts import gather
from bluegold.design.markdown import markdown
from bluegold.design.packet import completed, packet
from bluegold.design.page import page
from bluegold.design.sections import (
    answers,
    closing,
    overview,
    s1_development,
    s2_production,
    s3_stores,
    s4_registry,
    s5_delivery,
    s6_requirements,
)
from bluegold.design.validate import Check, Written, validate
from bluegold.design.words import Language, Words, translated
from bluegold.features.system import System

__all__ = ["NAME", "Design", "compose", "document", "held"]

NAME = "A-02_AI_Pipeline_Architecture_Deep"

_TECHNICAL = (overview, s1_development, s2_production, s3_stores, s4_registry, s5_delivery, s6_requirements, answers)
_EXECUTIVE = (overview, s1_development, s2_production, s5_delivery)
_FORMATS = ("markdown", "html", "dual")
_VARIANTS = ("technical", "executive")
_LANGUAGES = ("en", "es")


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """A composed design: the document, its packet, its brief and the eleven checks."""

    document: Document
    packet: dict[str, Any]
    brief: Brief
    checks: tuple[Check, ...]


def document(
    subject: System | Plan,
    workspace: Workspace | None,
    out: Path,
    *,
    fmt: str = "dual",
    variant: str = "technical",
    lang: str = "en",
    repo: Path | None = None,
) -> tuple[Path, ...]:
    """Write the design of a system; the same facts give the same bytes.

    Args:
        subject: the definition, or only a plan when no definition exists yet.
        workspace: where the system lives; None before it does.
        out: folder for the files; it is made.
        fmt: ``markdown``, ``html`` or ``dual``.
        variant: ``technical`` (all six sections) or ``executive`` (S1, S2, S5 and the figures).
        lang: ``en`` or ``es``.
        repo: code base to scan; a ``theme.css`` in it replaces the brand tokens.

    Returns:
        the files, the primary document first.

    Raises:
        UsageError: a format, variant or language that does not exist.
        WorkspaceError: the folder cannot be written.
    """
    _known(fmt, variant, lang)
    findings: tuple[Finding, ...] = ()
    if repo is not None:
        from bluegold.design.scan import scan

        findings = scan(repo)
    tongue = cast(Language, lang)
    design = compose(subject, workspace, findings, executive=variant == "executive", lang=tongue)
    words = Words(tongue)
    files = _rendered(design, words, fmt, _tokens(repo)) | annexes(design.brief, design.packet, words)
    _write(out, files)
    return tuple(out / name for name in files)


def _known(fmt: str, variant: str, lang: str) -> None:
    for given, allowed, what in (
        (fmt, _FORMATS, "format"),
        (variant, _VARIANTS, "variant"),
        (lang, _LANGUAGES, "language"),
    ):
        if given not in allowed:
            raise UsageError(f"there is no {what} '{given}'", way_out=f"use one of {', '.join(allowed)}")


def _write(out: Path, files: dict[str, bytes]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "stages").mkdir(exist_ok=True)
        for name, data in files.items():
            write_atomic(out / name, data)
    except OSError as error:
        raise WorkspaceError(
            f"the design cannot be written to '{out}'",
            why=error.strerror or str(error),
            way_out="choose another folder with --out, or fix its rights or free space",
        ) from error


def held(files: tuple[Path, ...]) -> tuple[str, ...]:
    """The checks of a written design that do not hold, read back from its packet."""
    path = next(file for file in files if file.name == "architecture.json")
    packet = msgspec.json.decode(path.read_bytes())
    return tuple(check["name"] for check in packet["validation"]["checks"] if check["status"] != "pass")


def compose(
    subject: System | Plan,
    workspace: Workspace | None,
    findings: tuple[Finding, ...] = (),
    *,
    executive: bool = False,
    lang: Language = "en",
) -> Design:
    """Write the design as data: sections, packet and the validation of both.

    The full document is always composed, so that evidence has the same number in every variant.
    """
    facts = gather(subject, workspace, findings)
    words = Words(lang)
    cites = Citations()
    brief = Brief(facts=facts, decisions=decide(facts), cites=cites, say=words.say)
    whole = _document(brief, lang, _TECHNICAL)
    given = packet(brief)
    checks = validate(Written(document=_english(brief, lang, whole), packet=given, cites=cites))
    shown = _document(msgspec.structs.replace(brief, executive=True), lang, _EXECUTIVE) if executive else whole
    end = (closing.validation(brief, checks),)
    used = set(cites.ids("\n".join(_all_text(msgspec.structs.replace(shown, sections=(*shown.sections, *end))))))
    cited = tuple(item for item in cites.all if not executive or item.id in used)
    shown = msgspec.structs.replace(shown, sections=(*shown.sections, *end, closing.evidence(brief, cited)))
    unresolved = sum(text.count(f"[{words.say('Needs input')}") for text in _all_text(whole))
    return Design(
        document=translated(shown, words),
        packet=completed(given, checks, cites.all, unresolved),
        brief=brief,
        checks=checks,
    )


def _english(brief: Brief, lang: Language, whole: Document) -> Document:
    """The document the checks read: always the English one, since they look for its words."""
    if lang == "en":
        return whole
    return _document(msgspec.structs.replace(brief, say=Words("en").say), "en", _TECHNICAL)


def _document(brief: Brief, lang: Language, writers: tuple[Any, ...]) -> Document:
    executive = brief.executive
    subtitle = brief.say(
        "Two pipelines, one registry: what was decided and why, what is enforced, and what was measured."
    )
    return Document(
        title=brief.facts.name,
        subtitle=subtitle,
        lang=lang,
        variant="executive" if executive else "technical",
        sections=tuple(writer.write(brief) for writer in writers),
    )


def _all_text(document: Document) -> list[str]:
    return [text for section in document.sections for block in section.blocks for text in texts(block)]


def _rendered(design: Design, words: Words, fmt: str, tokens: str) -> dict[str, bytes]:
    name = NAME if design.document.variant == "technical" else f"{NAME}_Executive"
    found: dict[str, bytes] = {}
    if fmt in {"html", "dual"}:
        found[f"{name}.html"] = page(design.document, words, tokens).encode()
    if fmt in {"markdown", "dual"}:
        found[f"{name}.md"] = markdown(design.document, words).encode()
    found["architecture.json"] = msgspec.json.format(msgspec.json.encode(design.packet), indent=2) + b"\n"
    return found


def _tokens(repo: Path | None) -> str:
    path = None if repo is None else repo / "theme.css"
    if path is None or not path.is_file():
        return ""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BluegoldError(f"'{path}' cannot be read", why=str(error), way_out="write CSS in UTF-8") from error
    if "<" in text or "@import" in text or "url(" in text:
        raise BluegoldError(
            f"'{path}' holds more than tokens",
            why="markup, @import and url() stay out",
            way_out="use CSS variables only",
        )
    return text
