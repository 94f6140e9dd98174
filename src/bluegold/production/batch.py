"""Batch scoring: a file of any size in, a file of decisions out, by the same program and the same model as over HTTP.

The file is read in pieces of bounded size; a run that is killed goes on behind its last finished piece, and its output
has the same rows as that of a run that was not.  What a row knows of the past is said in
:mod:`bluegold.features.recall`, what is flagged between rows in :mod:`bluegold.features.continuity`.
Scoring a file changes nothing but its output.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.core.errors import DataError
from bluegold.core.plan import Batch, Plan
from bluegold.core.workspace import Workspace
from bluegold.features.batch import feature_frame
from bluegold.features.cleaning import Cleaned, clean_frame
from bluegold.features.continuity import Continuity
from bluegold.features.program import FeatureProgram
from bluegold.features.recall import Recall
from bluegold.features.threads import ahead
from bluegold.production.journal import Journal, Progress, durable
from bluegold.production.lanes import Lane
from bluegold.production.loading import Loader
from bluegold.production.reading import CHUNK_BYTES, CHUNK_ROWS, Piece, pieces
from bluegold.registry.registry import Registry
from bluegold.registry.rule import DecisionRule
from bluegold.stores import connect
from bluegold.stores.protocols import KeyValueStore

__all__ = ["Options", "Scored", "planned", "score"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a run may be told.

    ``events``: rows of the file are events for the rows after them, as in training; else they only ask.
    ``silence``: rows that follow the one before after a longer time are flagged.
    """

    events: bool = True
    silence: dt.timedelta | None = None


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch run did.

    ``positive`` counts the decisions that say yes (None for classes and numbers), ``reasons`` why rows were refused,
    ``flags`` what was noted on answered ones, ``resumed`` the rows that an earlier run had finished.
    """

    version: str
    rows: int
    scored: int
    quarantined: int
    positive: int | None
    output: str
    quarantine: str
    reasons: dict[str, int]
    flags: dict[str, int]
    seconds: float
    resumed: int = 0


def planned(registry: Registry, ref: str, rows: str = "") -> Options:
    """What the version's plan says about files.

    Args:
        registry: where the version is.
        ref: which version.
        rows: ``events`` or ``questions`` where the plan is not to decide.

    Raises:
        UnknownVersion: there is no such version.
    """
    found = Batch()
    if "plan.json" in registry.versions.get(ref).artefacts:
        found = msgspec.json.decode(registry.versions.artefact(ref, "plan.json"), type=Plan).batch
    silence = dt.timedelta(hours=found.silence_h) if found.silence_h else None
    return Options(events=(rows or found.rows) == "events", silence=silence)


def score(
    registry: Registry,
    workspace: Workspace,
    ref: str,
    source: Path,
    output: Path,
    options: Options = Options(),  # noqa: B008 - an immutable default
    on_progress: Callable[[int, float], None] | None = None,
) -> Scored:
    """Score every row of a Parquet or CSV file, which may be compressed by gzip.

    Args:
        registry: where the version is.
        workspace: where the online store is.
        ref: which version.
        source: ``.parquet``, ``.csv`` or ``.csv.gz`` with at least the contract's columns.
        output: ``.parquet`` or ``.csv``; it appears whole or not at all.  Refused rows go, with their reasons, to
            a file beside it that ends in ``.quarantine.parquet``.
        options: what rows mean to each other.
        on_progress: told the number of rows done so far, and the share of the file.

    Raises:
        DataError: the input is missing, unreadable, empty or lacks a column; or a name has an unknown ending.
        WorkspaceError: another process writes the same output.
        BluegoldError: the version cannot be found, verified or loaded.
    """
    began = time.perf_counter()
    if output.suffix.lower() not in {".parquet", ".csv"}:
        raise DataError(f"'{output}' is neither .parquet nor .csv", way_out="choose one of these endings")
    next(pieces(source), None)  # whatever is wrong with the whole file shows before anything is written
    with contextlib.closing(connect("lmdb", "key_value", workspace)) as online:
        lane = Loader(registry, online, keys=workspace.keys).lane(registry.versions.get(ref).ref)
        with Journal.opened(output, _identity(lane, source, options)) as journal:
            run = _Run(lane, lane.store.kv, journal, options, output.suffix.lower())
            resumed = run.resume()
            try:
                for piece in ahead(map(run.prepare, ahead(pieces(source, journal.progress.end, run.numbers)))):
                    run.add(piece)
                    if on_progress:
                        on_progress(journal.progress.rows, min(piece.share, 1.0))
                _some(journal.progress, source)
            except DataError:
                journal.discard()
                raise
            quarantine = output.with_suffix(".quarantine.parquet")
            _join(journal, "refused", quarantine)
            _join(journal, "scored", output)
            done = _told(journal.progress, lane, output, quarantine, resumed)
            journal.discard()
    return msgspec.structs.replace(done, seconds=time.perf_counter() - began)


def _some(progress: Progress, source: Path) -> None:
    if progress.rows == 0:
        raise DataError(f"'{source}' holds no rows", way_out="give a file with at least one row")


def _told(progress: Progress, lane: Lane, output: Path, quarantine: Path, resumed: int) -> Scored:
    return Scored(
        version=lane.bundle.ref,
        rows=progress.rows,
        scored=progress.scored,
        quarantined=progress.rows - progress.scored,
        positive=progress.positive if lane.bundle.decision.task == "binary" else None,
        output=str(output),
        quarantine=str(quarantine) if progress.scored < progress.rows else "",
        reasons=progress.reasons,
        flags=progress.flags,
        seconds=0.0,
        resumed=resumed,
    )


def _identity(lane: Lane, source: Path, options: Options) -> dict[str, str]:
    """Everything that the result depends on; the file by its size, its time and how it begins and ends."""
    state = source.stat()
    with source.open("rb") as file:
        ends = file.read(65_536)
        file.seek(max(0, state.st_size - 65_536))
        ends += file.read()
    return {
        "version": lane.bundle.digest,
        "source": f"{source.resolve()} {state.st_size} {state.st_mtime_ns} {hashlib.sha256(ends).hexdigest()}",
        "options": msgspec.json.encode(options).decode(),
        "pieces": f"{CHUNK_ROWS} {CHUNK_BYTES}",
        "polars": pl.__version__,
    }


class _Prepared(NamedTuple):
    """A piece before it is scored: its end, its share of the file, its rows, what cleaning found, and its features.

    ``hashes``, ``past`` (events by stream, entities met) and ``moments`` (begin, latest, last) are what the run knew
    behind this piece; while it is scored, the next one is being prepared.
    """

    end: int
    share: float
    rows: int
    cleaned: Cleaned
    features: pl.DataFrame
    hashes: NDArray[np.uint64]
    past: tuple[dict[bytes, pl.DataFrame], list[Any]] | None
    moments: tuple[int | None, int | None, int | None]


class _Run:
    """One run: what goes from piece to piece, and what each leaves in the journal."""

    def __init__(self, lane: Lane, online: KeyValueStore, journal: Journal, options: Options, ending: str) -> None:
        program: FeatureProgram = lane.program.program
        self._lane, self._journal, self._program, self._ending = lane, journal, program, ending
        silence = None if options.silence is None else options.silence // dt.timedelta(microseconds=1)
        self._continuity = Continuity(program.contract.names, program.time, silence)
        self._recall = Recall(program, online, events=options.events)
        self.numbers = [field.name for field in program.contract.fields if field.kind == "number" and not field.marked]

    def resume(self) -> int:
        """Take over what an earlier run finished; the number of its rows."""
        done = self._journal.progress
        for path in self._journal.files("hashes"):
            self._continuity.recall(np.load(path), done.last)
        for path in self._journal.files("past"):
            self._recall.restore(done.begin, done.latest, *_carried(path.read_bytes()))
        return done.rows

    def prepare(self, piece: Piece) -> _Prepared:
        """Clean a piece and compute its features; pieces come one after the other, and what scores them comes later."""
        veil, written = self._lane.veil, piece.original or piece.frame.filter
        cleaned = clean_frame(
            self._program.contract,
            piece.frame if veil is None else veil.frame(piece.frame),
            self._program.known,
            spoiled=piece.spoiled,
            continuity=self._continuity,
            original=written if veil is None else lambda rows: veil.frame(written(rows)),
        )
        recall, watch = self._recall, self._continuity
        features = feature_frame(self._program, cleaned.valid, {}, recall.before(cleaned.valid))
        recall.after(cleaned.valid)
        past = (dict(recall.past), recall.entities()) if self._program.histories else None
        moments = (recall.begin, recall.latest, watch.last)
        return _Prepared(piece.end, piece.share, piece.frame.height, cleaned, features, watch.hashes, past, moments)

    def add(self, piece: _Prepared) -> None:
        """Score one piece and write down that it is finished."""
        before, number = self._journal.progress, self._journal.progress.piece
        scored = self._scored(piece, before.rows)
        self._keep(scored, "scored", number, self._ending)
        quarantine = piece.cleaned.quarantine
        if quarantine.height:
            refused = quarantine.with_columns(pl.col("_row") + before.rows)
            self._keep(refused.rename({"_row": "row", "_reasons": "reasons"}), "refused", number, ".parquet")
        self._carry(piece, number)
        self._journal.commit(self._after(before, piece, _positive(scored["value"])))
        if number:
            self._journal.path("past", number - 1, "msgpack").unlink(missing_ok=True)

    def _after(self, before: Progress, piece: _Prepared, positive: int) -> Progress:
        begin, latest, last = piece.moments
        return Progress(
            piece=before.piece + 1,
            end=piece.end,
            rows=before.rows + piece.rows,
            scored=before.scored + piece.cleaned.valid.height,
            positive=before.positive + positive,
            reasons=_added(before.reasons, piece.cleaned.quarantine["_reasons"]),
            flags=_added(before.flags, piece.cleaned.valid["_flags"]),
            begin=begin,
            latest=latest,
            last=last,
        )

    def _scored(self, piece: _Prepared, before: int) -> pl.DataFrame:
        valid = piece.cleaned.valid
        scores = self._lane.bundle.predictor.scores(self._program.matrix(piece.features))
        value, score = _decided(self._lane.bundle.decision, scores, valid)
        return valid.with_columns(
            pl.col("_row") + before,
            pl.col("_flags").list.join(";"),
            score,
            value,
            pl.lit(self._lane.version).alias("version"),
        ).rename({"_row": "row", "_flags": "flags"})

    def _keep(self, frame: pl.DataFrame, name: str, number: int, ending: str) -> None:
        path = self._journal.path(name, number, ending.removeprefix("."))
        if ending == ".csv":
            frame.write_csv(path, include_header=number == 0)
        else:
            frame.write_parquet(path, compression="lz4")
        durable(path)

    def _carry(self, piece: _Prepared, number: int) -> None:
        """Keep what the next piece has to know."""
        np.save(self._journal.path("hashes", number, "npy"), piece.hashes)
        if piece.past is None:
            return
        past, entities = piece.past
        streams: dict[bytes, bytes] = {}
        for stream, events in past.items():
            buffer = io.BytesIO()
            events.write_ipc(buffer, compression="uncompressed")
            streams[stream] = buffer.getvalue()
        path = self._journal.path("past", number, "msgpack")
        path.write_bytes(msgspec.msgpack.encode([list(streams.items()), entities]))


def _carried(raw: bytes) -> tuple[dict[bytes, pl.DataFrame], list[Any]]:
    streams, entities = msgspec.msgpack.decode(raw)
    return {stream: pl.read_ipc(io.BytesIO(data)) for stream, data in streams}, entities


def _decided(rule: DecisionRule, scores: NDArray[np.float64], valid: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """What the rule makes of every row's scores, and the score behind it."""
    groups = valid[rule.group_by].cast(pl.String).fill_null("").to_list() if rule.group_by else None
    values, behind = rule.answers(scores, groups)
    kinds = {"multiclass": pl.String(), "regression": pl.Float64()}
    value = pl.Series("value", values.tolist(), dtype=kinds.get(rule.task, pl.Boolean()))
    return value, pl.Series("score", behind, dtype=pl.Float64)


def _positive(value: pl.Series) -> int:
    return int(value.sum()) if value.dtype == pl.Boolean else 0


def _added(counts: dict[str, int], lists: pl.Series) -> dict[str, int]:
    """Counts with those of one more piece."""
    sum_of = dict(counts)
    tally = lists.explode(empty_as_null=True).drop_nulls().rename("name").value_counts()
    for name, number in tally.iter_rows():
        sum_of[name] = sum_of.get(name, 0) + number
    return dict(sorted(sum_of.items()))


def _join(journal: Journal, name: str, output: Path) -> None:
    """Join the pieces into one file that appears whole; without pieces an older file is removed."""
    parts = journal.files(name)
    if not parts:
        output.unlink(missing_ok=True)
        return
    whole = journal.folder / f"whole{output.suffix.lower()}"
    if whole.suffix == ".csv":
        with whole.open("wb") as target:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, target, 1024 * 1024)
    else:
        pl.scan_parquet(parts).sink_parquet(whole, compression="lz4", row_group_size=CHUNK_ROWS, maintain_order=True)
    durable(whole).replace(output)
