"""What stands before every route: hosts, sizes, rates, headers, the access log."""

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import count
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smar.service.http.metrics import Metrics
from smar.service.http.problems import HttpError

access = logging.getLogger("smar.access")

_MOST_CLIENTS = 10_000  # whose rate is remembered
_FREE = ("/pictures/", "/static/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_HEADERS = {
    b"content-security-policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"cross-origin",
}
_OUR_ID = b"x-request-id"
_START = uuid.uuid4().hex[:8]  # of the names of this process's requests
_numbers = count(1)


class AccessLog:
    """Counts and logs every request, and puts the headers of safety on every response.

    Args:
        app: What answers.
        metrics: Takes the counts.
        is_logged: Whether a line is written.
        with_text: Whether the line says what was searched for (`scope["state"]["said"]`).
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, is_logged: bool, with_text: bool) -> None:
        self._app, self._metrics = app, metrics
        self._is_logged, self._with_text = is_logged, with_text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        state = scope.setdefault("state", {})
        request_id = state["request_id"] = f"{_START}{next(_numbers):08x}"
        status, size = 499, 0  # the client went away before there was a response

        async def sent(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_ours(message.get("headers", ()), request_id)
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, sent)
            await asyncio.sleep(0)  # the loop writes at the end of its turn: to count can wait
        except Exception:
            status = 500
            raise
        finally:
            spent = time.perf_counter() - start
            # Never the path itself: it may hold what was searched for, and it has no end of values.
            route = getattr(scope.get("route"), "path", "(none)")
            self._metrics.answered(route, status, spent)
            if self._is_logged:
                line = {
                    "at": time.time(),
                    "id": request_id,
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "ms": round(1000 * spent, 3),
                    "bytes": size,
                    **{name: state[name] for name in ("key", "release", "hits") if name in state},
                }
                if self._with_text and "said" in state:
                    line["query"] = state["said"]
                access.info(orjson.dumps(line).decode())


def _with_ours(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[Any]:
    """Return the headers of a response with those of safety, which it may have its own of."""
    own = [each for each in headers if each[0].lower() != _OUR_ID]
    return [*own, (_OUR_ID, request_id.encode()), *_beside(tuple([name for name, _ in own]))]


@lru_cache(64)
def _beside(names: tuple[bytes, ...]) -> list[tuple[bytes, bytes]]:
    """Return the headers of safety that a response with these names has not."""
    named = {name.lower() for name in names}
    return [(name, value) for name, value in _HEADERS.items() if name not in named]


class Guard:
    """Refuses requests that no route should see.

    Args:
        app: What answers the others.
        hosts: Names that Host may be; none for any. Without it a page of another host that has this
            machine's address looked up under its own name could read what is here.
        max_body: Bytes of a body.
        body_s: A client may take to send it.
        per_s: Requests of a client a second; 0 for no limit.
        burst: Those it may send at once.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        max_body: int,
        body_s: float,
        per_s: float,
        burst: int,
    ) -> None:
        self._app, self._hosts, self._max_body, self._body_s = app, hosts, max_body, body_s
        self._rates = Rates(per_s, burst) if per_s else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
            if scope["method"] in {"POST", "PUT", "PATCH"}:
                receive = _replayed(await self._body(scope, receive), receive)
        except HttpError as problem:
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        host, length = _host_and_length(scope["headers"])
        if self._hosts:
            name = host.rsplit(":", 1)[0] or host
            if name not in self._hosts:
                raise HttpError(
                    421,
                    f"Host {name!r:.80} is not served; expected one of {', '.join(self._hosts)}. "
                    "The setting `hosts` takes others.",
                )
        if not length.isdigit() or int(length) > self._max_body:
            raise HttpError(413, f"A body may have {self._max_body} bytes, not {length:.20}.")
        if self._rates is not None and not scope["path"].startswith(_FREE):
            client = scope.get("client") or ("",)
            wait_s = self._rates.wait(client[0])
            if wait_s > 0:
                text = f"More than {self._rates.per_s:g} requests a second; come back later."
                raise HttpError(429, text, retry_s=max(1, round(wait_s)))

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Return the whole body, which a slow client does not hold a route up with."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise HttpError(400, "The client went away.")
                    body += message.get("body", b"")
                    if len(body) > self._max_body:
                        text = f"A body may have {self._max_body} bytes."
                        raise HttpError(413, text)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            text = f"The body was not there after {self._body_s:g} s."
            raise HttpError(408, text) from None


def _host_and_length(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Return Host, "" without one, and Content-Length, "0" without one; of several the first."""
    host = length = None
    for name, value in headers:
        if name == b"host" and host is None:
            host = value.decode("latin-1")
        elif name == b"content-length" and length is None:
            length = value.decode("latin-1")
    return host or "", "0" if length is None else length


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read, then what comes after it."""
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class Rates:
    """A bucket of tokens for each client: full at first, filled at a steady rate.

    Args:
        per_s: Tokens a second.
        burst: Size of a bucket.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self.per_s, self._burst = per_s, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, now: float | None = None) -> float:
        """Take a token of a client; return the seconds to wait where there is none, else 0."""
        at = time.monotonic() if now is None else now
        tokens, before = self._buckets.pop(client, (float(self._burst), at))
        tokens = min(self._burst, tokens + (at - before) * self.per_s)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / self.per_s
        self._buckets[client] = (tokens - 1 if tokens >= 1 else tokens, at)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return wait_s
