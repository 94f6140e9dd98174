"""Whether two feature programs say the same, apart from what each learned from its own data."""

from __future__ import annotations

import msgspec

from bluegold.features.specs import ProgramSpec

__all__ = ["changes"]


def changes(one: ProgramSpec, other: ProgramSpec) -> tuple[str, ...]:
    """What is defined differently in two programs, in words; nothing when only what was learned differs.

    Learned are vocabularies, levels, the words of texts and the typical record.

    Args:
        one: the earlier program.
        other: the later one.

    Example:
        >>> from bluegold.features.contract import Contract, number
        >>> from bluegold.features.program import fit_program
        >>> from bluegold.features.system import System
        >>> import polars as pl
        >>> class Row(Contract):
        ...     x: float = number()
        >>> system = System("tiny", contract=Row, target=pl.col("y") > 0)
        >>> system.use("x")
        >>> first = fit_program(system, pl.DataFrame({"x": [1.0, 2.0]}), {})
        >>> changes(first, fit_program(system, pl.DataFrame({"x": [7.0, 9.0]}), {}))
        ()
        >>> system.feature("half", pl.col("x") / 2)
        >>> changes(first, fit_program(system, pl.DataFrame({"x": [1.0, 2.0]}), {}))
        ("'half' is new",)
    """
    found = [f"'{name}' is new" for name in _defined(other) if name not in _defined(one)]
    found += [f"'{name}' is gone" for name in _defined(one) if name not in _defined(other)]
    found += [
        f"'{name}' is defined differently"
        for name, meaning in _defined(one).items()
        if name in _defined(other) and _defined(other)[name] != meaning
    ]
    return tuple(found)


def _defined(program: ProgramSpec) -> dict[str, bytes]:
    """Everything that a definition names, with its meaning."""
    learned = {name for vector in program.vectors for name in vector.columns}
    kinds = {name: kind for name, kind in zip(program.names, program.kinds, strict=True) if name not in learned}
    parts: dict[str, object] = {field.name: field for field in program.contract.fields}
    parts |= {item.name: (item, kinds.get(item.name)) for item in program.expressions}
    parts |= {item.name: (item, kinds.get(item.name)) for item in program.histories}
    parts |= {vector.name: (vector.field, vector.kind) for vector in program.vectors}
    parts |= {f"table {lookup.table}": lookup for lookup in program.lookups}
    return {name: msgspec.json.encode(part, order="deterministic") for name, part in parts.items()}
