"""Python source: imports, calls, decorators, connection addresses, images, variables, comments and docstrings."""

from __future__ import annotations

import ast
import bisect
import re
from collections.abc import Iterator

from bluegold.design.scan.index import Index
from bluegold.design.scan.modules import LocalModules
from bluegold.design.scan.readers.addresses import DIALECT_KEYS, dialect_of, scheme_of
from bluegold.design.scan.readers.interest import interest
from bluegold.design.scan.readers.names import class_named
from bluegold.design.scan.readers.prose import mention_signals
from bluegold.design.scan.readers.shell import command_signals
from bluegold.design.scan.readers.skim import Skimmed, skim
from bluegold.design.scan.readers.syntax import Outline, outline, rough_imports
from bluegold.design.scan.signals import Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["BESIDE", "Code", "commented", "python_prose", "read_python"]

#: said of an import that a module in the same package may answer to
BESIDE = " (or the module beside it)"
_TAKEN = re.compile(r"(?:^|,)[\s(]*([A-Za-z_]\w*)")
_QUOTED = re.compile(r"""["']([^"'\s]{4,300})["']""")
#: comments of one file that are looked at
MOST_COMMENTS = 5_000
_COMMENT = re.compile(r"#[^\n]*")
_IMAGE_KEYWORDS = frozenset({"image", "base_image", "image_uri", "container_image", "docker_image", "image_name"})
_SHELL_KEYWORDS = frozenset({"bash_command", "command", "cmd"})
_SHELL_CALLS = frozenset(
    [
        *("os.system", "os.popen", "subprocess.run", "subprocess.Popen", "subprocess.call"),
        *(
            "subprocess.check_call",
            "subprocess.check_output",
        ),
    ]
)
#: names by which scanned code reads its environment, spelt in two parts because this code reads none
_ENVIRON = "os." + "environ"
_ENVIRONMENT = frozenset({"os." + "getenv", f"{_ENVIRON}.get", f"{_ENVIRON}.setdefault", _ENVIRON})
#: keywords and keys whose texts tell a reader something and open nothing
_TOLD = frozenset({"description", "example", "examples", "help", "title", "epilog", "summary", "docstring"})
_CLIENTS = frozenset({"client", "resource"})
_LOADERS = frozenset({"importlib.import_module", "__import__", "pytest.importorskip", "import_module"})


class Code:
    """One module, or the code cells of one notebook, which share their names.

    Args:
        index: the detectors.
        local: the repository's own modules, which are never libraries.
        path: the file, for deciding what is local to it.
    """

    def __init__(self, index: Index, local: LocalModules, path: str) -> None:
        self._index = index
        self._local = local
        self._path = path
        self._names: dict[str, str] = {}

    def imports(self, found: Outline) -> Iterator[Signal]:
        """Signals of the import statements; call this for all cells before :meth:`uses`."""
        for node in sorted(found.imports, key=lambda item: item.lineno):
            weight = 0.85 if id(node) in found.guarded else 1.0
            typed = id(node) in found.typed
            for bound, means, target in _targets(node):
                head = target.partition(".")[0]
                module = (node.module or "") if isinstance(node, ast.ImportFrom) else target
                known = head in self._index.modules
                if known and self._local.shadows(target, self._path, inside="." in module):
                    continue
                beside = known and self._local.beside(module, self._path)
                if not typed and not beside:
                    self._names[bound] = means
                if known and typed:
                    yield Signal("import", target, node.lineno, f"types of {target}", evidence="dependency")
                elif known:
                    shown = f"import {target}{BESIDE if beside else ''}"
                    yield Signal("import", target, node.lineno, shown, weight=weight / 2 if beside else weight)

    def uses(self, found: Outline) -> Iterator[Signal]:
        """Signals of calls, decorators, string values and environment reads."""
        for call in found.calls:
            yield from self._call(call)
        for mapping in found.dicts:
            yield from _mapping(mapping)
        told = _told(found)
        for node in found.strings:
            if id(node) not in told:
                yield from self._string(node, begins=id(node) in found.starts)
        for item in found.subscripts:
            name = _text(item.slice)
            if name and self._resolve(item.value) == _ENVIRON:
                yield Signal("env", name, item.lineno, f"variable {name[:80]}")

    def _call(self, call: ast.Call) -> Iterator[Signal]:
        name = self._resolve(call.func)
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        first = _text(call.args[0]) if call.args else ""
        if name in _LOADERS:
            head = first.partition(".")[0]
            if head in self._index.modules and not self._local.shadows(first, self._path):
                yield Signal("import", first, call.lineno, f"import of {first[:80]} by name", weight=0.85)
        elif name in _ENVIRONMENT:
            yield Signal("env", first, call.lineno, f"variable {first[:80]}")
        elif name and name.partition(".")[0] in self._index.modules:
            yield self._called(name, call, first or _text(_keyword(call, "service_name")))
        elif method in self._index.methods:
            yield self._called("." + method, call, first)
            if method in _CLIENTS and first:  # a client of a session that a variable holds
                yield self._called(f"boto3.{method}", call, first)
        yield from self._arguments(call, name, first)

    def _called(self, name: str, call: ast.Call, first: str) -> Signal:
        keywords = frozenset(keyword.arg for keyword in call.keywords if keyword.arg)
        shown = f"{name}({first[:60]!r})" if first and "://" not in first else f"{name}()"
        return Signal("call", name, call.lineno, f"call {shown}", extra=first, keywords=keywords)

    def _arguments(self, call: ast.Call, name: str, first: str) -> Iterator[Signal]:
        given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        group, plural = _text(given.get("group")), _text(given.get("plural"))
        if group and plural:
            yield Signal("resource", f"{group}/{plural}", call.lineno, f"{group} {plural}")
        if first and name.endswith("URL.create"):
            yield Signal("url", first.lower(), call.lineno, f"driver {first[:40]}")
        if name in _SHELL_CALLS and call.args:
            yield from command_signals(first or _joined(call.args[0]), call.lineno)
        for argument, node in given.items():
            value = _text(node)
            if value and argument in _IMAGE_KEYWORDS:
                yield Signal("image", value, node.lineno, f"image {value[:120]}")
            elif value and argument in _SHELL_KEYWORDS:
                yield from command_signals(value, node.lineno)
            elif value and argument in DIALECT_KEYS:
                yield Signal("url", value.lower(), node.lineno, f"driver {value[:40]}")
            elif value:
                yield Signal("setting", argument, node.lineno, f"{argument}={value[:60]}", extra=value)

    def _string(self, node: ast.Constant, *, begins: bool) -> Iterator[Signal]:
        value = str(node.value)
        scheme = scheme_of(value) if ":/" in value[:60] else ""
        if scheme and (begins or not value.endswith("://")):
            yield Signal("url", scheme, node.lineno, f"address {scheme}:")
        elif dialect := dialect_of(value):
            yield Signal("url", dialect, node.lineno, f"dialect {dialect}")
        head = class_named(value)
        if head in self._index.modules and not self._local.shadows(value, self._path, inside=True):
            yield Signal("import", value, node.lineno, f"class {value} by name", evidence="configuration")
        for text in self._index.texts:
            if text in value:
                yield Signal("text", text, node.lineno, f"text {text}")

    def _resolve(self, node: ast.AST) -> str:
        """The dotted name behind an expression when an import gave it, else empty."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute) and len(parts) < 12:
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        bound = self._names.get(node.id)
        if bound is None:
            return node.id if node.id in {"__import__", "import_module"} else ""
        return ".".join((bound, *reversed(parts)))


def read_python(file: SourceFile, index: Index, local: LocalModules) -> Iterator[Signal]:
    """Signals of one Python file."""
    if file.text.startswith("# Databricks notebook source"):
        yield from _databricks(file)
    told = index.vocabulary.knows(file.text)
    asked = interest(index)
    if not (told or asked.may_show(file.text)):
        return
    skimmed = skim(file.text)
    if not asked.shows(skimmed.code):
        yield from _told_prose(file.text, skimmed, index)
        return
    if file.aside:  # whatever it shows is only mentioned: its imports and addresses say enough
        yield from _skimmed(file, skimmed, index, local)
        yield from _told_prose(file.text, skimmed, index)
        return
    found = outline(file.text)
    if found is None:
        yield from _rough(file, index, local)
        return
    code = Code(index, local, file.path)
    yield from code.imports(found)
    yield from code.uses(found)
    if told:
        yield from python_prose(found, commented(file.text, index), index)


def _rough(file: SourceFile, index: Index, local: LocalModules) -> Iterator[Signal]:
    for line, name in rough_imports(file.lines):
        if name.partition(".")[0] in index.modules and not local.shadows(name, file.path):
            yield Signal("import", name, line, f"import {name}", weight=0.7)


def _skimmed(file: SourceFile, skimmed: Skimmed, index: Index, local: LocalModules) -> Iterator[Signal]:
    """Imports with what is taken from a package, and addresses, by their lines."""
    lines = skimmed.lines
    for line, module in rough_imports(lines):
        if module.partition(".")[0] in index.modules and not local.shadows(module, file.path):
            taken = _TAKEN.findall(lines[line - 1].partition(" import ")[2])
            for name in (module, *(f"{module}.{inner}" for inner in taken)):
                yield Signal("import", name, line, f"import {name}")
    if ":/" in skimmed.code:
        for line, text in enumerate(lines, 1):
            for quoted in _QUOTED.findall(text) if ":/" in text else ():
                if scheme_of(quoted):
                    yield Signal("url", scheme_of(quoted), line, f"address {scheme_of(quoted)}:")


def _told_prose(text: str, skimmed: Skimmed, index: Index) -> Iterator[Signal]:
    """Mentions in the comments and docstrings of code that shows nothing."""
    line, done = 1, 0
    for at, said in skimmed.prose[:MOST_COMMENTS]:
        if index.vocabulary.knows(said):
            line, done = line + text.count("\n", done, at), at
            yield from mention_signals(said, index, line)


def _databricks(file: SourceFile) -> Iterator[Signal]:
    """A notebook that was exported as source: what it is, and the magic lines of its cells."""
    yield Signal("file", "platform/databricks", 1, "Databricks notebook", evidence="configuration")
    for number, line in enumerate(file.lines, 1):
        if line.startswith(("# MAGIC %pip", "# MAGIC %conda", "# MAGIC %sh")):
            yield from command_signals(line.removeprefix("# MAGIC ").removeprefix("%sh").lstrip(" %"), number)


def python_prose(found: Outline, comments: list[tuple[int, int, str]], index: Index) -> Iterator[Signal]:
    """Mentions in docstrings and in comments that are really comments."""
    for node in found.documents:
        yield from mention_signals(str(node.value), index, node.lineno)
    inside = sorted(((a, b), (c, d)) for a, b, c, d in found.spans)
    starts = [start for start, _ in inside]
    for line, column, text in comments:
        before = bisect.bisect_right(starts, (line, column)) - 1
        if before < 0 or inside[before][1] <= (line, column):
            yield from mention_signals(text, index, line)


def commented(text: str, index: Index) -> list[tuple[int, int, str]]:
    """Comments (line, column, text) that hold a word of the vocabulary."""
    found: list[tuple[int, int, str]] = []
    line, at = 1, 0
    for match in _COMMENT.finditer(text):
        line, at = line + text.count("\n", at, match.start()), match.start()
        comment = match.group()[:2000]
        if len(found) < MOST_COMMENTS and index.vocabulary.knows(comment):
            start = text.rfind("\n", 0, at) + 1
            found.append((line, len(text[start:at].encode()), comment))
    return found


def _targets(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str, str]]:
    """(bound name, what it stands for, what is imported) of a statement; relative imports are local."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            head = alias.name.partition(".")[0]
            yield (alias.asname, alias.name, alias.name) if alias.asname else (head, head, alias.name)
    elif node.module and not node.level:
        for alias in node.names:
            target = node.module if alias.name == "*" else f"{node.module}.{alias.name}"
            yield alias.asname or alias.name, target, target


def _mapping(node: ast.Dict) -> Iterator[Signal]:
    """A cluster object written as a mapping, by its group and kind; a database that a mapping names."""
    found = {_text(key): value for key, value in zip(node.keys, node.values, strict=True) if key is not None}
    for key in DIALECT_KEYS.intersection(found):
        dialect = dialect_of(_text(found[key]), key)
        if dialect:
            yield Signal("url", dialect, node.lineno, f"{key} {dialect}")
    if "apiVersion" in found and "kind" in found:
        group, slash, _ = _text(found["apiVersion"]).rpartition("/")
        kind = _text(found["kind"])
        if slash and kind:
            yield Signal("resource", f"{group}/{kind}", node.lineno, f"{group} {kind}")


def _text(node: ast.AST | None) -> str:
    """A string constant, or how an f-string begins."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr) and node.values:
        return _text(node.values[0])
    return ""


def _told(found: Outline) -> set[int]:
    """The strings of descriptions, examples and help texts."""
    values = [item.value for call in found.calls for item in call.keywords if item.arg in _TOLD]
    for mapping in found.dicts:
        pairs = zip(mapping.keys, mapping.values, strict=True)
        values += [value for key, value in pairs if key is not None and _text(key) in _TOLD]
    return {id(inner) for value in values for inner in ast.walk(value) if isinstance(inner, ast.Constant)}


def _joined(node: ast.AST) -> str:
    """A command given as a list of words."""
    if isinstance(node, ast.List | ast.Tuple):
        return " ".join(_text(item) or "_" for item in node.elts)
    return ""


def _keyword(call: ast.Call, name: str) -> ast.AST | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
