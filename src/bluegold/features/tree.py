"""Expression trees as plain data: what a polars expression means, with the type of every node."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Expression", "Node"]


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node of a translated expression.

    Attributes:
        op: operation in this project's own names (``column``, ``literal``, ``add``, ``hour`` ...).
        dtype: result type: ``i8`` ... ``u64``, ``f32``, ``f64``, ``bool``, ``str``, ``datetime``,
            ``duration``, ``null``.
        args: operands.
        value: what the operation needs beside its operands (a column's name, a literal, a unit).
    """

    op: str
    dtype: str
    args: tuple[Node, ...] = ()
    value: Any = None


class Expression(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A polars expression and its translation.

    ``polars`` is the expression's own JSON, which the batch path runs; ``tree`` is the same meaning as
    :class:`Node`, which the one-row path compiles.  ``tree`` is ``None`` when ``obstacle`` has no
    translation; then the one-row path asks polars too.
    """

    polars: str
    inputs: tuple[str, ...]
    dtype: str
    tree: Node | None = None
    obstacle: str = ""
