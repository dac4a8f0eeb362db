"""HTTP connections that wait for the head of a request no longer than they are told to.

uvicorn waits for it without end, so that clients which send half a head each could hold all
connections that it takes.
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

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._wait_no_more()
        self._late = self.loop.call_later(self._head_s, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def impatient(head_s: float) -> Any:
    """Return what makes connections for uvicorn's option `http`."""
    return partial(Impatient, head_s=head_s)
