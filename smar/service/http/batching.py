"""Searches that wait at the same time are answered together, in one thread, by one release.

What has come while the last batch was answered is the next one. Clients that were answered together
ask again at nearly the same time, and a search of many costs each of them much less: where fewer
wait than were answered last, the next batch begins a part of the last one's time later, so that it
is as large. Whoever is alone waits for nobody.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from smar.service.http.problems import HttpError

Asked = TypeVar("Asked")
Told = TypeVar("Told")

_MORE_FRAC = 0.25  # of the last batch's time, until which further searches are waited for
_MORE_S = 0.005  # and no longer than this


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Asked, Told]):
    """A search in the queue, and who is told its answer: a future of a thread, or of a loop."""

    asked: Asked
    until: float
    future: "Future[Told] | None" = None
    waiter: "asyncio.Future[Told] | None" = None
    is_gone: bool = False

    def begins(self) -> bool:
        """Return whether anybody still waits for it."""
        if self.future is None:
            return not self.is_gone
        return self.future.set_running_or_notify_cancel()


class Batcher(Generic[Asked, Told]):
    """A queue with an end, and the thread that answers it.

    Args:
        answer: Returns for each of a batch its answer, or the error that it ends with.
        max_waiting: Longest queue; further ones are refused.
        max_batch: Most that are answered together.
        deadline_s: What has waited as long is refused.
        begin: Called first in the thread.
    """

    def __init__(
        self,
        answer: Callable[[list[Asked]], Sequence[Told | Exception]],
        *,
        max_waiting: int,
        max_batch: int,
        deadline_s: float,
        begin: Callable[[], object] = lambda: None,
    ) -> None:
        self._answer, self._begin = answer, begin
        self._max_waiting, self._max_batch = max_waiting, max_batch
        self._deadline_s = deadline_s
        self._queue: deque[_Waiting[Asked, Told]] = deque()
        self._wake = threading.Condition()
        self._wanted = 1  # so many have to wait before the thread is woken
        self._arrived: list[tuple[asyncio.Future[Told], Told | Exception]] = []
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="searches", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    async def ask(self, asked: Asked) -> Told:
        """Return the answer.

        Raises:
            HttpError: If too many wait, or it has waited too long.
        """
        waiter: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        waiting: _Waiting[Asked, Told] = _Waiting(asked, self._until(), waiter=waiter)
        self._put(waiting)
        try:
            return await waiter
        finally:
            waiting.is_gone = True  # a client that hung up; what is answered already stays so

    def submit(self, asked: Asked) -> "Future[Told]":
        """Return what will hold the answer.

        Raises:
            HttpError: If too many wait, or the service stops.
        """
        future: Future[Told] = Future()
        self._put(_Waiting(asked, self._until(), future))
        return future

    def _until(self) -> float:
        return time.monotonic() + self._deadline_s

    def _put(self, waiting: _Waiting[Asked, Told]) -> None:
        with self._wake:
            if self._is_closed:
                raise HttpError(503, "The service stops.", retry_s=5)
            if len(self._queue) >= self._max_waiting:
                text = f"{len(self._queue)} searches wait already; come back in a second."
                raise HttpError(503, text, retry_s=1)
            self._queue.append(waiting)
            if len(self._queue) >= self._wanted:
                self._wake.notify()

    def close(self) -> None:
        """Answer what waits, and nothing after it."""
        with self._wake:
            self._is_closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        self._begin()
        size, spent = 1, 0.0
        while True:
            batch = self._next(size, min(_MORE_FRAC * spent, _MORE_S))
            if not batch:
                return
            start = time.monotonic()
            self._settle(batch)
            self._hand_over()
            size, spent = len(batch), time.monotonic() - start

    def _next(self, size: int, most_s: float) -> list[_Waiting[Asked, Told]]:
        """Return the next batch, nothing when the queue is closed and empty.

        Args:
            size: So many are waited for,
            most_s: for so long.
        """
        with self._wake:
            while not self._queue and not self._is_closed:
                self._wake.wait()
            self._wanted, until = min(size, self._max_batch), time.monotonic() + most_s
            while len(self._queue) < self._wanted and not self._is_closed:
                left_s = until - time.monotonic()
                if left_s <= 0:
                    break
                self._wake.wait(left_s)
            self._wanted = 1
            size = min(len(self._queue), self._max_batch)
            return [self._queue.popleft() for _ in range(size)]

    def _hand_over(self) -> None:
        """Wake every loop once for all answers of a batch: one for each would wake it for each."""
        arrived, self._arrived = self._arrived, []
        for loop in {waiter.get_loop() for waiter, _ in arrived}:
            own = [each for each in arrived if each[0].get_loop() is loop]
            with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(_tell, own)

    def _told(self, waiting: _Waiting[Asked, Told], told: Told | Exception) -> None:
        if waiting.waiter is not None:
            self._arrived.append((waiting.waiter, told))
        elif waiting.future is None:
            return
        elif isinstance(told, Exception):
            waiting.future.set_exception(told)
        else:
            waiting.future.set_result(told)

    def _settle(self, batch: list[_Waiting[Asked, Told]]) -> None:
        now = time.monotonic()
        # Of a client that hung up nobody reads the answer.
        alive = [each for each in batch if each.begins()]
        late = [each for each in alive if each.until < now]
        for each in late:
            text = f"The search waited more than {self._deadline_s:g} s; come back in a second."
            self._told(each, HttpError(503, text, retry_s=1))
        begun = [each for each in alive if each.until >= now]
        if not begun:
            return
        try:
            told = self._answer([each.asked for each in begun])
        except Exception as error:  # noqa: BLE001 - whoever waits is told, the thread goes on
            for each in begun:
                self._told(each, error)
            return
        for each, one in zip(begun, told, strict=True):
            self._told(each, one)


def _tell(arrived: "list[tuple[asyncio.Future[Told], Told | Exception]]") -> None:
    """Give those who wait in this loop what arrived for them."""
    for waiter, told in arrived:
        if waiter.done():
            continue
        if isinstance(told, Exception):
            waiter.set_exception(told)
        else:
            waiter.set_result(told)
