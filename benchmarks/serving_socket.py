"""The bare library behind a bare socket: the least that one client of any service waits for.

    python -m benchmarks.serving_socket PROJECT THREADS KIND

One connection at a time, blocking. Of a request no more is read than its path, and the answer is
bytes made beforehand, as many as a service's answer has: no protocol, no JSON, no log. Prints
its port, and ends when its standard input does.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving_library import BATCH, MIXED, PLAIN, bare_library, requests_of
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever

_BODY = b" " * 6_700
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


@contextmanager
def behind_socket(root: Path, threads: int, kind: str) -> Iterator[int]:
    """Run it beside what is done meanwhile, which is given its port."""
    command = [sys.executable, "-m", "benchmarks.serving_socket", str(root), str(threads), kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - for the types
        yield int(process.stdout.readline())


def _answer(connection: socket.socket, shop: Retriever, known: dict[bytes, SearchRequest]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while given := connection.recv(1 << 16):
        shop.answer(known[given.split(b" ", 2)[1]])
        connection.sendall(_ANSWER)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", type=Path)
    parser.add_argument("threads", type=int)
    parser.add_argument("kind", choices=(PLAIN, MIXED))
    options = parser.parse_args()
    root, threads, kind = options.project, options.threads, options.kind
    shop, requests = bare_library(root, threads), requests_of(root, kind)
    paths = [path.encode() for path in json.loads((root / f"{kind}.json").read_text())]
    known = dict(zip(paths, requests, strict=True))
    shop.answer_many(requests[:BATCH])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=_end_with_input, daemon=True).start()
        while True:
            connection, _ = listening.accept()
            with connection:
                _answer(connection, shop, known)


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
