"""Leases: who may act on something now, with a fencing token that ends the right of whoever was before.

A holder shows life by raising a counter; no clock is compared between machines, so a clock that is moved back or
forward neither prolongs a lease nor ends it.  Whoever wants a lease that another holds watches its counter by a
stopwatch of its own: when it stood still for the lease's length, the holder counts as dead.  Every change of hands
raises the token.  A registry that holds a lease writes nothing any more once the token is no longer its own: two
controllers can never both act, however late the first one wakes up.

Beats are not audited (they say nothing that lasts); every change of hands is.

Source: Gray & Cheriton (1989), Leases, SOSP; fencing tokens after Kleppmann (2017), Designing Data-Intensive
Applications, chapter 8.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import msgspec
from sqlalchemy import Column, Connection, Float, Integer, String, Table, insert, select, update

from bluegold.core.errors import RegistryError, StoreError
from bluegold.registry.audit import Audit, Change
from bluegold.registry.tables import metadata

__all__ = ["Lease", "LeaseLost", "Leases", "Stopwatch", "this_process"]

leases_table = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("token", Integer, nullable=False),
    Column("beat", Integer, nullable=False),
    Column("length_s", Float, nullable=False),
)
_ROW = select(leases_table)
_POLL_S = 0.05
_RELEASE = "automatic:lease"
"""Who gives a lease back: that takes no key, since the holder's may have been taken away meanwhile."""


class LeaseLost(RegistryError):
    """Somebody else acts now; nothing was written."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One lease as it stood when it was read; ``holder`` is empty when nobody holds it."""

    name: str
    holder: str
    token: int
    beat: int
    length_s: float


def this_process() -> str:
    """The name of this process as a holder: ``host/process``.

    Example:
        >>> this_process().endswith(f"/{os.getpid()}")
        True
    """
    return f"{socket.gethostname()}/{os.getpid()}"


class Stopwatch:
    """Watches one lease by a clock of its own, and says for how long its holder has shown no life.

    Args:
        clock: seconds that only ever go forward.

    Example:
        >>> times = iter((0.0, 3.0, 4.0))
        >>> watch = Stopwatch(lambda: next(times))
        >>> lease = Lease(name="m", holder="h/1", token=1, beat=7, length_s=5.0)
        >>> watch.silence(lease), watch.silence(lease), watch.silence(msgspec.structs.replace(lease, beat=8))
        (0.0, 3.0, 0.0)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen = (0, -1)
        self._since = 0.0

    def silence(self, lease: Lease) -> float:
        """Seconds since the lease was last seen to change."""
        now = self._clock()
        if (lease.token, lease.beat) != self._seen:
            self._seen, self._since = (lease.token, lease.beat), now
        return now - self._since


class Leases:
    """Takes, keeps and ends leases.

    Args:
        audit: the chain that changes of hands are written to; a held lease fences all its writes.
    """

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def current(self, name: str) -> Lease | None:
        """The lease of that name, or None when nobody ever took it."""
        with self._audit.store.read() as connection:
            return self._read(connection, name)

    @contextlib.contextmanager
    def hold(self, name: str, length_s: float = 10.0, *, sure: bool = False, wait: bool = True) -> Iterator[Lease]:
        """Hold a lease while the body runs, and fence everything that this registry writes meanwhile.

        Args:
            name: what is leased.
            length_s: how long the holder may show no life.
            sure: the caller knows that whoever holds it on this machine is dead (it has their file lock).
            wait: watch a silent holder of another machine for as long as its lease is; otherwise give up at once.

        Raises:
            LeaseLost: somebody else holds it and shows life.
        """
        lease = self._take(name, length_s, sure=sure, wait=wait)
        ended = threading.Event()
        beating = threading.Thread(target=self._beat, args=(lease, ended), name=f"lease-{name}", daemon=True)
        before = self._audit.fence
        self._audit.fence = lambda connection: self._demand(connection, lease, before)
        beating.start()
        try:
            yield lease
        finally:
            ended.set()
            beating.join()
            self._audit.fence = before
            self._release(lease)

    def end(self, lease: Lease, actor: str, reason: str) -> bool:
        """End a lease whose holder shows no life; False when it showed some meanwhile, or somebody was quicker."""
        with self._audit.change(actor) as change:
            now = self._read(change.connection, lease.name)
            if now is None or (now.token, now.beat) != (lease.token, lease.beat):
                return False
            self._write(change, msgspec.structs.replace(now, holder="", token=now.token + 1, beat=0), "ended", reason)
        return True

    def _take(self, name: str, length_s: float, *, sure: bool, wait: bool) -> Lease:
        me = this_process()
        found = self._dead(name, me, sure=sure, wait=wait)
        with self._audit.change() as change:
            now = self._read(change.connection, name)
            if now is not None and (found is None or (now.token, now.beat) != (found.token, found.beat)):
                raise _held(now)
            token = now.token + 1 if now is not None else 1
            lease = Lease(name=name, holder=me, token=token, beat=0, length_s=length_s)
            self._write(change, lease, "taken", f"after {now.holder}" if now is not None and now.holder else "")
        return lease

    def _dead(self, name: str, me: str, *, sure: bool, wait: bool) -> Lease | None:
        """The lease as nobody living holds it: free, or its holder seen to be dead."""
        watch, first = Stopwatch(), self.current(name)
        found = first
        while found is not None and found.holder:
            here = found.holder.rpartition("/")[0] == me.rpartition("/")[0]
            if (sure and here) or watch.silence(found) >= found.length_s:
                return found
            if not wait or found != first:
                raise _held(found)
            time.sleep(_POLL_S)
            found = self.current(name)
        return found

    def _beat(self, lease: Lease, ended: threading.Event) -> None:
        """Show life four times in the length of the lease, until it ends or is lost."""
        mine = (leases_table.c.name == lease.name) & (leases_table.c.token == lease.token)
        while not ended.wait(lease.length_s / 4):
            try:
                with self._audit.store.write() as connection:
                    beat = update(leases_table).where(mine).values(beat=leases_table.c.beat + 1)
                    if connection.execute(beat).rowcount == 0:
                        return
            except StoreError:
                continue

    def _release(self, lease: Lease) -> None:
        with self._audit.change(_RELEASE) as change:
            now = self._read(change.connection, lease.name)
            if now is not None and now.token == lease.token:
                self._write(change, msgspec.structs.replace(now, holder=""), "released", "")

    def _demand(self, connection: Connection, lease: Lease, others: Callable[[Connection], None] | None) -> None:
        if others is not None:
            others(connection)
        now = self._read(connection, lease.name)
        if now is None or now.token != lease.token:
            raise LeaseLost(
                f"this process no longer holds the lease '{lease.name}': nothing was written",
                why=f"{now.holder or 'the watchdog'} ended it" if now is not None else "it is gone",
                way_out="look at 'bluegold history', then deliver again",
                subject=lease.name,
            )

    @staticmethod
    def _read(connection: Connection, name: str) -> Lease | None:
        row = connection.execute(_ROW.where(leases_table.c.name == name)).first()
        return None if row is None else Lease(**row._mapping)

    @staticmethod
    def _write(change: Change, lease: Lease, outcome: str, reason: str) -> None:
        values = msgspec.structs.asdict(lease)
        done = change.connection.execute(update(leases_table).where(leases_table.c.name == lease.name).values(**values))
        if done.rowcount == 0:
            change.connection.execute(insert(leases_table), values)
        details = {"token": lease.token, "holder": lease.holder, "reason": reason}
        change.append(change.actor, "lease", lease.name, outcome, details)


def _held(lease: Lease) -> LeaseLost:
    return LeaseLost(
        f"'{lease.name}' is held by {lease.holder or 'somebody else'}",
        why="it shows life",
        way_out="let it end, or take its release back with 'bluegold rollback'",
        subject=lease.name,
    )
