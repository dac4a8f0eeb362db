"""HTTP connections that wait for a request's head no longer than they are told to, and hear an end.

uvicorn waits for a head without end, so that clients which send half of one each could hold all
connections that it takes. A client that has asked and says that it will ask no more it leaves
without an answer; and it writes to connections that were closed a moment before, which is told as
an error of the service.
"""

import asyncio
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Impatient(HttpToolsProtocol):
    """A connection that is closed where a head is not there in time.

    Args:
        head_s: From the connection, or the first byte of a later request, to the end of its head.
        options: As of uvicorn's protocol.
    """

    def __init__(self, *, head_s: float, **options: Any) -> None:
        super().__init__(**options)
        self._head_s = head_s
        self._is_in_head = False
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
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

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._is_in_head = False
        self._wait_no_more()
        super().on_headers_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer who has asked and asks no more; whoever has not asked to the end is let go."""
        asked = self.cycle
        if asked is None or asked.response_complete or asked.more_body:
            self._let_go()
            return False
        asked.keep_alive = False  # the last one: those before it are answered, too
        return True

    def send_400_response(self, msg: str) -> None:
        """Say that something is no request, and hear no more."""
        super().send_400_response(msg)
        self._let_go()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _let_go(self) -> None:
        """Close, and have what is being answered not written any more."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _wait(self) -> None:
        self._wait_no_more()
        self._late = self.loop.call_later(self._head_s, self._let_go)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def impatient(head_s: float) -> Any:
    """Return what makes connections for uvicorn's option `http`."""
    return partial(Impatient, head_s=head_s)
