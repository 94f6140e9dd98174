"""The scan itself (first cut)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from bluegold.core.errors import DataError
from bluegold.core.nouns import Finding, Noun

__all__ = ["Limits", "Survey", "scan", "survey"]

_KNOWN = {
    "torch": ("pytorch", "framework", "S1"),
    "tensorflow": ("tensorflow", "framework", "S1"),
    "sklearn": ("scikit-learn", "framework", "S1"),
    "lightgbm": ("lightgbm", "framework", "S1"),
    "xgboost": ("xgboost", "framework", "S1"),
    "mlflow": ("mlflow", "tracking", "S4"),
    "airflow": ("airflow", "orchestrator", "S1"),
    "fastapi": ("fastapi", "serving", "S2"),
    "redis": ("redis", "key-value-store", "S3"),
    "feast": ("feast", "feature-store", "S2"),
}


class Limits(Noun, frozen=True, kw_only=True):
    """Bounds of one scan."""

    max_bytes: int = 2_000_000
    max_files: int = 100_000


class Survey(Noun, frozen=True, kw_only=True):
    """Findings and what was read or skipped."""

    findings: tuple[Finding, ...]
    files: int = 0
    skipped: dict[str, int] = {}


def survey(path: Path, *, limits: Limits | None = None) -> Survey:
    """Scan a folder and say what was read and what was skipped."""
    limits = limits or Limits()
    if not path.is_dir():
        raise DataError(f"'{path}' is not a directory", way_out="name the folder of a code base")
    findings = []
    files = sorted(p for p in path.rglob("*.py") if p.is_file() and not p.is_symlink())
    for file in files:
        try:
            tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                row = _KNOWN.get(re.split(r"\.", name)[0])
                if row:
                    findings.append(
                        Finding(
                            kind=row[1],
                            technology=row[0],
                            section=row[2],
                            usage="used",  # type: ignore[arg-type] - first cut
                            path=file.relative_to(path).as_posix(),
                            line=node.lineno,
                            evidence="import",
                            confidence=0.9,
                            detector=f"{row[1]}.{row[0]}.import",
                        )
                    )
    return Survey(findings=tuple(findings), files=len(files))


def scan(path: Path, *, limits: Limits | None = None) -> tuple[Finding, ...]:
    """Findings of a code base."""
    return survey(path, limits=limits).findings
