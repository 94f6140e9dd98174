"""Retention: decisions and results move from hot to warm to cold by age; nothing leaves that is not proven elsewhere.

Hot are the pieces of the decision log, warm the results that can be queried, cold the archive.  A run archives
everything that is finished, and then removes from a tier what is too old for it: a log segment only when its chain
holds, every decision and outcome in it is in the results and its copy was read again; a results file only when its
copy was read again.  What a legal hold covers stays where it is.  Every step has its row in the audit chain before it
is taken, and a run that is killed goes on with the next.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from bluegold.core.errors import DataError, IntegrityError, StoreError
from bluegold.core.plan import Hold, Plan, Retention
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.production.results.anchors import CUT, anchor
from bluegold.production.results.archive import Archive
from bluegold.production.results.decision_reader import DecisionReader, Walked
from bluegold.production.results.partitions import Part, Partitions
from bluegold.production.results.records import microseconds
from bluegold.production.results.results_store import ResultsStore, day_of
from bluegold.production.results.segments import Gone, gone, segment_path, segments, workers
from bluegold.registry.registry import Registry

__all__ = ["Accounted", "Retained", "Step", "accounted", "plan_of", "retain"]

DAY_US = 86_400_000_000
_ACTOR = "automatic:retention"

Tier = Literal["log", "results", "archive"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with one file: copied to the archive, removed from the workspace, deleted for good, or held."""

    what: Literal["archive", "remove", "delete", "hold"]
    tier: Tier
    path: str
    newest: str
    rows: int
    because: str


class Retained(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of a run, in order; with ``dry_run`` none of them was taken."""

    steps: tuple[Step, ...]
    dry_run: bool

    def count(self, what: str) -> int:
        """How many steps of a kind there are."""
        return sum(step.what == what for step in self.steps)


class Accounted(msgspec.Struct, frozen=True, kw_only=True):
    """Whether every decision is in the archive.

    ``decisions`` were recorded and exported, ``archived`` of them are in the archive, whose ``files`` were all read
    again.  ``missing`` names results files without a copy, and logs with lines that were not exported yet.
    """

    decisions: int
    archived: int
    files: int
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing and self.decisions == self.archived


class _File(msgspec.Struct, frozen=True):
    """A finished file of the workspace."""

    tier: Tier
    path: str
    rows: int
    oldest: int
    newest: int
    model: str = ""
    sha256: str = ""


def plan_of(registry: Registry, model: str) -> Retention:
    """The retention plan that was signed with the production version of a model.

    Raises:
        DataError: nothing is in production, or the version carries no plan.
    """
    change = registry.lifecycle.production(model)
    if change is None or "plan.json" not in registry.versions.get(change.ref).artefacts:
        raise DataError(f"no version of '{model}' with a plan is in production", way_out="name the plan with --plan")
    return msgspec.json.decode(registry.versions.artefact(change.ref, "plan.json"), type=Plan).retention


def retain(
    workspace: Workspace, registry: Registry, plan: Retention, *, now: int | None = None, dry_run: bool = False
) -> Retained:
    """Archive what is finished, and remove from each tier what is too old for it.

    Args:
        workspace: whose decisions and results.
        registry: whose audit chain gets a row for every step.
        plan: ages, archive and holds.
        now: the moment ages are counted from, microseconds since 1970; by default this one.
        dry_run: say what would be done, and do nothing.

    Raises:
        IntegrityError: a log or a file is not what was written; nothing is removed then.
        StoreError: another run is under way, or a server's export is.
        OSError: the archive cannot be written.
    """
    with _alone(workspace):
        if not dry_run:
            anchor(registry, workspace.decisions)
            ResultsStore(workspace).export()
        run = _Run(workspace, registry, plan, microseconds() if now is None else now, dry_run=dry_run)
        run.results()
        run.logs()
        run.archive_itself()
        return Retained(steps=tuple(run.steps), dry_run=dry_run)


def accounted(workspace: Workspace, plan: Retention) -> Accounted:
    """Whether every decision is in the archive, which is read again as a whole.

    Raises:
        IntegrityError: a copy is missing or was changed.
    """
    store, archive = ResultsStore(workspace), Archive(workspace, plan.archive)
    files, items = archive.verify(), archive.items
    reader, positions = DecisionReader(workspace.decisions), store.decisions.positions
    missing = [
        f"decisions/worker-{worker}/{walked.segment}"
        for worker in workers(workspace.decisions)
        for walked in reader.walk(worker)
        if walked.fault or positions.get(f"{worker}/{walked.segment}", 0) < walked.head.size
    ]
    decisions = archived = 0
    for batch in store.decisions.batches:
        for part in batch.parts:
            decisions += part.rows
            copy = items.get(f"results/decisions/{part.path}")
            if copy is None or copy.sha256 != part.sha256:
                missing.append(f"results/decisions/{part.path}")
            else:
                archived += part.rows
    return Accounted(decisions=decisions, archived=archived, files=files, missing=tuple(missing))


class _Run:
    """One run: what it found and what it did."""

    def __init__(self, workspace: Workspace, registry: Registry, plan: Retention, now: int, *, dry_run: bool) -> None:
        self._workspace, self._registry, self._plan = workspace, registry, plan
        self._now, self._dry_run = now, dry_run
        self._store, self._archive = ResultsStore(workspace), Archive(workspace, plan.archive)
        self._known = self._archive.items
        self.steps: list[Step] = []

    def results(self) -> None:
        """Archive results; remove those that are too old to stay queryable."""
        for name in ("decisions", "outcomes", "attributions"):
            parts: Partitions = getattr(self._store, name)
            if not parts.batches:
                continue
            with contextlib.nullcontext() if self._dry_run else parts.writing():
                away = parts.away
                for path in () if self._dry_run else away:
                    parts.send_away(path)  # a run was killed between note and removal
                for part in [part for batch in parts.batches for part in batch.parts if part.path not in away]:
                    file = _results_file(name, part)
                    if self._settled(file, self._plan.warm_days) and not self._dry_run:
                        self._row("remove", file)
                        parts.send_away(part.path)

    def logs(self) -> None:
        """Archive finished segments of the decision log; remove the oldest ones that are too old."""
        reader = DecisionReader(self._workspace.decisions)
        for worker in workers(self._workspace.decisions):
            going = True
            if not self._dry_run:
                self._tidy(worker)
            for walked in reader.walk(worker):
                if walked.fault:
                    raise IntegrityError(
                        "the decision log is not what was written",
                        why=walked.fault,
                        way_out="see 'bluegold audit verify'",
                    )
                if not walked.finished:
                    break
                file = self._segment(worker, walked)
                age = self._plan.hot_days if going and self._exported(worker, walked) else 0
                going = self._settled(file, age) and going
                if going and not self._dry_run:
                    self._cut(file, worker, walked)

    def archive_itself(self) -> None:
        """Delete from the archive what is too old for it and is nowhere else."""
        for path, item in sorted(self._archive.items.items()):
            file = _File("archive", path, item.rows, item.oldest, item.newest, _model(path))
            if (self._workspace.root / path).exists() or not self._too_old(file, self._plan.cold_days):
                continue
            self._step("delete", file, f"older than {self._plan.cold_days} days")
            if not self._dry_run:
                self._row("delete", file)
                self._archive.delete(path)

    def _settled(self, file: _File, days: int) -> bool:
        """Archive a file; whether it may be removed now."""
        if file.path not in self._known:
            self._step("archive", file, "finished")
            if not self._dry_run:
                span = file.oldest, file.newest
                made = self._archive.add(file.path, rows=file.rows, span=span, sha256=file.sha256)
                self._known[file.path] = made
                self._row("archive", file)
        if not self._too_old(file, days):
            return False
        if not self._dry_run:
            self._archive.check(file.path)
        self._step("remove", file, f"older than {days} days")
        return True

    def _too_old(self, file: _File, days: int) -> bool:
        if not days or self._now - file.newest <= days * DAY_US:
            return False
        held = _held(file, self._plan.holds)
        if held is not None:
            self._step("hold", file, held.reason)
        return held is None

    def _cut(self, file: _File, worker: int, walked: Walked) -> None:
        """Remove the oldest segment that is still here; the chain goes on from what the audit row says."""
        root, head = self._workspace.decisions, walked.head
        left = Gone(segment=head.segment, digest=head.digest, size=head.size, archive=str(self._archive.root))
        details = {"segment": head.segment, "size": head.size, "archive": str(self._archive.root)}
        self._registry.audit.append(_ACTOR, CUT, f"decisions/worker-{worker}", head.digest, details)
        self._row("remove", file)
        write_atomic(root / f"worker-{worker}" / "archived.json", msgspec.json.encode(left))
        segment_path(root, worker, walked.segment).unlink()

    def _tidy(self, worker: int) -> None:
        """Remove what a run that was killed had cut off already."""
        left = gone(self._workspace.decisions, worker)
        for segment in segments(self._workspace.decisions, worker) if left else ():
            path = segment_path(self._workspace.decisions, worker, segment)
            if left and segment <= left.segment and path.relative_to(self._workspace.root).as_posix() in self._known:
                self._archive.check(path.relative_to(self._workspace.root).as_posix())
                path.unlink()

    def _exported(self, worker: int, walked: Walked) -> bool:
        key = f"{worker}/{walked.segment}"
        return all(
            parts.positions.get(key, 0) >= walked.head.size for parts in (self._store.decisions, self._store.outcomes)
        )

    def _segment(self, worker: int, walked: Walked) -> _File:
        path = segment_path(self._workspace.decisions, worker, walked.segment)
        oldest, newest = _span(path)
        place = path.relative_to(self._workspace.root).as_posix()
        return _File(tier="log", path=place, rows=walked.checked, oldest=oldest, newest=newest)

    def _step(self, what: Literal["archive", "remove", "delete", "hold"], file: _File, because: str) -> None:
        self.steps.append(
            Step(what=what, tier=file.tier, path=file.path, newest=day_of(file.newest), rows=file.rows, because=because)
        )

    def _row(self, what: str, file: _File) -> None:
        known = self._known[file.path]
        details = {"sha256": known.sha256, "rows": file.rows, "newest": day_of(file.newest), "tier": file.tier}
        self._registry.audit.append(_ACTOR, f"retention {what}", file.path, "done", details)


def _results_file(name: str, part: Part) -> _File:
    pieces = dict(piece.split("=", 1) for piece in part.path.split("/") if "=" in piece)
    first = round(dt.datetime.fromisoformat(f"{pieces['day']}T00:00+00:00").timestamp()) * 1_000_000
    path = f"results/{name}/{part.path}"
    newest = first + DAY_US - 1
    return _File(
        tier="results", path=path, rows=part.rows, oldest=first, newest=newest, model=_model(path), sha256=part.sha256
    )


def _model(path: str) -> str:
    return next((piece[6:] for piece in path.split("/") if piece.startswith("model=")), "")


def _span(path: Path) -> tuple[int, int]:
    """The first and the last moment that the records of a segment tell of."""
    moments = []
    with path.open("rb") as lines:
        for line in lines:
            with contextlib.suppress(msgspec.MsgspecError):  # a torn tail; what counts was verified before
                record = msgspec.json.decode(line, type=_Line).record
                moments += [record.at] if record.kind != "segment" else []
    return min(moments, default=0), max(moments, default=0)


class _Moment(msgspec.Struct):
    at: int
    kind: str


class _Line(msgspec.Struct):
    record: _Moment


def _held(file: _File, holds: Sequence[Hold]) -> Hold | None:
    first, last = day_of(file.oldest), day_of(file.newest)
    for hold in holds:
        inside = first <= (hold.until.isoformat() if hold.until else "9999") and last >= hold.since.isoformat()
        if inside and (not hold.model or not file.model or hold.model == file.model):
            return hold
    return None


@contextlib.contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    workspace.run.mkdir(parents=True, exist_ok=True)
    with (workspace.run / "retention.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError("another retention run is under way", way_out="wait until it is done") from error
        yield
