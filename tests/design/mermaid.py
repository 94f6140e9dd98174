"""What is wrong with a Mermaid diagram, by the part of Mermaid's grammar that the documents use."""

import re

NAME = r"[A-Za-z][A-Za-z0-9_]*"
TEXT = r'"[^"\n]*"'
CLASS = rf"(?::::{NAME})?"
NODE = rf"{NAME}(?:\[{TEXT}\]|\[\({TEXT}\)\]|\(\[{TEXT}\]\)|\{{{TEXT}\}})?{CLASS}"
ARROW = rf"(?:---|-->|-\.->|-\.-|-- {TEXT} -->|== {TEXT} ==>)"
STYLE = rf"classDef {NAME} [a-z-]+:[^,\s]+(?:,[a-z-]+:[^,\s]+)*"
LINES = {
    "flowchart": [rf"{NODE}(?: {ARROW} {NODE})*", rf"subgraph {NAME}\[{TEXT}\]", "direction (?:LR|TB)", "end", STYLE],
    "sequenceDiagram": [
        rf"(?:participant|actor) {NAME}(?: as [^;#]+)?",
        rf"{NAME}(?:->>|-->>|--x){NAME}: [^;#]+",
        rf"Note over {NAME}(?:,{NAME})?: [^;#]+",
    ],
    "stateDiagram-v2": [
        rf"(?:\[\*\]|{NAME}) --> (?:\[\*\]|{NAME})",
        "direction (?:LR|TB)",
        STYLE,
        rf"class {NAME} {NAME}",
    ],
}


def faults(source: str) -> list[str]:
    """Lines that are no line of the diagram's kind, and names that are used but said nowhere."""
    first, *lines = source.strip().splitlines()
    kind = first.split()[0]
    if kind not in LINES or first not in {"flowchart LR", "flowchart TB", "sequenceDiagram", "stateDiagram-v2"}:
        return [f"unknown kind: {first}"]
    stripped = [line.strip() for line in lines if line.strip()]
    found = [
        f"no line of a {kind}: {line}" for line in stripped if not any(re.fullmatch(one, line) for one in LINES[kind])
    ]
    return found + {"flowchart": _flowchart, "sequenceDiagram": _sequence}.get(kind, _states)(stripped)


def _flowchart(lines: list[str]) -> list[str]:
    bare = [re.sub(TEXT, '""', line) for line in lines]
    found = []
    if sum(line.startswith("subgraph") for line in bare) != bare.count("end"):
        found.append("a subgraph does not end")
    shaped = {name for line in bare for name in re.findall(rf"({NAME})(?:\[|\(\[|\{{)", line)}
    linked = {
        name
        for line in bare
        if re.search(r"---|-->|-\.-|==>", line)
        for name in re.findall(rf"(?:^|[>-] )({NAME})", re.sub(r'-- "" |== "" =', "", line))
    }
    styles = {line.split()[1] for line in bare if line.startswith("classDef")}
    found += [f"a node nobody drew: {name}" for name in sorted(linked - shaped)]
    used = {name for line in bare for name in re.findall(rf":::({NAME})", line)}
    return found + [f"a style nobody gave: {name}" for name in sorted(used - styles)]


def _sequence(lines: list[str]) -> list[str]:
    known = {line.split()[1] for line in lines if line.startswith(("participant", "actor"))}
    asked = {name for line in lines for name in re.findall(rf"^({NAME})-+(?:>>|x)({NAME}):", line) for name in name}
    return [f"nobody takes part as {name}" for name in sorted(asked - known)]


def _states(lines: list[str]) -> list[str]:
    styles = {line.split()[1] for line in lines if line.startswith("classDef")}
    used = {line.split()[2] for line in lines if line.startswith("class ")}
    return [f"a style nobody gave: {name}" for name in sorted(used - styles)]
