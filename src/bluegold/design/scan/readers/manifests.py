"""Package manifests that are not TOML: setup.py by its tree, package.json, go.mod, and imports of other languages."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

from bluegold.design.scan.readers.addresses import scheme_of
from bluegold.design.scan.readers.names import package_signals
from bluegold.design.scan.readers.syntax import outline
from bluegold.design.scan.signals import EvidenceKind, Signal
from bluegold.design.scan.source import SourceFile

__all__ = [
    "read_description",
    "read_foreign",
    "read_go_mod",
    "read_jvm_build",
    "read_package_json",
    "read_prisma",
    "read_r",
    "read_setup_py",
]

_OPTIONS = frozenset({"install_requires", "extras_require", "setup_requires", "tests_require"})
_NODE_IMPORT = re.compile(
    r"""(?:\bfrom\s{0,20}|\brequire\(\s{0,20}|^\s{0,20}import\s{1,20})['"]([^'"./][^'"\s]{0,120})['"]"""
)
#: libraries that are told by a word which database they talk to, and the words that are no schemes of addresses
_MAPPERS = re.compile(r"typeorm|sequelize|\bknex\b|drizzle|mikro-orm|\bnew DataSource\(")
_MAPPED = re.compile(r"""\b(?:type|dialect|client|driver)['"]?\s{0,5}:\s{0,5}['"]([a-z][a-z0-9-]{1,20})['"]""")
_CLIENTS = {"pg": "postgres", "mysql2": "mysql", "sqlite3": "sqlite", "better-sqlite3": "sqlite", "sqlserver": "mssql"}
_PROVIDER = re.compile(r"""\s{1,20}provider\s{0,20}=\s{0,20}"([a-z]{2,20})\"""")
_VARIABLE = re.compile(r"""\bprocess\.env(?:\.([A-Z][A-Z0-9_]{2,60})|\[['"]([A-Z][A-Z0-9_]{2,60})['"]\])""")
_QUOTED = re.compile(r"""["'`]([a-z][a-z0-9+.:-]{1,40}://[^"'`\s]{1,300})["'`]""")
_JVM_IMPORT = re.compile(r"\s{0,20}import\s+(?:static\s+)?([a-z][\w.]{2,200})")
_R_IMPORT = re.compile(r"\s{0,40}(?:library|require|requireNamespace)\(\s{0,9}['\"]?([A-Za-z][\w.]{1,60})")
_R_CALL = re.compile(r"\b([A-Za-z][\w.]{1,40})::{1,2}[A-Za-z_.]")
_R_NAME = re.compile(r"\s*([A-Za-z][A-Za-z0-9.]{1,60})")
_R_FIELDS = frozenset({"Imports", "Depends", "LinkingTo"})
_FORMAT = re.compile(r"""\.format\(\s{0,9}"([a-z][\w.-]{1,40})"\s{0,9}\)""")
#: packages of R whose name means something else than the library of Python
_R_OTHERS = frozenset({"datasets", "evaluate", "river", "aim", "modal", "redis", "union"})
_ARTIFACT = re.compile(
    r"<groupId>\s{0,20}([\w.-]{3,80})|['\"]([a-z][\w.-]{2,80}):[\w.-]{1,80}|[\"]([a-z][\w.-]{2,80})[\"]\s{0,9}%%?"
)
_GO_IMPORT = re.compile(r"""\s{0,20}(?:import\s+)?(?:[\w.]+\s+)?"([a-z0-9-]+\.[^"\s]{2,200})"\s*$""")


def read_setup_py(file: SourceFile) -> Iterator[Signal]:
    """Signals of the requirements in a setup.py: literal lists, also when a variable holds them."""
    found = outline(file.text)
    if found is None:
        return
    nodes = [keyword.value for call in found.calls for keyword in call.keywords if keyword.arg in _OPTIONS]
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    if named:
        nodes.extend(
            node.value
            for node in ast.parse(file.text).body
            if isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id in named for target in node.targets)
        )
    for node in nodes:
        yield from _requirements(node)


def _requirements(node: ast.AST) -> Iterator[Signal]:
    if isinstance(node, ast.Dict):
        for value in node.values:
            yield from _requirements(value)
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        for item in node.elts:
            if isinstance(item, ast.Constant) and isinstance(item.value, str):
                yield from package_signals(item.value, item.lineno)


def read_package_json(file: SourceFile) -> Iterator[Signal]:
    """Signals of the dependencies that a package.json asks for."""
    try:
        document = json.loads(file.text)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    for table in ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies"):
        packages = document.get(table)
        for name in packages if isinstance(packages, dict) else ():
            line = file.words.get(name.lstrip("@"), 1)
            yield Signal("package", f"npm:{name}", line, f"package {name}")


def read_go_mod(file: SourceFile) -> Iterator[Signal]:
    """Signals of the modules a go.mod requires itself; ``// indirect`` ones came along."""
    inside = False
    for number, line in enumerate(file.lines, 1):
        text = line.strip()
        if text.startswith("require ("):
            inside = True
        elif inside and text == ")":
            inside = False
        elif (inside or text.startswith("require ")) and "// indirect" not in text and not text.startswith("//"):
            words = text.removeprefix("require ").split()
            if words:
                yield Signal("foreign", f"go:{words[0]}", number, f"module {words[0]}", evidence="dependency")


def read_foreign(file: SourceFile) -> Iterator[Signal]:
    """Imports, addresses and variables of JavaScript, TypeScript, Go, Java, Kotlin and Scala, line by line."""
    suffix = file.name.rpartition(".")[2]
    maps = suffix.endswith(("js", "ts", "jsx", "tsx")) and _MAPPERS.search(file.text)
    for number, line in enumerate(file.lines, 1):
        if line.lstrip().startswith(("//", "*", "/*")):
            continue
        yield from _settings_of_code(line, number, mapped=bool(maps))
        if suffix == "go":
            found = _GO_IMPORT.match(line)
            if found:
                yield Signal("foreign", f"go:{found[1]}", number, f"import {found[1]}")
        elif suffix in {"java", "kt", "scala"}:
            found = _JVM_IMPORT.match(line)
            if found:
                yield Signal("import", found[1], number, f"import {found[1]}")
                yield Signal("foreign", _jvm(found[1]), number, f"import {found[1]}")
            for form in _FORMAT.finditer(line[:1000]):
                yield Signal("call", ".format", number, f"call .format({form[1]!r})", extra=form[1])
        else:
            typed = line.lstrip().startswith("import type") or file.name.endswith(".d.ts")
            for found in _NODE_IMPORT.finditer(line[:1000]):
                kind: EvidenceKind | None = "dependency" if typed else None
                yield Signal("foreign", f"npm:{found[1]}", number, f"import {found[1]}", evidence=kind)


def _settings_of_code(line: str, number: int, *, mapped: bool) -> Iterator[Signal]:
    """Addresses, variables of the environment, and the databases that an object-relational mapper is told."""
    for found in _VARIABLE.finditer(line[:1000]):
        yield Signal("env", found[1] or found[2], number, f"variable {found[1] or found[2]}")
    for found in _QUOTED.finditer(line[:1000]) if "://" in line else ():
        scheme = scheme_of(found[1])
        if scheme:
            yield Signal("url", scheme, number, f"address {scheme}:")
    for found in _MAPPED.finditer(line[:1000]) if mapped else ():
        yield Signal("url", _CLIENTS.get(found[1], found[1]), number, f"database {found[1]}")


def read_prisma(file: SourceFile) -> Iterator[Signal]:
    """The database that a Prisma schema names."""
    inside = False
    for number, line in enumerate(file.lines, 1):
        inside = line.startswith("datasource") or (inside and not line.startswith("}"))
        found = _PROVIDER.match(line) if inside else None
        if found:
            yield Signal("url", _CLIENTS.get(found[1], found[1]), number, f"provider {found[1]}")


def read_r(file: SourceFile) -> Iterator[Signal]:
    """Packages that R code attaches, or calls by name."""
    for number, line in enumerate(file.lines, 1):
        if line.lstrip().startswith("#"):
            continue
        attached = _R_IMPORT.match(line)
        names = [attached[1]] if attached else []
        for name in dict.fromkeys((*names, *_R_CALL.findall(line[:1000]))):
            yield from _r_package(name, number, "import")


def read_description(file: SourceFile) -> Iterator[Signal]:
    """Packages that the DESCRIPTION of an R project asks for."""
    field = ""
    for number, line in enumerate(file.lines, 1):
        if line[:1] not in {" ", "\t"}:
            field = line.partition(":")[0]
        listed = line.removeprefix(f"{field}:")
        for item in listed.split(",") if field in _R_FIELDS else ():
            found = _R_NAME.match(item)
            if found:
                yield from _r_package(found[1], number, "dependency")


def _r_package(name: str, number: int, evidence: EvidenceKind) -> Iterator[Signal]:
    """A package of R by its own name, and by that of the library of Python that it stands for."""
    yield Signal("package", f"r:{name}", number, f"library {name}", evidence=evidence)
    if name.lower() not in _R_OTHERS:
        yield Signal("package", name.lower(), number, f"library {name}", evidence=evidence)


def _jvm(name: str) -> str:
    return "jvm:" + name.replace(".", "/")


def read_jvm_build(file: SourceFile) -> Iterator[Signal]:
    """Artifacts that a Maven, Gradle or sbt build asks for, by their group."""
    for number, line in enumerate(file.lines, 1):
        if line.lstrip().startswith(("//", "*", "<!--")):
            continue
        for found in _ARTIFACT.finditer(line[:1000]):
            group = found[1] or found[2] or found[3]
            yield Signal("import", group, number, f"artifact of {group}", evidence="dependency")
            yield Signal("foreign", _jvm(group), number, f"artifact of {group}", evidence="dependency")
