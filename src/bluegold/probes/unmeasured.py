"""What no probe measures yet, and why; and where the probes of the others stand, found without loading them."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["UNMEASURED", "place"]

#: requirement -> why nothing here measures it yet
UNMEASURED: dict[str, str] = {
    "SEC-1": "the interfaces have no certificates; the server listens on loopback only",
    "SEC-4": "nothing defends the served model against adversarial queries",
    "SEC-5": "roles guard every change and keys guard HTTP once a workspace has users, but no probe attacks both",
    "SEC-6": "nothing watches the served model for extraction",
    "CP-1": "nothing marks personal fields, and reading over HTTP asks for no identity",
    "CP-2": "no field is known to be a financial transaction, and there is no archive to attack",
    "CP-3": "no field is known to identify somebody financially, and nothing is encrypted at rest",
    "CP-4": "no field is known to identify somebody financially, and nothing is encrypted in use",
}


def place(identifier: str) -> str:
    """The file and line that measure a requirement, as ``path:line``; empty when nothing does.

    Example:
        >>> place("AP-10").rpartition("/")[2].partition(":")[0]
        'safe_configuration_time.py'
        >>> place("CP-2")
        ''
    """
    for path in sorted(Path(__file__).parent.glob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if any(_is_requirement(node, identifier) for node in body):
            lines = [node.lineno for node in body if isinstance(node, ast.FunctionDef) and node.name == "measure"]
            return f"{path}:{lines[0] if lines else 1}"
    return ""


def _is_requirement(node: ast.stmt, identifier: str) -> bool:
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "REQUIREMENT"
        and isinstance(node.value, ast.Constant)
        and node.value.value == identifier
    )
