"""Searches that wait at the same time are answered together, in one thread, by one release.

What has come while the last batch was answered is the next one. Clients that were answered together
ask again at nearly the same time, and a search of many costs each of them much less: where fewer
wait than were answered last, the next batch begins a part of the last one's time later, so that it
is as large. Whoever is alone waits for nobody, and for no thread: a quick search beside which no
other is under way is answered by the event loop itself. To wake a thread and to be woken by it
takes a third as long as the search, which then finds another core's caches without what it needs.
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
_HERE_S = 0.005  # that a search may hold the event loop up


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

    def tell(self, told: Told | Exception) -> None:
        """Give whoever waits the answer; for a waiter of a loop, in that loop."""
        to = self.future if self.future is not None else self.waiter
        if to is None or (to is self.waiter and to.done()):
            return
        if isinstance(told, Exception):
            to.set_exception(told)
        else:
            to.set_result(told)


_Outcome = tuple[_Waiting[Asked, Told], Told | Exception]


class Batcher(Generic[Asked, Told]):
    """A queue with an end, and the thread that answers it.

    Args:
        answer: Returns for each of a batch its answer, or the error that it ends with.
        max_waiting: Longest queue; further ones are refused.
        max_batch: Most that are answered together.
        deadline_s: What has waited as long is refused.
        begin: Called first in the thread.
        is_quick: Whether the event loop may answer it; it does where nothing else is asked, and
            where the last such search took less than 5 ms.
        told: Called with every batch and its answers once they are on their way.
    """

    def __init__(
        self,
        answer: Callable[[list[Asked]], Sequence[Told | Exception]],
        *,
        max_waiting: int,
        max_batch: int,
        deadline_s: float,
        begin: Callable[[], object] = lambda: None,
        is_quick: Callable[[Asked], bool] = lambda _: False,
        told: Callable[[list[Asked], Sequence[Told | Exception]], object] = lambda *_: None,
    ) -> None:
        self._answer, self._begin, self._is_quick, self._told = answer, begin, is_quick, told
        self._max_waiting, self._max_batch = max_waiting, max_batch
        self._deadline_s = deadline_s
        self._queue: deque[_Waiting[Asked, Told]] = deque()
        self._come: dict[asyncio.AbstractEventLoop, list[_Waiting[Asked, Told]]] = {}
        self._wake = threading.Condition()
        self._answering = threading.Lock()
        self._wanted = 1  # so many have to wait before the thread is woken
        self._size = 1  # of the last batch
        self._spent_s = self._alone_s = 0.0  # for it, and for the last quick search by itself
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="searches", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    async def ask(self, asked: Asked, *, is_alone: bool = False) -> Told:
        """Return the answer.

        Args:
            asked: The search.
            is_alone: Whether nothing else is known to be under way, so that nothing else can have
                come at the same time.

        Raises:
            HttpError: If too many wait, or it has waited too long.
        """
        loop = asyncio.get_running_loop()
        if is_alone and (told := self._told_here(asked)) is not None:
            loop.call_soon(self._told, [asked], [told])  # the answer is written in this turn
            if isinstance(told, Exception):
                raise told
            return told
        waiter: asyncio.Future[Told] = loop.create_future()
        waiting: _Waiting[Asked, Told] = _Waiting(asked, self._until(), waiter=waiter)
        come = self._come.setdefault(loop, [])
        come.append(waiting)
        if len(come) == 1:
            loop.call_soon(self._take, loop)  # once what came at the same time is here
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
        for _, refusal in self._put([_Waiting(asked, self._until(), future)]):
            raise refusal
        return future

    def _until(self) -> float:
        return time.monotonic() + self._deadline_s

    def _take(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have what came to a loop at the same time answered: by the thread, or one here."""
        come = self._come.pop(loop)
        first = come[0]
        if len(come) == 1 and first.begins() and (told := self._told_here(first.asked)) is not None:
            first.tell(told)
            # The answer is written in the next turn of the loop.
            loop.call_soon(loop.call_soon, self._told, [first.asked], [told])
            return
        for waiting, refusal in self._put(come):
            waiting.tell(refusal)

    def _told_here(self, asked: Asked) -> Told | Exception | None:
        """Return the answer to a search, in the loop that calls; None where the thread has to."""
        is_alone = self._size == 1 and not self._queue and not self._is_closed
        if not is_alone or self._alone_s > _HERE_S or not self._is_quick(asked):
            return None
        if not self._answering.acquire(blocking=False):
            return None
        start = time.monotonic()
        try:
            return self._answer([asked])[0]
        except Exception as error:  # noqa: BLE001 - whoever waits is told, the loop goes on
            return error
        finally:
            self._answering.release()
            self._spent_s = self._alone_s = time.monotonic() - start

    def _put(
        self, come: list[_Waiting[Asked, Told]]
    ) -> list[tuple[_Waiting[Asked, Told], HttpError]]:
        """Put searches in the queue, and return those that are refused."""
        with self._wake:
            left = 0 if self._is_closed else max(0, self._max_waiting - len(self._queue))
            self._queue.extend(come[:left])
            if len(self._queue) >= self._wanted:
                self._wake.notify()
            if len(come) <= left:
                return []
            number, is_closed = len(self._queue), self._is_closed
        text = f"{number} searches wait already; come back in a second."
        stops = HttpError(503, "The service stops.", retry_s=5)
        return [
            (each, stops if is_closed else HttpError(503, text, retry_s=1)) for each in come[left:]
        ]

    def close(self) -> None:
        """Answer what waits, and nothing after it."""
        with self._wake:
            self._is_closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        self._begin()
        while True:
            batch = self._next(self._size, min(_MORE_FRAC * self._spent_s, _MORE_S))
            if not batch:
                return
            with self._answering:
                outcomes = self._outcomes(batch)
            _hand_over(outcomes)
            if outcomes:
                self._told([each.asked for each, _ in outcomes], [told for _, told in outcomes])

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

    def _outcomes(self, batch: list[_Waiting[Asked, Told]]) -> list[_Outcome[Asked, Told]]:
        """Return what each of a batch is to be told; of a client that hung up nobody is."""
        start = time.monotonic()
        alive = [each for each in batch if each.begins()]
        text = f"The search waited more than {self._deadline_s:g} s; come back in a second."
        late = [(each, HttpError(503, text, retry_s=1)) for each in alive if each.until < start]
        begun = [each for each in alive if each.until >= start]
        told: Sequence[Told | Exception] = []
        try:
            if begun:
                told = self._answer([each.asked for each in begun])
        except Exception as error:  # noqa: BLE001 - whoever waits is told, the thread goes on
            told = [error] * len(begun)
        self._size, self._spent_s = len(batch), time.monotonic() - start
        if self._size == 1 and self._is_quick(batch[0].asked):
            self._alone_s = self._spent_s
        return [*late, *zip(begun, told, strict=True)]


def _hand_over(outcomes: list[_Outcome[Asked, Told]]) -> None:
    """Tell every loop once of all answers of a batch: one for each would wake it for each."""
    of_loops: dict[asyncio.AbstractEventLoop, list[_Outcome[Asked, Told]]] = {}
    for waiting, told in outcomes:
        if waiting.waiter is None:
            waiting.tell(told)
        else:
            of_loops.setdefault(waiting.waiter.get_loop(), []).append((waiting, told))
    for loop, own in of_loops.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_tell, own)


def _tell(outcomes: list[_Outcome[Asked, Told]]) -> None:
    for waiting, told in outcomes:
        waiting.tell(told)
