"""Which reader takes which file: one row per kind of file, the first that fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bluegold.design.scan.index import Index
from bluegold.design.scan.modules import LocalModules
from bluegold.design.scan.readers.docker import read_dockerfile
from bluegold.design.scan.readers.manifests import (
    read_description,
    read_foreign,
    read_go_mod,
    read_jvm_build,
    read_package_json,
    read_prisma,
    read_r,
    read_setup_py,
)
from bluegold.design.scan.readers.notebook import read_notebook
from bluegold.design.scan.readers.prose import comment_signals, read_prose
from bluegold.design.scan.readers.python import read_python
from bluegold.design.scan.readers.requirements import (
    read_pipfile,
    read_pyproject,
    read_requirements,
    read_setup_cfg,
)
from bluegold.design.scan.readers.scripts import read_script
from bluegold.design.scan.readers.settings import read_settings, read_sql
from bluegold.design.scan.readers.shell import read_groovy, read_makefile
from bluegold.design.scan.readers.terraform import read_terraform
from bluegold.design.scan.readers.yaml_files import read_yaml
from bluegold.design.scan.signals import Signal
from bluegold.design.scan.source import SourceFile, becomes

__all__ = ["FORMATS", "Context", "Format", "format_of"]


class Context(NamedTuple):
    """What every reader may ask: the detectors and the repository's own modules."""

    detectors: Index
    local: LocalModules


class Format(NamedTuple):
    """One kind of file: the names it goes by and the readers that take it, none when its name says all."""

    name: str
    files: re.Pattern[str]
    readers: tuple[Callable[[SourceFile, Context], Iterator[Signal]], ...]


def _plain(reader: Callable[[SourceFile], Iterator[Signal]]) -> Callable[[SourceFile, Context], Iterator[Signal]]:
    return lambda file, _: reader(file)


def _known(
    reader: Callable[[SourceFile, Index], Iterator[Signal]],
) -> Callable[[SourceFile, Context], Iterator[Signal]]:
    return lambda file, context: reader(file, context.detectors)


def _code(
    reader: Callable[[SourceFile, Index, LocalModules], Iterator[Signal]],
) -> Callable[[SourceFile, Context], Iterator[Signal]]:
    return lambda file, context: reader(file, context.detectors, context.local)


def _format(name: str, files: str, *readers: Callable[[SourceFile, Context], Iterator[Signal]]) -> Format:
    return Format(name, re.compile(files), readers)


_COMMENTS = _known(comment_signals)

FORMATS: tuple[Format, ...] = (
    _format(
        "lock file",
        r".*\.lock|.*require?ments?[^/]*[._-](lock|locked|frozen|freeze|pinned)\.txt|package-lock\.json|pnpm-lock\.yaml|conda-lock\.ya?ml|go\.sum|npm-shrinkwrap\.json",
    ),
    _format("constraints", r"constraints[^/]*\.txt"),
    _format("setup.py", r"setup\.py", _plain(read_setup_py), _code(read_python)),
    _format("Python", r".*\.pyw?", _code(read_python)),
    _format("notebook", r".*\.ipynb", _code(read_notebook)),
    _format(
        "requirements", r"(?i).*require?ments?[^/]*\.(txt|in|pip)|.*requirements", _plain(read_requirements), _COMMENTS
    ),
    _format("pyproject", r"pyproject\.toml", _plain(read_pyproject), _COMMENTS),
    _format("Pipfile", r"Pipfile", _plain(read_pipfile), _COMMENTS),
    _format("setup.cfg", r"setup\.cfg", _plain(read_setup_cfg), _COMMENTS),
    _format("package.json", r"package\.json", _plain(read_package_json)),
    _format("JVM build", r"pom\.xml|build\.gradle(\.kts)?|build\.sbt|libs\.versions\.toml", _plain(read_jvm_build)),
    _format("R", r".*\.(R|r)", _plain(read_r), _COMMENTS),
    _format("R project", r"DESCRIPTION", _plain(read_description)),
    _format("go.mod", r"go\.mod", _plain(read_go_mod)),
    _format(
        "Dockerfile", r"(?i)(dockerfile|containerfile)([._-].*)?|.*\.dockerfile", _plain(read_dockerfile), _COMMENTS
    ),
    _format("YAML", r".*\.ya?ml(\.(tpl|j2|template|example|dist))?|MLproject|MLmodel|.*\.dvc", _known(read_yaml)),
    _format("Terraform", r".*\.(tf|tfvars|hcl)", _known(read_terraform)),
    _format("script", r".*\.(sh|bash|zsh)|Procfile|[jJ]ustfile|\.envrc", _plain(read_script), _COMMENTS),
    _format("Makefile", r"(GNU)?[mM]akefile|.*\.mk", _plain(read_makefile), _COMMENTS),
    _format("Jenkinsfile", r"Jenkinsfile.*|.*\.(jenkinsfile|groovy)", _plain(read_groovy)),
    _format("SQL", r".*\.sql", _known(read_sql)),
    _format(
        "settings",
        r"\.env.*|env\.(example|sample)|.*\.(env|ini|cfg|conf|config|properties|toml|pbtxt)|config",
        _known(read_settings),
    ),
    _format("other language", r".*\.(go|js|jsx|ts|tsx|mjs|cjs|java|kt|scala)", _plain(read_foreign)),
    _format("Prisma", r".*\.prisma", _plain(read_prisma)),
    _format("prose", r"(?i).*\.(md|mdx|markdown|rst|adoc)|readme[^/]*|.*\.txt", _known(read_prose)),
    _format("JSON", r".*\.json"),
    _format("attributes", r"\.gitattributes|\.gitmodules|Snakefile"),
)
_BY_NAME: dict[str, Format | None] = {}


def format_of(name: str) -> Format | None:
    """The kind of a file by its name, nothing for files that no reader knows.

    Example:
        >>> format_of("requirements-dev.txt").name, format_of("poetry.lock").name, format_of("photo.png")
        ('requirements', 'lock file', None)
        >>> format_of("main.tf.j2").name, format_of("notes.j2")
        ('Terraform', None)
    """
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    key = f"*.{suffix}" if suffix in {"py", "ipynb", "go", "js", "ts", "png", "md"} and name != "setup.py" else name
    if key not in _BY_NAME:
        if len(_BY_NAME) > 50_000:
            _BY_NAME.clear()
        final = becomes(name)
        _BY_NAME[key] = next((row for row in FORMATS if row.files.fullmatch(final)), None)
    return _BY_NAME[key]
