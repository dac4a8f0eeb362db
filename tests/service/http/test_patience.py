"""A client that does not finish a request's head is let go, and no other one."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from smar.service.http.patience import impatient

HEAD_S = 0.3


@pytest.fixture
def port() -> Iterator[int]:
    options = {"port": 0, "log_level": "warning", "http": impatient(HEAD_S), "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(PlainTextResponse("here"), **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def test_half_a_head_is_not_waited_for(port: int):
    request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
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
