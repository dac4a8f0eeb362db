"""Searches that wait at the same time are answered together, in one thread, by one release.

No search waits for others to come: what has come while the last batch was answered is the next one.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from smar.service.http.problems import HttpError

Asked = TypeVar("Asked")
Told = TypeVar("Told")
_Arrived = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Told]", "Future[Told]"]


@dataclass
class _Waiting(Generic[Asked, Told]):
    asked: Asked
    until: float
    future: "Future[Told]" = field(default_factory=Future)


class Batcher(Generic[Asked, Told]):
    """A queue with an end, and the thread that answers it.

    Args:
        answer: Returns for each of a batch its answer, or the error that it ends with.
        max_waiting: Longest queue; further ones are refused.
        max_batch: Most that are answered together.
        deadline_s: What has waited as long is refused.
    """

    def __init__(
        self,
        answer: Callable[[list[Asked]], Sequence[Told | Exception]],
        *,
        max_waiting: int,
        max_batch: int,
        deadline_s: float,
    ) -> None:
        self._answer = answer
        self._max_waiting, self._max_batch = max_waiting, max_batch
        self._deadline_s = deadline_s
        self._queue: deque[_Waiting[Asked, Told]] = deque()
        self._wake = threading.Condition()
        self._arrived: deque[_Arrived[Told]] = deque()
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
        loop, future = asyncio.get_running_loop(), self.submit(asked)
        waiter: asyncio.Future[Told] = loop.create_future()
        future.add_done_callback(lambda done: self._arrived.append((loop, waiter, done)))
        try:
            return await waiter
        finally:
            future.cancel()  # of a client that hung up; what is answered already stays so

    def submit(self, asked: Asked) -> "Future[Told]":
        """Return what will hold the answer.

        Raises:
            HttpError: If too many wait, or the service stops.
        """
        waiting: _Waiting[Asked, Told] = _Waiting(asked, time.monotonic() + self._deadline_s)
        with self._wake:
            if self._is_closed:
                raise HttpError(503, "The service stops.", retry_s=5)
            if len(self._queue) >= self._max_waiting:
                text = f"{len(self._queue)} searches wait already; come back in a second."
                raise HttpError(503, text, retry_s=1)
            self._queue.append(waiting)
            self._wake.notify()
        return waiting.future

    def close(self) -> None:
        """Answer what waits, and nothing after it."""
        with self._wake:
            self._is_closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._is_closed:
                    self._wake.wait()
                if not self._queue:
                    return
                size = min(len(self._queue), self._max_batch)
                batch = [self._queue.popleft() for _ in range(size)]
            self._settle(batch)
            self._hand_over()

    def _hand_over(self) -> None:
        """Wake every loop once for all answers of a batch: one for each would wake it for each."""
        arrived = [self._arrived.popleft() for _ in range(len(self._arrived))]
        for loop in {loop for loop, _, _ in arrived}:
            own = [(waiter, done) for of, waiter, done in arrived if of is loop]
            with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(_tell, own)

    def _settle(self, batch: list[_Waiting[Asked, Told]]) -> None:
        now = time.monotonic()
        # A client that hung up has cancelled its future: nobody reads the answer.
        alive = [each for each in batch if each.future.set_running_or_notify_cancel()]
        late = [each for each in alive if each.until < now]
        for each in late:
            text = f"The search waited more than {self._deadline_s:g} s; come back in a second."
            each.future.set_exception(HttpError(503, text, retry_s=1))
        begun = [each for each in alive if each.until >= now]
        if not begun:
            return
        try:
            told = self._answer([each.asked for each in begun])
        except Exception as error:  # noqa: BLE001 - whoever waits is told, the thread goes on
            for each in begun:
                each.future.set_exception(error)
            return
        for each, one in zip(begun, told, strict=True):
            if isinstance(one, Exception):
                each.future.set_exception(one)
            else:
                each.future.set_result(one)


def _tell(arrived: list[tuple["asyncio.Future[Told]", "Future[Told]"]]) -> None:
    """Give those who wait in this loop what arrived for them."""
    for waiter, done in arrived:
        if waiter.done() or done.cancelled():
            continue
        if error := done.exception():
            waiter.set_exception(error)
        else:
            waiter.set_result(done.result())
