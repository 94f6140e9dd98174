"""YAML files of every trade: compose, cluster manifests, charts, CI, conda, pipelines and plain settings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from bluegold.design.scan.index import Index
from bluegold.design.scan.readers.addresses import scheme_of
from bluegold.design.scan.readers.names import class_named, package_signals
from bluegold.design.scan.readers.prose import comment_signals
from bluegold.design.scan.readers.shell import command_signals, remote_manifest
from bluegold.design.scan.readers.yaml_lines import YamlLine, yaml_lines
from bluegold.design.scan.signals import EvidenceKind, Scope, Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["read_yaml", "resource_signals"]

_CI = re.compile(
    r"\.github/workflows/[^/]+|\.gitlab-ci\.ya?ml|\.gitlab/.*|\.circleci/.*|\.?azure[-/]?pipelines.*|\.azure-pipelines/.*"
    r"|\.travis\.ya?ml|bitbucket-pipelines\.yml|\.[\w.-]+/workflows/.*|\.github/.*workflows/.*|cloudbuild[^/]*|buildspec[^/]*|\.drone\.yml|\.github/actions/.*"
)
_SHELL_KEYS = frozenset(
    [
        *("run", "script", "bash", "cmd", "command", "commands", "args", "entrypoint", "before_script"),
        *(
            "after_script",
            "install",
            "pwsh",
            "inlineScript",
            "sh",
            "cmds",
            "post-create-cmd",
        ),
    ]
)
_LAUNCH_KEYS = frozenset({"command", "args", "entrypoint"})
_IMAGE_KEYS = frozenset(
    {"image", "baseImage", "base_image", "image_uri", "docker_image", "container_image", "container", "newName"}
)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+")
_GROUP = re.compile(r"(?:([a-z0-9.-]+)/)?(v\d+(?:(?:alpha|beta)\d+)?)")
_CORE_GROUPS = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions"})
_OTHER_GROUPS = frozenset({"backstage.io", "devfile.io", "skaffold", "config.gatekeeper.sh", "kind.x-k8s.io", "k3d.io"})
_OFF, _ON = frozenset({"false", "no", "off"}), frozenset({"true", "yes", "on"})
_VALUES = re.compile(r"values[^/]*\.ya?ml|.*[._-]values\.ya?ml")
_CONDA = re.compile(r".*(environment|conda|env)[^/]*\.ya?ml|meta\.yaml", re.IGNORECASE)
_FROM_OUTSIDE = re.compile(r"\$\{\{\s{0,5}(secrets|vars)\.|\$\(|\$[A-Za-z{]")


def read_yaml(file: SourceFile, index: Index) -> Iterator[Signal]:
    """Signals of one YAML file."""
    found = list(yaml_lines(file.lines))
    off = _switched(found, _OFF)
    texts = tuple(text for text in index.texts if text in file.text)
    ci = bool(_CI.fullmatch(file.path))
    yield from resource_signals(found)
    for entry in found:
        signals = _text_line(entry) if entry.block else _value(entry, index, ci=ci)
        if any((entry.document, entry.path[:depth]) in off for depth in range(1, len(entry.path))):
            signals = (signal._replace(evidence="dependency") for signal in signals)
        for signal in signals:
            yield signal._replace(scope=_ci_scope(entry, signal)) if ci else signal
        for text in texts:
            if text in entry.value and not entry.block:
                yield Signal("text", text, entry.line, f"text {text}")
    yield from _mounted(found, index)
    if _CONDA.fullmatch(file.name):
        yield from _conda(found)
    yield from _charts(file, found)
    yield from comment_signals(file, index)


def _switched(found: list[YamlLine], words: frozenset[str]) -> set[tuple[int, tuple[str, ...]]]:
    """Blocks that say ``enabled`` with one of these words."""
    return {
        (entry.document, entry.path[:-1])
        for entry in found
        if entry.key == "enabled" and entry.value.strip("\"'").lower() in words and len(entry.path) > 1
    }


def _charts(file: SourceFile, found: list[YamlLine]) -> Iterator[Signal]:
    """Charts that a chart is made of: those with a condition are declared, and used where values switch them on."""
    if file.name in {"Chart.yaml", "requirements.yaml"}:
        items = [entry for entry in found if entry.path[:1] == ("dependencies",)]
        starts = [place for place, entry in enumerate(items) if entry.key == "name"]
        for start, end in itertools.pairwise([*starts, len(items)]):
            bound = any(entry.key in {"condition", "tags"} for entry in items[start:end])
            name, line = items[start].value, items[start].line
            yield Signal("chart", name, line, f"chart {name}", evidence="dependency" if bound else None)
    elif _VALUES.fullmatch(file.name):
        on = {path[0] for _, path in _switched(found, _ON) if len(path) == 1}
        for name, line in {entry.path[0]: entry.line for entry in reversed(found) if entry.path[:1]}.items():
            if name in on:
                yield Signal("chart", name, line, f"chart {name}, switched on")


def _ci_scope(entry: YamlLine, signal: Signal) -> Scope | None:
    """What CI starts for its own checks belongs to the tests; what it runs and deploys does not."""
    if signal.channel in {"image", "url"}:
        return "test"
    if signal.channel == "env" and ("services" in entry.path or not _FROM_OUTSIDE.search(entry.value)):
        return "test"
    return None


def _value(entry: YamlLine, index: Index, *, ci: bool) -> Iterator[Signal]:
    key, value, line = entry.key, entry.value, entry.line
    if key in _SHELL_KEYS and value:
        launched: EvidenceKind | None = "deployment" if key in _LAUNCH_KEYS and not ci else None
        yield from command_signals(value, line, launched)
    elif (
        (key in _IMAGE_KEYS and value)
        or (key == "repository" and entry.path[-2:-1] == ("image",))
        or (key == "services" and entry.item and value)
    ):
        yield Signal("image", value, line, f"image {value[:120]}")
    elif key == "uses" and "@" in value:
        name = value.partition("@")[0]
        yield Signal("action", name, line, f"action {name}")
    elif key in {"resources", "bases"} and "github" in value:
        yield from remote_manifest(value, line)
    elif key in {"chart", "chart_ref"} and value:
        yield Signal("chart", value.rpartition("/")[2], line, f"chart {value}")
    if value or "_" in key:
        yield from _variables(entry)
    if class_named(value) in index.modules:
        yield Signal("import", value, line, f"class {value} by name", evidence="configuration")
    if key in index.settings:
        yield Signal("setting", ".".join(entry.path[-4:]), line, f"{key}: {value[:60]}", extra=value)


def _variables(entry: YamlLine) -> Iterator[Signal]:
    if "_" in entry.key and _VARIABLE.fullmatch(entry.key):
        yield Signal("env", entry.key, entry.line, f"variable {entry.key}")
    name, _, given = entry.value.partition("=")
    if (entry.item or entry.key == "name") and _VARIABLE.fullmatch(name):
        yield Signal("env", name, entry.line, f"variable {name}")
    for text in (entry.value, given) if ":/" in entry.value else ():
        scheme = scheme_of(text.strip("\"'"))
        if scheme:
            yield Signal("url", scheme, entry.line, f"address {scheme}:")


def _text_line(entry: YamlLine) -> Iterator[Signal]:
    """A line inside a block of text counts only where blocks are scripts."""
    if entry.key in _SHELL_KEYS:
        yield from command_signals(entry.value.strip(), entry.line)


def _mounted(found: list[YamlLine], index: Index) -> Iterator[Signal]:
    """Files that a config map carries: settings inside a block whose key is a YAML file's name."""
    blocks: dict[tuple[int, tuple[str, ...]], list[YamlLine]] = {}
    for entry in found:
        if entry.block and entry.key.endswith((".yaml", ".yml")):
            blocks.setdefault((entry.document, entry.path), []).append(entry)
    for lines in blocks.values():
        for inner in yaml_lines([line.value for line in lines]):
            if not inner.block:
                for signal in _value(inner, index, ci=False):
                    yield signal._replace(line=lines[signal.line - 1].line)


def resource_signals(found: list[YamlLine]) -> Iterator[Signal]:
    """``group/Kind`` of every cluster object: a document of its own, or an item of a list inside one."""
    roots = {entry.document: entry.value for entry in found if entry.path == ("apiVersion",) and not entry.block}
    inner: dict[tuple[int, tuple[str, ...]], str] = {}
    waiting: dict[tuple[int, tuple[str, ...]], YamlLine] = {}
    for entry in found:
        if entry.block or entry.key not in {"apiVersion", "kind"}:
            continue
        slot = (entry.document, entry.path[:-1])
        if entry.path == ("kind",):
            yield from _resource(roots.get(entry.document, ""), entry)
        elif entry.key == "apiVersion":
            inner[slot] = entry.value
            if slot in waiting:
                yield from _resource(entry.value, waiting.pop(slot))
        elif entry.item:
            waiting[slot] = entry
        else:
            yield from _resource(inner.get(slot, ""), entry)


def _resource(version: str, kind: YamlLine) -> Iterator[Signal]:
    if not version or not kind.value.isalnum():
        return
    parts = _GROUP.fullmatch(version)
    group = (parts[1] or "") if parts else "?"
    if group in _OTHER_GROUPS or not ("." in group or group in _CORE_GROUPS):
        return
    shown = f"{group or 'core'} {kind.value}"
    yield Signal("resource", f"{group or 'core'}/{kind.value}", kind.line, shown)


def _conda(found: list[YamlLine]) -> Iterator[Signal]:
    for entry in found:
        if (
            entry.item
            and entry.value
            and not entry.block
            and entry.path in {("dependencies",), ("dependencies", "pip")}
        ):
            yield from package_signals(entry.value.rpartition("::")[2], entry.line)
