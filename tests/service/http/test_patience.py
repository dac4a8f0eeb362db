"""A client that does not finish a request is let go, and no other one; who asked is answered."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from smar.service.http.patience import UNDER_WAY, Connection, impatient

HEAD_S = 0.3


SIZE = 30_000_000  # more than the system takes for a client that does not read
REQUEST = b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n"


async def late(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, at /late a little later, at /large with much, at /beside what is under way."""
    more = scope["method"] == "POST"
    while more:
        more = (await receive()).get("more_body", False)
    await asyncio.sleep(0.1 if scope["path"] == "/late" else 0)
    content = SIZE * "x" if scope["path"] == "/large" else "here"
    if scope["path"] == "/beside":
        content = str(len(scope["extensions"][UNDER_WAY]["tasks"]))
    await PlainTextResponse(content)(scope, receive, send)


@pytest.fixture
def port() -> Iterator[int]:
    options = {"port": 0, "log_config": None, "http": impatient(HEAD_S), "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(late, **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def test_half_a_head_is_not_waited_for(port: int):
    request = REQUEST % b"/"
    with socket.create_connection(("127.0.0.1", port), 5) as half:
        half.sendall(request[:10])
        assert half.recv(100) == b""
    with socket.create_connection(("127.0.0.1", port), 5) as silent:
        assert silent.recv(100) == b""
    with socket.create_connection(("127.0.0.1", port), 5) as good:
        good.sendall(request)
        assert b"here" in good.recv(1000)
        time.sleep(2 * HEAD_S)  # between two requests a connection may rest
        good.sendall(request)
        assert b"here" in good.recv(1000)
        good.sendall(request[:10])
        assert good.recv(100) == b""


def answers(port: int, sent: bytes) -> bytes:
    """Return all that comes when something is sent and nothing after it."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(1000), b""))


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("path", [b"/", b"/late"])
def test_who_asks_and_says_no_more_is_answered(
    port: int, times: int, path: bytes, caplog: pytest.LogCaptureFixture
):
    assert answers(port, times * (REQUEST % path)).count(b"here") == times
    assert not caplog.records


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf",
    ],
)
def test_who_asks_not_to_the_end_is_let_go(port: int, sent: bytes):
    assert answers(port, sent) == b""


def test_who_reads_nothing_of_an_answer_is_let_go(port: int, caplog: pytest.LogCaptureFixture):
    """Also where it asks on; what waited for it to read is given up without a word."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(5)
        client.connect(("127.0.0.1", port))
        client.sendall(3 * (REQUEST % b"/large"))
        time.sleep(5 * HEAD_S)
        with suppress(ConnectionError):
            got = sum(map(len, iter(lambda: client.recv(1 << 20), b"")))
            assert got < SIZE
    assert not caplog.records


def test_who_reads_slowly_has_the_whole_answer(port: int):
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(REQUEST % b"/large")
        got, until = 0, time.monotonic() + 4 * HEAD_S
        while got < SIZE:
            got += len(client.recv(1 << 17))
            time.sleep(0.006 if time.monotonic() < until else 0)
        assert time.monotonic() > until


def test_what_is_written_to_a_closed_connection_is_dropped(
    port: int, caplog: pytest.LogCaptureFixture
):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall((REQUEST % b"/large") + (REQUEST % b"/") + b"no request")
    time.sleep(0.2)
    assert not [record for record in caplog.records if record.exc_info]


class Written:
    """A transport that notes what is written at once."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.writes.append(b"".join(parts))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ([b"HTTP/1.1 200 OK", b"here"], [b"HTTP/1.1 200 OKhere"]),
        ([b"HTTP/1.1 200 OK", b"a", b"b"], [b"HTTP/1.1 200 OKa", b"b"]),
        ([b"HTTP/1.1 204 No Content"], [b"HTTP/1.1 204 No Content"]),
        ([b"HTTP/1.1 200 OK", b"here"] * 2, [b"HTTP/1.1 200 OKhere"] * 2),
        ([b"here"], [b"here"]),
    ],
)
@pytest.mark.parametrize("closes", [True, False])
def test_head_of_an_answer_is_written_with_what_follows(
    said: list[bytes], written: list[bytes], closes: bool
):
    transport = Written()

    async def answer() -> None:
        connection = Connection(transport, asyncio.get_running_loop())  # type: ignore[arg-type]
        for data in said:
            connection.write(data)
        if closes:
            connection.close()
            assert transport.writes == written
        else:
            await asyncio.sleep(0)

    asyncio.run(answer())
    assert transport.writes == written
    assert transport.is_closed == closes


def test_head_that_goes_before_the_body_of_a_request_is_written_at_once(port: int):
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n"
        client.sendall(head)
        assert client.recv(1000).startswith(b"HTTP/1.1 100 Continue")
        client.sendall(b"body")
        assert b"here" in client.recv(1000)


def test_request_knows_what_is_under_way_beside_it(port: int):
    with (
        socket.create_connection(("127.0.0.1", port), 5) as alone,
        socket.create_connection(("127.0.0.1", port), 5) as beside,
    ):
        alone.sendall(REQUEST % b"/beside")
        assert alone.recv(1000).endswith(b"1")
        beside.sendall(REQUEST % b"/late")
        time.sleep(0.03)
        alone.sendall(REQUEST % b"/beside")
        assert alone.recv(1000).endswith(b"2")
