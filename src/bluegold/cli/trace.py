"""`bluegold trace`: one id walks from a decision to the data it rests on, and from the data to what came of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit
from bluegold.core.errors import UsageError

if TYPE_CHECKING:
    from bluegold.core.nouns import Lineage
    from bluegold.export.source_rows import SourceRow
    from bluegold.export.tracing import Behind, Came, RowTrace
    from bluegold.production.results.tally import Answered

__all__ = ["trace"]


def trace(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="[ID]",
            help="A decision, a version (flights:v2), or data:, rows:, features:, code:, run: and a digest.",
        ),
    ] = "",
    *,
    row: Annotated[
        list[str] | None,
        typer.Option(
            "--row",
            help="Follow a source row instead: FILE:NUMBER, NUMBER, or column=value (several must all hold); "
            "ID may say of which version.  Rows are counted from 0.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help="At most so many rows, and decisions of each version.")
    ] = 10,
    personal: Annotated[
        bool, typer.Option("--personal", help="Show personal fields; it takes a role that may, and is audited.")
    ] = False,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk the whole chain, from a decision or version to its data, or from a source row to the decisions."""
    from bluegold.export.chain import ancestors, descendants, names_source
    from bluegold.export.tracing import trace_rows

    if not identifier and not row:
        raise UsageError("there is nothing to trace", way_out="give an ID, or --row")
    with governed(workspace, actor) as (registry, space, _):
        if row:
            came = trace_rows(registry, space, row, identifier, limit)
            emit(came, as_json=as_json, text=lambda: _told_rows(came))
        elif names_source(registry, identifier):
            edges = descendants(registry, identifier)
            lines = [identifier, *(f"  {one.source} {one.relation} {one.target}" for one in edges)]
            emit({"node": identifier, "came_of_it": edges}, as_json=as_json, text="\n".join(lines))
        else:
            chain = ancestors(registry, space, identifier, personal=personal, limit=limit)
            emit(chain, as_json=as_json, text=lambda: _told(chain))


def _told(found: dict[str, Any]) -> str:
    lines = [*_told_decision(found)] if found["decision"] else []
    version = found["version"]
    lineage = version.lineage
    lines += [
        f"version      {version.ref}  {version.stage}  by {version.author} at {version.created_at:%Y-%m-%d %H:%M:%S}",
        f"  digest     {version.digest}  (signature verified)",
        *(f"gate         {r.gate}: {r.verdict}  {r.reason}" for r in found["gates"]),
        *(f"approval     {a.actor} at {a.at:%Y-%m-%d %H:%M:%S}  {a.comment}" for a in found["approvals"]),
        *(
            f"stage        {c.at:%Y-%m-%d %H:%M:%S}  {c.from_stage or '-'} -> {c.to_stage}  {c.actor}: {c.reason}"
            for c in found["changes"]
        ),
        *(f"release      {r.id}: {r.phase}" for r in found["releases"]),
        f"features     {lineage.features}",
        f"data         {lineage.data}",
        *_told_behind(found["rows"]),
        f"code         {lineage.code}",
        f"environment  {lineage.environment}",
        f"seeds        {', '.join(f'{name}={seed}' for name, seed in sorted(lineage.seeds.items()))}",
        f"run          {lineage.run_id or '-'}",
        f"parent       {lineage.parent or '-'}",
        *(f"member       {ref}  weighs {weight:.3g}" for ref, weight in _members(lineage).items()),
        *(_told_answered(found["answered"]) if "answered" in found else ()),
    ]
    return "\n".join(lines)


def _members(lineage: Lineage) -> dict[str, float]:
    """The versions that an ensemble is the weighted mean of."""
    found: dict[str, float] = lineage.parameters.get("members", {})
    return found if lineage.parameters.get("family") == "ensemble" else {}


def _told_decision(found: dict[str, Any]) -> list[str]:
    record = found["decision"]
    at = dt.datetime.fromtimestamp(record.at / 1e6, dt.timezone.utc)
    split = found["traffic"]
    lines = [
        f"decision     {record.id} at {at:%Y-%m-%d %H:%M:%S}",
        f"  answer     {record.value} (score {record.score:.6g}) by {record.color}",
        f"  input      {record.input_digest}",
        f"  features   {record.features_digest}"
        + ("" if found["features_match"] else "  NOT the version's feature definition"),
    ]
    lines += [f"  flags      {', '.join(record.flags)}"] if record.flags else []
    lines += [f"  outcome    {one.value}" for one in found["outcomes"]]
    if split is not None:
        lines.append(f"  traffic    revision {split.revision}: {split.mode}, set by {split.set_by}: {split.reason}")
    return lines


def _told_behind(rows: Behind | None) -> list[str]:
    if rows is None:
        return []
    lines = [f"rows         {rows.source}  ({rows.rows:,} source rows)"]
    for part, count in rows.counts.items():
        first = rows.first.get(part, ())
        more = ", ..." * (count > len(first) > 0)
        lines.append(f"  {part:<10} {count:>9,}  {', '.join(map(str, first))}{more}".rstrip())
    return lines + [f"  same input {_told_row(one)}" for one in rows.same]


def _told_row(one: SourceRow) -> str:
    from bluegold.registry.source_rows import PART_NAMES

    because = f": {', '.join(one.reasons)}" if one.reasons else ""
    return f"row {one.row}, {PART_NAMES[one.part]}{because}"


def _told_rows(came: RowTrace) -> str:
    lines = [f"{came.how}: {came.total:,} (source {came.source})"]
    for one in came.rows:
        values = ", ".join(f"{name}={value}" for name, value in list(one.values.items())[:8])
        lines.append(f"{_told_row(one)}  {values}")
    if came.total > len(came.rows):
        lines.append(f"... and {came.total - len(came.rows):,} more; --limit shows more")
    for version in came.versions:
        lines += _told_came(version)
    if not came.versions:
        lines.append("no version used it")
    if came.unlooked:
        lines.append(f"{came.unlooked:,} older versions of this source were not looked at")
    if came.unread:
        lines.append(
            f"{came.unread:,} bytes of the decision log were left unread; 'bluegold results export' counts all"
        )
    return "\n".join(lines)


def _told_came(one: Came) -> list[str]:
    from bluegold.registry.source_rows import USED_ON

    by_use: dict[str, list[int]] = {}
    for number, use in one.uses.items():
        by_use.setdefault(use, []).append(number)
    uses = "; ".join(f"{USED_ON[use]} {', '.join(map(str, numbers))}" for use, numbers in by_use.items())
    return [
        f"version      {one.ref}  {one.stage}  ({uses})",
        *(f"  gate       {report.gate}: {report.verdict}" for report in one.gates),
        *(f"  approval   {consent.actor}  {consent.comment}" for consent in one.approvals),
        *(f"  stage      {change.to_stage} by {change.actor}: {change.reason}" for change in one.changes),
        *(f"  release    {release.id}: {release.phase}" for release in one.releases),
        *(f"  {line}" for line in _told_answered(one.answered)),
        *(f"  scored     {told.details.get('output', '')}: {told.outcome} by {told.who}" for told in one.scored),
    ]


def _told_answered(answered: Answered) -> list[str]:
    lines = [f"decisions    {'' if answered.exact else 'at least '}{answered.decisions:,}, known answers included"]
    for one in answered.latest:
        outcome = f", outcome {one.outcome}" if one.outcome is not None else ""
        known = ", a known answer" if one.canary else ""
        lines.append(
            f"  {one.id:<16} {one.at:%Y-%m-%d %H:%M:%S}  {one.value} ({one.score:.4g}) by {one.color}{known}{outcome}"
        )
    return lines
