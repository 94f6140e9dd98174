"""NATS JetStream as a source: a durable pull consumer, acknowledged when results are durable.

Run the server with ``jetstream { sync_interval: always }``: by default it acknowledges before the disk has a message.
An offset is the stream's sequence number.  The offset that counts is the one kept beside the results; a consumer that
comes back makes the server's consumer anew behind it.
"""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import urlsplit

from bluegold.core.errors import StoreError, UsageError
from bluegold.production.sources.protocol import Event

__all__ = ["NatsSource"]

CONSUMER = "bluegold"
WAIT_S = 0.5


class NatsSource:
    """One stream of a NATS server.

    Args:
        url: ``nats://host:port/STREAM``.
        follow: whether to wait at the end for more.

    Raises:
        UsageError: the URL names no stream, or the extra ``stream`` is not installed.
    """

    def __init__(self, url: str, *, follow: bool = False) -> None:
        parts = urlsplit(url)
        stream = parts.path.strip("/")
        if not parts.hostname or not stream or "/" in stream:
            raise UsageError(f"'{url}' names no stream", way_out="write nats://host:port/STREAM")
        self.name = f"nats-{stream}"
        self._server, self._stream, self._follow = f"nats://{parts.netloc}", stream, follow
        self._client: Any = None
        self._pull: Any = None
        self._open: dict[int, Any] = {}
        self._next = 1

    async def fetch(self, after: int, most: int) -> list[Event] | None:
        """The next messages.

        Raises:
            StoreError: the server does not answer, or has no such stream.
        """
        import nats.errors
        import nats.js.errors

        pull = self._pull or await self._connect(after)
        try:
            messages = await pull.fetch(most, timeout=WAIT_S)
        except TimeoutError:
            return await self._quiet(pull)
        except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
            raise self._error(error) from error
        found = []
        for message in sorted(messages, key=lambda one: one.metadata.sequence.consumer):
            if message.metadata.sequence.consumer != self._next:
                break  # one was lost on the way: what follows would be a gap
            self._next += 1
            self._open[message.metadata.sequence.stream] = message
            found.append(Event(message.metadata.sequence.stream, message.data))
        if len(found) < len(messages):
            self._pull = None  # the rest is asked for again, from the last offset on
        return found

    async def commit(self, offset: int) -> None:
        """Acknowledge everything up to an offset, and wait until the server has it."""
        import nats.errors

        for sequence in sorted(self._open):
            if sequence <= offset:
                try:
                    await self._open.pop(sequence).ack_sync(timeout=5.0)
                except (nats.errors.Error, TimeoutError, OSError) as error:
                    raise self._error(error) from error

    async def close(self) -> None:
        """Leave the server."""
        if self._client is not None:
            import nats.errors

            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):  # a lost server is left all the same
                await self._client.close()

    async def _quiet(self, pull: Any) -> list[Event] | None:
        """Nothing came: whether that is the end, or something is on its way again."""
        state = await pull.consumer_info()
        if state.num_pending or state.num_ack_pending:
            self._pull = None
            return []
        return [] if self._follow else None

    async def _connect(self, after: int) -> Any:
        """A consumer that begins behind an offset: what an earlier one left open comes at once, and in order."""
        try:
            import nats
            import nats.errors
            import nats.js.errors
            from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
        except ImportError as error:
            raise UsageError("NATS needs the extra 'stream'", way_out="pip install 'bluegold[stream]'") from error
        config = ConsumerConfig(
            durable_name=CONSUMER,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=30.0,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
        )
        try:
            if self._client is None:
                self._client = await nats.connect(self._server, connect_timeout=3, max_reconnect_attempts=3)
            stream = self._client.jetstream()
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await stream.delete_consumer(self._stream, CONSUMER)
            await stream.add_consumer(self._stream, config)
            self._pull = await stream.pull_subscribe_bind(CONSUMER, stream=self._stream)
        except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
            raise self._error(error) from error
        self._next = 1
        self._open.clear()
        return self._pull

    def _error(self, error: Exception) -> StoreError:
        return StoreError(
            f"the stream '{self._stream}' at {self._server} failed",
            why=str(error) or type(error).__name__,
            way_out="check that the server runs and the stream exists",
        )
