"""Shoppers for `benchmarks.serving`, in a process of their own that does as little as it can.

python -m benchmarks.serving_load PORT PATHS.json CONNECTIONS SECONDS [RATE [EVENTS]]

All connections together send RATE requests a second, 0 for as many as are answered; a request that
could not go out in time because the one before was not answered has waited since it was due. Of
EVENTS requests one is a click that is posted. Requests are bytes before the clock starts,
connections stay open, and of an answer no more is looked at than its status, its length, its
release and the ids of its items: `mixed` counts the queries that one release answered with several
lists of items. What the process itself takes of the processor is told too: it shares the machine
with what it measures.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

_END = b"\r\n\r\n"
_RELEASE = b'"release":"'
_ITEM = re.compile(rb'"item_id":"([^"]*)"')


class Shopper(asyncio.Protocol):
    """One connection: the next request goes out when the last answer is there.

    Args:
        requests: Sent in turns.
        pause: Seconds from one request to the next, 0 for as soon as the last is answered.
        first: Of them, seconds before the first request.
        until: On `time.perf_counter`; no request begins after it.
        found: Is told status, release and seconds of each answer.
    """

    def __init__(
        self, requests: list[bytes], pause: float, first: float, until: float, found: "Found"
    ) -> None:
        self._requests, self._until, self._found = requests, until, found
        self._pause, self._due = pause, time.perf_counter() + first
        self._number, self._request = 0, b""
        self._begun = 0.0
        self._body = bytearray()
        self._missing = -1  # bytes of the answer; below 0 before its head is there
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport = transport
        self._send_when_due()

    def _send_when_due(self) -> None:
        wait = self._due - time.perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._send)
        else:
            self._send()

    def _send(self) -> None:
        if time.perf_counter() >= self._until or self._transport.is_closing():
            self._transport.close()
            return
        self._request = request = self._requests[self._number % len(self._requests)]
        self._number += 1
        self._body.clear()
        self._missing = -1
        self._begun = self._due if self._pause else time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._body += data
        if self._missing < 0:
            head = self._body.find(_END)
            if head < 0:
                return
            lowered = bytes(self._body[:head]).lower()
            length = int(lowered.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self._missing = head + len(_END) + length
        if len(self._body) >= self._missing:
            spent = time.perf_counter() - self._begun
            self._found.add(self._request, self._body, spent)
            self._due += self._pause
            self._send_when_due()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; before the time is over the service hung up."""
        if time.perf_counter() < self._until:
            self._found.codes["lost"] = self._found.codes.get("lost", 0) + 1
        if not self.done.done():
            self.done.set_result(None)


class Found:
    """What the answers were."""

    def __init__(self) -> None:
        self.spent: list[float] = []
        self.codes: dict[str, int] = {}
        self.releases: dict[str, int] = {}
        self.items: dict[tuple[bytes, str], set[int]] = {}
        self.kept = 0

    def add(self, request: bytes, answer: bytearray, seconds: float) -> None:
        """Count the answer to a request."""
        self.spent.append(seconds)
        code = answer[9:12].decode()
        self.codes[code] = self.codes.get(code, 0) + 1
        place = answer.find(_RELEASE)
        if place >= 0:
            start = place + len(_RELEASE)
            release = answer[start : answer.find(b'"', start)].decode()
            self.releases[release] = self.releases.get(release, 0) + 1
            items = hash(tuple(_ITEM.findall(answer)))
            self.items.setdefault((request, release), set()).add(items)
        elif answer.endswith(b'{"kept":1}'):
            self.kept += 1

    def summary(self, seconds: float, cpu_s: float) -> dict[str, Any]:
        """Return the figures."""
        ordered = sorted(self.spent) or [float("nan")]
        ok = self.codes.get("200", 0)
        return {
            "answered": ok,
            "events_kept": self.kept,
            "per_s": ok / seconds,
            "p50_ms": 1e3 * ordered[len(ordered) // 2],
            "p99_ms": 1e3 * ordered[int(0.99 * len(ordered))],
            "most_ms": 1e3 * ordered[-1],
            "errors": sum(number for code, number in self.codes.items() if code != "200"),
            "codes": self.codes,
            "releases": self.releases,
            "mixed": sum(len(of) > 1 for of in self.items.values()),
            "queries_of_several": len(self._of_several()),
            "of_them_with_other_items": sum(len(of) > 1 for of in self._of_several()),
            "load_cpu_ms": 1e3 * cpu_s / max(ok, 1),
            "load_cpu_share": cpu_s / seconds,
        }

    def _of_several(self) -> list[set[frozenset[int]]]:
        """Return what was found for every query that several releases answered."""
        by_query: dict[bytes, list[frozenset[int]]] = {}
        for (request, _), items in self.items.items():
            by_query.setdefault(request, []).append(frozenset(items))
        return [{*found} for found in by_query.values() if len(found) > 1]


def _click(number: int) -> bytes:
    record = {"action_name": "click", "query_id": f"q{number}", "client_id": f"c{number % 97}"}
    body = json.dumps([record]).encode()
    head = "POST /ubi_events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def load(
    port: int, paths: list[str], connections: int, seconds: float, rate: float, events: int
) -> dict[str, Any]:
    """Return what shoppers found who search for so many seconds."""
    heads = [f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode() for path in paths]
    if events:
        heads[::events] = [_click(number) for number in range(len(heads[::events]))]
    pause = connections / rate if rate else 0.0
    loop, found = asyncio.get_running_loop(), Found()
    until, cpu = time.perf_counter() + seconds, time.process_time()
    shoppers = []
    for number in range(connections):
        own = heads[number::connections] or heads
        _, shopper = await loop.create_connection(
            partial(Shopper, own, pause, pause * number / connections, until, found),
            "127.0.0.1",
            port,
        )
        shoppers.append(shopper)
    await asyncio.gather(*(shopper.done for shopper in shoppers))
    return found.summary(seconds, time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("paths", type=Path)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("rate", type=float, nargs="?", default=0.0)
    parser.add_argument("events", type=int, nargs="?", default=0)
    options = parser.parse_args()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    paths = json.loads(options.paths.read_text())
    values = options.connections, options.seconds, options.rate, options.events
    found = uvloop.run(load(options.port, paths, *values))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
