"""Imports: which of the system's own modules a module leans on."""

from __future__ import annotations

from collections.abc import Iterable

from bluegold.design.understand.code import Module

__all__ = ["closure", "index_of", "local_module"]


def closure(modules: Iterable[Module], everything: tuple[Module, ...]) -> dict[str, Module]:
    """Modules and the system's own modules that they import, however far, by path.

    Example:
        >>> from bluegold.design.understand.code import read_module
        >>> both = tuple(read_module(*one) for one in (("a/b.py", "from .c import f"), ("a/c.py", "f = 1")))
        >>> sorted(closure(both[:1], both))
        ['a/b.py', 'a/c.py']
    """
    by_name = index_of(everything)
    found: dict[str, Module] = {}
    pending = list(modules)
    while pending:
        module = pending.pop()
        if module.path in found:
            continue
        found[module.path] = module
        for name in module.imports:
            other = local_module(name, module.path, by_name)
            if other is not None:
                pending.append(other)
    return found


def index_of(everything: Iterable[Module]) -> dict[str, Module]:
    """The system's modules by their dotted path."""
    return {_dotted(module.path): module for module in everything}


def _dotted(path: str) -> str:
    return path.rpartition(".")[0].replace("/", ".").removesuffix(".__init__")


def local_module(name: str, path: str, by_name: dict[str, Module]) -> Module | None:
    """The system's own module that a name, imported in a file, stands for, or nothing."""
    level = len(name) - len(name.lstrip("."))
    folders = path.split("/")[:-1]
    if level:
        bases = [".".join(folders[: len(folders) - level + 1])]
    else:
        bases = [".".join(folders[:number]) for number in range(len(folders), -1, -1)] + ["src", "lib"]
    for base in bases:
        full = ".".join(part for part in (base, name.lstrip(".")) if part)
        if full in by_name and by_name[full].path != path:
            return by_name[full]
    return None
