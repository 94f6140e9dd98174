"""The decision log: append-only, hash-chained, durable before anyone is answered.

Group commit: records are encoded and chained where they arise (the event loop); one flusher thread
writes whatever has gathered, calls ``fdatasync`` once, and every waiting request goes on together.
When the write fails, nothing of the batch is acknowledged and the file is cut back to what was durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bluegold.core.errors import WorkspaceError
from bluegold.production.results.decision_reader import DecisionReader, LogReport, Positions
from bluegold.production.results.records import DecisionRecord, Record, SegmentHeader, encode_record, microseconds
from bluegold.production.results.segments import Head, last_head, line, segment_path, segments

__all__ = ["DecisionLog", "DecisionReader", "LogReport", "Positions"]

SEGMENT_BYTES = 64 * 1024 * 1024

Done = Callable[[WorkspaceError | None], None]
"""Called once on the event loop: None when the records are on the disk, else why they are not."""


class DecisionLog:
    """The log of one worker process; :meth:`write` and :meth:`submit` belong to one event loop.

    Args:
        root: the folder of all decisions; the log writes below ``worker-<n>``.
        worker: number of the worker; no other live process may have the same.
        segment_bytes: a segment that reaches this size is followed by a new one.

    Raises:
        WorkspaceError: the folder cannot be read.

    Example:
        >>> import tempfile
        >>> async def once(root: Path) -> str:
        ...     log = DecisionLog(root, worker=0)
        ...     record = DecisionRecord(at=1, model="m", version="v1", color="blue", value=True, score=0.5)
        ...     await log.write([record])
        ...     log.close()
        ...     return record.id
        >>> root = Path(tempfile.mkdtemp())
        >>> DecisionReader(root).get(asyncio.run(once(root))).score
        0.5
    """

    def __init__(self, root: Path, worker: int, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._root = root
        self._worker = worker
        self._limit = segment_bytes
        self._lock = threading.Lock()
        self._turns: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._turn: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batch: list[tuple[int, bytes]] = []
        self._waiters: list[Done] = []
        self._file = -1
        self.trouble = ""
        """Why decisions cannot be made durable at present; empty while they can."""
        self._flushing_since = 0.0
        try:
            (root / f"worker-{worker}").mkdir(parents=True, exist_ok=True)
            self._durable = self._head = last_head(root, worker)
            self._newest = max(segments(root, worker), default=0)
        except OSError as error:
            raise _unusable(root, error) from error
        self._flusher = threading.Thread(target=self._flush_forever, name="decision-log", daemon=True)
        self._flusher.start()

    async def write(self, records: Sequence[Record]) -> None:
        """Append ``records`` and return when they are on the disk.  Decisions get their id here.

        Raises:
            WorkspaceError: they could not be made durable; nothing was acknowledged.
        """
        if not records:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: WorkspaceError | None) -> None:
            if waiter.done():
                return
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

        self.submit(records, done)
        await waiter

    def submit(self, records: Sequence[Record], done: Done) -> None:
        """Append ``records`` and call ``done`` when they are on the disk, or cannot be.  Decisions get their id here.

        Raises:
            WorkspaceError: they cannot even be appended, none of them; ``done`` is not called then.
        """
        with self._lock:
            try:
                self._append(records)
            except OSError as error:
                self.trouble = error.strerror or str(error)
                raise _not_durable(error) from error
            self._waiters.append(done)
        loop = asyncio.get_running_loop()
        if self._turn is not loop:  # once this turn of the loop is over, so that whatever is ready shares one commit
            self._turn = loop
            loop.call_soon(self._call_flusher, loop)

    @property
    def stalled_s(self) -> float:
        """For how many seconds the disk has owed an answer; 0 while it owes none."""
        since = self._flushing_since
        return time.monotonic() - since if since else 0.0

    def close(self) -> None:
        """Write what is left and stop the flusher."""
        self._turns.put(False)
        self._flusher.join()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _call_flusher(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turn, self._loop = None, loop
        self._turns.put(True)

    def _append(self, records: Sequence[Record]) -> None:
        if self._file < 0 or self._head.size >= self._limit:
            self._open_segment()
        segment, digest, size = self._head.segment, self._head.digest, self._head.size
        before, raws = f"{self._worker}-{segment}-", []
        for record in records:
            if type(record) is DecisionRecord:
                record.id = f"{before}{size}"  # its Place
            digest, raw = line(digest, encode_record(record))
            raws.append(raw)
            size += len(raw)
        self._batch.append((self._file, b"".join(raws)))  # all of them, or none when one cannot be encoded
        self._head = Head(segment, digest, size)

    def _open_segment(self) -> None:
        """Begin the next segment, chained to the end of the one before."""
        segment = self._newest + 1
        path = segment_path(self._root, self._worker, segment)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._newest = segment
        before, self._head = self._head, Head(segment, self._head.digest, 0)
        header = SegmentHeader(
            worker=self._worker,
            segment=segment,
            follows=before.segment,
            previous=before.digest,
            previous_size=before.size,
            at=microseconds(),
        )
        digest, raw = line(before.digest, encode_record(header))
        self._batch.append((self._file, raw))
        self._head = Head(segment, digest, len(raw))

    def _flush_forever(self) -> None:
        going = True
        while going:
            going = self._turns.get()
            with self._lock:
                batch, self._batch = self._batch, []
                waiters, self._waiters = self._waiters, []
                head = self._head
            if not batch:
                continue
            self._flushing_since = time.monotonic()
            try:
                self._make_durable(batch, head.segment)
            except OSError as error:
                self.trouble = error.strerror or str(error)
                self._give_up(batch, waiters, error)
            else:
                self.trouble = ""
                with self._lock:
                    self._durable = head
                self._settle(waiters, None)
            self._flushing_since = 0.0

    def _make_durable(self, batch: list[tuple[int, bytes]], segment: int) -> None:
        """Write each file's lines at once and wait for the disk; a finished segment's file is closed."""
        files = list(dict.fromkeys(file for file, _ in batch))
        for file in files:
            view = memoryview(b"".join(raw for owner, raw in batch if owner == file))
            while view:
                view = view[os.write(file, view) :]
            os.fdatasync(file)
            if file != files[-1]:
                os.close(file)
        if segment != self._durable.segment:
            folder = os.open(self._root / f"worker-{self._worker}", os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _give_up(self, batch: list[tuple[int, bytes]], waiters: list[Done], error: OSError) -> None:
        """Drop the batch and all that was chained behind it; the next record begins a new segment."""
        with self._lock:
            waiters = waiters + self._waiters
            for file in {owner for owner, _ in batch + self._batch} | {self._file}:
                with contextlib.suppress(OSError):  # a finished segment's file may be closed already
                    os.close(file)
            self._batch, self._waiters, self._file = [], [], -1
            self._head = self._durable
            # What cannot be cut off here was never acknowledged: the next header's previous_size leaves it out.
            with contextlib.suppress(OSError):
                for segment in segments(self._root, self._worker):
                    path = segment_path(self._root, self._worker, segment)
                    if segment == self._durable.segment:
                        os.truncate(path, self._durable.size)
                    elif segment > self._durable.segment:
                        path.unlink()
        self._settle(waiters, error)

    def _settle(self, waiters: list[Done], error: OSError | None) -> None:
        """Tell everybody who waits, in one callback on the event loop."""
        if waiters and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_tell, waiters, None if error is None else _not_durable(error))


def _tell(waiters: list[Done], error: WorkspaceError | None) -> None:
    for done in waiters:
        done(error)


def _not_durable(error: OSError) -> WorkspaceError:
    return WorkspaceError(
        "the decision could not be recorded, so it is not given",
        why=error.strerror or str(error),
        way_out="free space or repair the disk that holds the workspace, then ask again",
    )


def _unusable(root: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"decisions cannot be kept in '{root}'",
        why=error.strerror or str(error),
        way_out="fix its owner, rights or free space",
    )
