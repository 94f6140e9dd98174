"""The scan of ONNX files, by content and without the library: no other files, no operators of strangers, no loops.

The file is a protocol-buffers message; only its outline is walked (https://onnx.ai/onnx/repo-docs/IR.html).
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["DOMAINS", "scan_onnx"]

#: Whose operators may be used: ONNX' own, and those of classical models.
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
#: Operators that may run for ever.
ENDLESS = frozenset({"Loop", "Scan"})
DEEPEST = 20

# numbers of the fields that are looked at, from onnx.proto3
GRAPH, OPSET, FUNCTIONS, TRAINING = 7, 8, 25, 20
NODE, INITIALIZER, SPARSE = 1, 5, 15
OP_TYPE, ATTRIBUTE, DOMAIN = 4, 5, 7
TENSOR, SUBGRAPH, TENSORS, SUBGRAPHS = 5, 6, 10, 11
EXTERNAL, LOCATION = 13, 14


class _DamagedError(ValueError):
    """The bytes are no such message."""


def scan_onnx(data: bytes) -> str:
    """What is wrong with an ONNX file; empty when nothing is.

    Args:
        data: the whole file.

    Example:
        >>> scan_onnx(b"hello")
        'it is not ONNX'
    """
    try:
        parts = list(_fields(data))
        graphs = [body for number, body in parts if number == GRAPH and isinstance(body, bytes)]
        if len(graphs) != 1 or not any(number == OPSET for number, _ in parts):
            return "it is not ONNX"
        if any(number in {FUNCTIONS, TRAINING} for number, _ in parts):
            return "it is ONNX that brings functions of its own"
        for number, body in parts:
            domain = _text(body, 1) if number == OPSET else ""
            if domain not in DOMAINS:
                return f"it is ONNX that needs the operators of '{domain[:80]}'"
        return _graph(graphs[0], 0)
    except _DamagedError:
        return "it is not ONNX"


def _graph(body: bytes, depth: int) -> str:
    if depth > DEEPEST:
        return "it is ONNX whose graphs are nested too deeply"
    for number, part in _fields(body):
        problem = ""
        if number == NODE:
            problem = _node(_bytes(part), depth)
        elif number in {INITIALIZER, SPARSE}:
            problem = _tensor(_bytes(part), sparse=number == SPARSE)
        if problem:
            return problem
    return ""


def _node(body: bytes, depth: int) -> str:
    operator, domain = _text(body, OP_TYPE), _text(body, DOMAIN)
    if domain not in DOMAINS:
        return f"it is ONNX that runs the operator '{operator[:80]}' of '{domain[:80]}'"
    if operator in ENDLESS:
        return f"it is ONNX with a '{operator}', which may never end"
    for number, attribute in _fields(body):
        if number != ATTRIBUTE:
            continue
        for kind, part in _fields(_bytes(attribute)):
            problem = ""
            if kind in {TENSOR, TENSORS}:
                problem = _tensor(_bytes(part), sparse=False)
            elif kind in {SUBGRAPH, SUBGRAPHS}:
                problem = _graph(_bytes(part), depth + 1)
            if problem:
                return problem
    return ""


def _tensor(body: bytes, *, sparse: bool) -> str:
    """A tensor must hold its values itself; a sparse one is two tensors."""
    if sparse:
        inner = [_bytes(part) for number, part in _fields(body) if number in {1, 2}]
        return next((problem for one in inner if (problem := _tensor(one, sparse=False))), "")
    for number, part in _fields(body):
        if number == EXTERNAL or (number == LOCATION and part != 0):
            return "it is ONNX that reads other files"
    return ""


def _text(body: bytes | int, wanted: int) -> str:
    found = [part for number, part in _fields(_bytes(body)) if number == wanted]
    return _bytes(found[-1]).decode("utf-8", "replace") if found else ""


def _bytes(part: bytes | int) -> bytes:
    if isinstance(part, int):
        raise _DamagedError
    return part


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of one message: number, and its bytes or whole number (fixed-size numbers are skipped)."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(data, place)
            yield number, value
        elif wire == 2:
            size, place = _varint(data, place)
            if size > len(data) - place:
                raise _DamagedError
            yield number, data[place : place + size]
            place += size
        elif wire in {1, 5}:
            place += 8 if wire == 1 else 4
        else:
            raise _DamagedError
    if place != len(data):
        raise _DamagedError


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise _DamagedError
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise _DamagedError
