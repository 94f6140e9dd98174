"""A Merkle tree over a growing list: one root stands for all entries, and short proofs tie an entry to a root.

Source: RFC 6962 and RFC 9162 (Certificate Transparency), section 2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

__all__ = ["EMPTY", "Frontier", "Tree", "consistent", "included", "leaf"]

#: The root of nothing.
EMPTY = hashlib.sha256(b"").digest()


def leaf(entry: bytes) -> bytes:
    """The hash of an entry as a leaf (never the hash of an inner node of the same bytes)."""
    return hashlib.sha256(b"\0" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


class Frontier:
    """The tree while its leaves arrive one by one: a few hashes, whatever its size.

    Args:
        level: subtrees of ``2 ** level`` leaves are remembered one at a time, in :attr:`block`.

    Example:
        >>> frontier = Frontier()
        >>> for entry in (b"a", b"b", b"c"):
        ...     frontier.append(leaf(entry))
        >>> frontier.root == Tree(lambda lo, hi: [leaf(e) for e in (b"a", b"b", b"c")[lo:hi]]).root(0, 3)
        True
    """

    def __init__(self, level: int = 10) -> None:
        self._peaks: list[tuple[int, bytes]] = []
        self._level = level
        self.block = b""

    def append(self, hashed: bytes) -> None:
        """Add a leaf."""
        level = 0
        while self._peaks and self._peaks[-1][0] == level:
            hashed = _node(self._peaks.pop()[1], hashed)
            level += 1
            if level == self._level:
                self.block = hashed
        self._peaks.append((level, hashed))

    @property
    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._peaks:
            return EMPTY
        found = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            found = _node(peak, found)
        return found


class Tree:
    """Roots and proofs over leaves that are read when they are needed.

    Args:
        leaves: the leaves from one position up to another.
        blocks: roots of whole subtrees of ``block`` leaves that are known already, by their number.
        block: leaves of such a subtree, a power of two.
    """

    def __init__(
        self,
        leaves: Callable[[int, int], Sequence[bytes]],
        blocks: Mapping[int, bytes] | None = None,
        block: int = 1024,
    ) -> None:
        self._leaves = leaves
        self._blocks = blocks or {}
        self._block = block

    def root(self, start: int, end: int) -> bytes:
        """The root over the leaves from ``start`` up to ``end``."""
        size = end - start
        if size <= self._block:
            whole = size == self._block and start % self._block == 0
            return (self._blocks.get(start // self._block) if whole else None) or _fold(self._leaves(start, end))
        middle = start + _split(size)
        return _node(self.root(start, middle), self.root(middle, end))

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """What ties the leaf at ``index`` to the root over the first ``size`` leaves."""
        start, end, path = 0, size, []
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self.root(middle, end))
                end = middle
            else:
                path.append(self.root(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, before: int, size: int) -> list[bytes]:
        """What shows that the tree of ``before`` leaves is the beginning of that of ``size`` leaves."""
        return self._beginning(before, 0, size, known=True)

    def _beginning(self, before: int, start: int, end: int, *, known: bool) -> list[bytes]:
        if before == end - start:
            return [] if known else [self.root(start, end)]
        middle = start + _split(end - start)
        if before <= middle - start:
            return [*self._beginning(before, start, middle, known=known), self.root(middle, end)]
        rest = self._beginning(before - (middle - start), middle, end, known=False)
        return [*rest, self.root(start, middle)]


def included(hashed: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof ties the leaf ``hashed`` at ``index`` to ``root`` over ``size`` leaves.

    Example:
        >>> entries = [leaf(bytes([n])) for n in range(5)]
        >>> tree = Tree(lambda lo, hi: entries[lo:hi])
        >>> included(entries[3], 3, 5, tree.inclusion(3, 5), tree.root(0, 5))
        True
        >>> included(entries[3], 2, 5, tree.inclusion(3, 5), tree.root(0, 5))
        False
    """
    if not 0 <= index < size:
        return False
    here, last, found = index, size - 1, hashed
    for step in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            found = _node(step, found)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            found = _node(found, step)
        here, last = here >> 1, last >> 1
    return last == 0 and found == root


def consistent(before: int, first: bytes, size: int, second: bytes, path: Sequence[bytes]) -> bool:
    """Whether a proof shows that the tree with root ``first`` is the beginning of the one with root ``second``.

    Example:
        >>> entries = [leaf(bytes([n])) for n in range(7)]
        >>> tree = Tree(lambda lo, hi: entries[lo:hi])
        >>> consistent(3, tree.root(0, 3), 7, tree.root(0, 7), tree.consistency(3, 7))
        True
        >>> consistent(4, tree.root(0, 3), 7, tree.root(0, 7), tree.consistency(3, 7))
        False
    """
    if before == size:
        return first == second and not path
    if not 0 < before < size:
        return False
    steps = [first, *path] if before & (before - 1) == 0 else list(path)
    if not steps:
        return False
    here, last = before - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old, new = _node(step, old), _node(step, new)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            new = _node(new, step)
        here, last = here >> 1, last >> 1
    return last == 0 and old == first and new == second


def _fold(leaves: Sequence[bytes]) -> bytes:
    """The root over leaves that are all there."""
    level = list(leaves)
    while len(level) > 1:
        pairs = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = [*pairs, level[-1]] if len(level) % 2 else pairs
    return level[0] if level else EMPTY
