"""HTTP connections that wait no longer than they are told to, hear an end, and write once.

uvicorn waits for the head of a request without end, and for a client that does not read its answer:
those which send half a head each could hold all connections that it takes, those which read nothing
all memory. A client that has asked and says that it will ask no more it leaves without an answer;
and it writes to connections that were closed a moment before, which uvloop tells as an error. The
head of an answer it sends by itself, for which the system and the client work twice.
"""

import asyncio
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LEAST_BYTES_S = 1000  # that a client has to read of an answer which waits for it
_HEAD = b"HTTP/"
UNDER_WAY = "smar.under_way"
"""An extension of requests: its "tasks" are those of all that this process has not answered."""


class Connection:
    """A transport that drops what is written after its end, as those of asyncio do.

    The head of an answer is written together with what follows in the same turn of the loop.

    Args:
        transport: A transport of uvloop, which raises.
        loop: Its loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write, or drop, some bytes."""
        if self._transport.is_closing():
            return
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._write_head)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close it once everything is written."""
        self._write_head()
        self._transport.close()

    def _write_head(self) -> None:
        """Write a head after which nothing has come."""
        if self._head:
            self.write(b"")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Impatient(HttpToolsProtocol):
    """A connection that is closed where a head is not there in time, or an answer not read.

    Args:
        head_s: From the connection, or the first byte of a later request, to the end of its head;
            and between two looks at whether an answer is read.
        options: As of uvicorn's protocol.
    """

    def __init__(self, *, head_s: float, **options: Any) -> None:
        super().__init__(**options)
        self._head_s = head_s
        self._is_in_head = False
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(Connection(transport, self.loop))  # type: ignore[arg-type]
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a head; most come whole."""
        super().data_received(data)
        if self._is_in_head and self._late is None:
            self._wait()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._is_in_head = True
        super().on_message_begin()
        self.scope["extensions"] = {UNDER_WAY: {"tasks": self.tasks}}

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._is_in_head = False
        _stop(self._late)
        self._late = None
        super().on_headers_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer who has asked and asks no more; whoever has not asked to the end is let go."""
        asked = self.cycle
        if asked is None or asked.response_complete or asked.more_body:
            return False
        asked.keep_alive = False  # the last one: those before it are answered, too
        return True

    def pause_writing(self) -> None:
        """Begin to look at whether the answer is read."""
        super().pause_writing()
        self._look_later()

    def resume_writing(self) -> None:
        """Look no more: most of it was read."""
        _stop(self._unread)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        _stop(self._late, self._unread)
        super().connection_lost(exc)

    def _wait(self) -> None:
        _stop(self._late)
        self._late = self.loop.call_later(self._head_s, self.transport.close)

    def _look_later(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self._head_s, self._look, left)

    def _look(self, before: int) -> None:
        """Let a client go that has read too little of what waits for it."""
        read = before - self.transport.get_write_buffer_size()
        if read < _LEAST_BYTES_S * self._head_s:
            self.transport.abort()
        else:
            self._look_later()


def _stop(*timers: asyncio.TimerHandle | None) -> None:
    """Stop timers that run."""
    for timer in timers:
        if timer is not None:
            timer.cancel()


def impatient(head_s: float) -> Any:
    """Return what makes connections for uvicorn's option `http`."""
    return partial(Impatient, head_s=head_s)
