"""Artefact scan: by content, not by name, refuse what could run code when opened or is of no known format."""

from __future__ import annotations

import ast
import contextlib
import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath

import msgspec

from bluegold.security.onnx_scan import scan_onnx

__all__ = ["FORMATS", "scan"]

_LARGEST = 2 * 1024**3

#: Pickle operations that import something; without one of them a pickle can only hold plain data.
_IMPORTS = {"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"}
_IMPORTED = re.compile(r"[A-Za-z_][\w.]* [A-Za-z_][\w.]*")

#: Beginnings of content that is refused whatever its name says.
_REFUSED: dict[bytes, str] = {
    b"\x7fELF": "it is a machine program (ELF)",
    b"MZ": "it is a machine program (Windows)",
    b"\x89HDF": "it is HDF5, whose layers may carry code",
    b"#!": "it is a script",
    b"ZF": "it is a joblib archive, which is a pickle",
    b"\x1f\x8b": "it is compressed, so its content cannot be seen",
    b"\x93NUMPY": "it is a NumPy file; write Parquet instead",
}


def scan(name: str, data: bytes) -> tuple[str, ...]:
    """What is wrong with an artefact; nothing when it is safe to load.

    Args:
        name: file name; its suffix says which format the content must have.
        data: the whole content.

    Returns:
        problems in words, worst first.

    Example:
        >>> scan("decision.json", b'{"threshold": 0.5}')
        ()
        >>> scan("model.txt", b"cos\\nsystem\\n(S'echo'\\ntR.")
        ("it is a pickle that would call 'os system'",)
    """
    if len(data) > _LARGEST:
        return (f"it is larger than {_LARGEST >> 30} GiB",)
    pickled = _pickle(data)
    if pickled:
        return (pickled,)
    for start, problem in _REFUSED.items():
        if data.startswith(start):
            return (problem,)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(data)
    check = FORMATS.get(PurePosixPath(name).suffix.lower())
    if check is None:
        return (f"its format is not known; known are {', '.join(sorted(FORMATS))}",)
    problem = check(data)
    return (problem,) if problem else ()


def _pickle(data: bytes) -> str:
    """Walk the pickle operations (nothing is executed) and name the first import, if this is a pickle at all."""
    binary = data[:1] == b"\x80" and data[1:2] in {b"\x00", b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"}
    imported = ""
    with warnings.catch_warnings(), contextlib.suppress(ValueError, UnicodeError, IndexError, KeyError, OverflowError):
        warnings.simplefilter("ignore")  # the walk decodes what may be any text, and warns about its backslashes
        for operation, argument, _ in pickletools.genops(data):
            if operation.name in _IMPORTS and not imported:
                imported = str(argument) if argument is not None else "something"
                if operation.name in {"GLOBAL", "INST"} and not _IMPORTED.fullmatch(imported):
                    break
            if operation.name == "STOP":
                if imported:
                    return f"it is a pickle that would call '{imported[:80]}'"
                return "it is a pickle" if binary else ""
    return "it is a damaged pickle" if binary else ""


def _zip(data: bytes) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return ("it is a damaged zip archive",)
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
            return (f"its member '{name[:80]}' would be written outside the folder it is unpacked in",)
        if path.suffix.lower() in {".pkl", ".pickle", ".joblib", ".pt", ".pth"}:
            return (f"its member '{name[:80]}' is a pickle",)
    return ("it is a zip archive; register its members one by one",)


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 text (byte {error.start})"
    return "it is text with a zero byte" if "\x00" in text else ""


def _json(data: bytes) -> str:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        return f"it is not JSON: {error}"
    return ""


def _python(data: bytes) -> str:
    try:
        ast.parse(data)
    except (SyntaxError, ValueError, RecursionError) as error:
        return f"it is not Python: {error}"
    return ""


def _parquet(data: bytes) -> str:
    return "" if data[:4] == b"PAR1" and data[-4:] == b"PAR1" and len(data) >= 12 else "it is not Parquet"


def _svg(data: bytes) -> str:
    problem = _text(data)
    if problem:
        return problem
    text = data.decode("utf-8").lower()
    if "<svg" not in text[:1000]:
        return "it is not SVG"
    if "<script" in text or "javascript:" in text or re.search(r"\son\w+\s*=", text):
        return "it is an SVG image that carries a script"
    return ""


#: suffix -> what is wrong with content under that suffix.
FORMATS: dict[str, Callable[[bytes], str]] = {
    ".csv": _text,
    ".json": _json,
    ".md": _text,
    ".onnx": scan_onnx,
    ".parquet": _parquet,
    ".py": _python,
    ".svg": _svg,
    ".toml": _text,
    ".txt": _text,
    ".yaml": _text,
    ".yml": _text,
}
