"""Searches that wait together are answered together; too many and too late ones end well."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from smar.service.http.batching import Batcher
from smar.service.http.problems import HttpError

Slow = tuple[Batcher[int, int], threading.Event, list[list[int]]]


@pytest.fixture
def held() -> Iterator[Callable[..., Slow]]:
    """Return what makes a queue whose thread answers when it is let go."""
    made: list[Slow] = []

    def make(**limits: float) -> Slow:
        go, batches = threading.Event(), []

        def answer(batch: list[int]) -> Sequence[int | Exception]:
            batches.append(batch)
            go.wait(5)
            if 13 in batch:
                raise ZeroDivisionError
            return [ValueError("seven") if one == 7 else 2 * one for one in batch]

        values = {"max_waiting": 8, "max_batch": 4, "deadline_s": 9.0} | limits
        batcher: Batcher[int, int] = Batcher(answer, **values)  # type: ignore[arg-type]
        made.append((batcher, go, batches))
        return made[-1]

    yield make
    for batcher, go, _ in made:
        go.set()
        batcher.close()


def begun(batches: list[list[int]]) -> None:
    """Wait until the thread is at work."""
    while not batches:
        time.sleep(0.001)


def test_what_came_meanwhile_is_the_next_batch(held: Callable[..., Slow]):
    batcher, go, batches = held()
    first = batcher.submit(0)
    begun(batches)
    rest = [batcher.submit(number) for number in range(1, 7)]
    assert batcher.waiting == 6
    go.set()
    assert [future.result(5) for future in (first, *rest)] == [0, 2, 4, 6, 8, 10, 12]
    assert batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_queue_has_an_end(held: Callable[..., Slow]):
    batcher, go, batches = held()
    futures = [batcher.submit(0)]
    begun(batches)
    futures += [batcher.submit(1) for _ in range(8)]
    with pytest.raises(HttpError, match="8 searches wait") as refused:
        batcher.submit(1)
    assert (refused.value.status, refused.value.retry_s) == (503, 1)
    go.set()
    assert [future.result(5) for future in futures] == [0, *[2] * 8]


def test_what_waited_too_long_is_not_begun(held: Callable[..., Slow]):
    batcher, go, batches = held(deadline_s=0.05)
    first = batcher.submit(0)
    begun(batches)
    late = batcher.submit(1)
    time.sleep(0.1)
    go.set()
    assert first.result(5) == 0
    with pytest.raises(HttpError, match=r"more than 0\.05 s"):
        late.result(5)
    assert batches == [[0]]


def test_search_of_a_client_that_hung_up_is_not_answered(held: Callable[..., Slow]):
    batcher, go, batches = held()
    batcher.submit(0)
    begun(batches)
    gone, stays = batcher.submit(1), batcher.submit(2)
    assert gone.cancel()
    go.set()
    assert stays.result(5) == 4
    assert batches == [[0], [2]]


def test_errors_are_those_of_their_searches_and_the_thread_goes_on(held: Callable[..., Slow]):
    batcher, go, _ = held(max_batch=1)
    go.set()
    with pytest.raises(ZeroDivisionError):
        batcher.submit(13).result(5)
    with pytest.raises(ValueError, match="seven"):
        batcher.submit(7).result(5)
    assert batcher.submit(1).result(5) == 2


def test_closing_answers_what_waits_and_refuses_the_rest(held: Callable[..., Slow]):
    batcher, go, batches = held()
    futures = [batcher.submit(0)]
    begun(batches)
    futures.append(batcher.submit(1))
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(batcher.close)
        go.set()
        closing.result(5)
    assert [future.result(5) for future in futures] == [0, 2]
    with pytest.raises(HttpError, match="stops"):
        batcher.submit(2)


def test_a_batch_wakes_the_loop_once_and_who_hung_up_is_passed_over(held: Callable[..., Slow]):
    batcher, go, batches = held(max_batch=8)

    async def shoppers() -> tuple[list[object], int]:
        loop, woken = asyncio.get_running_loop(), 0
        wake = loop.call_soon_threadsafe

        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal woken
            woken += 1
            return wake(*args, **kwargs)

        first = asyncio.ensure_future(batcher.ask(0))
        await asyncio.sleep(0)
        await asyncio.to_thread(begun, batches)
        rest = [asyncio.ensure_future(batcher.ask(number)) for number in (1, 2, 3, 7)]
        await asyncio.sleep(0)
        rest[1].cancel()
        await asyncio.sleep(0)
        loop.call_soon_threadsafe = counted  # type: ignore[method-assign]
        go.set()
        return await asyncio.gather(first, *rest, return_exceptions=True), woken

    told, woken = asyncio.run(shoppers())
    assert told[0] == 0
    assert (told[1], told[3]) == (2, 6)
    assert isinstance(told[2], asyncio.CancelledError)
    assert isinstance(told[4], ValueError)
    assert batches == [[0], [1, 3, 7]]
    assert woken == 2  # the first search, and the batch of the others


def test_clients_that_were_answered_together_are_waited_for_and_one_alone_is_not():
    batches: list[list[int]] = []

    def answer(batch: list[int]) -> Sequence[int | Exception]:
        batches.append(batch)
        time.sleep(0.2 if len(batch) > 1 else 0)
        return batch

    batcher: Batcher[int, int] = Batcher(answer, max_waiting=8, max_batch=4, deadline_s=9.0)

    async def shoppers() -> None:
        async def shopper(number: int) -> None:
            for _ in range(3):
                await batcher.ask(number)
                # A moment in which one of them alone would have been the next batch.
                time.sleep(0.0005)

        await batcher.ask(9)
        await asyncio.gather(*(shopper(number) for number in range(3)))

    try:
        asyncio.run(shoppers())
    finally:
        batcher.close()
    assert batches[0] == [9]
    assert [len(batch) for batch in batches[-2:]] == [3, 3], batches


@pytest.fixture
def traced() -> Iterator[tuple[Batcher[int, int], list[tuple[list[int], bool]]]]:
    """A queue of which the batches are known, and whether the loop's thread answered them."""
    main, seen = threading.current_thread(), []

    def answer(batch: list[int]) -> Sequence[int | Exception]:
        seen.append((batch, threading.current_thread() is main))
        if max(batch) >= 100:
            time.sleep(0.02)
        return [ValueError("seven") if one == 7 else one for one in batch]

    batcher: Batcher[int, int] = Batcher(
        answer, max_waiting=8, max_batch=4, deadline_s=9.0, is_quick=lambda one: one != 50
    )
    yield batcher, seen
    batcher.close()


Traced = tuple[Batcher[int, int], list[tuple[list[int], bool]]]


def test_quick_search_that_is_alone_is_answered_by_the_loop(traced: Traced):
    batcher, seen = traced

    async def shopper() -> None:
        assert await batcher.ask(1) == 1
        with pytest.raises(ValueError, match="seven"):
            await batcher.ask(7)
        assert await batcher.ask(50) == 50  # none of the quick ones
        assert await batcher.ask(2) == 2

    asyncio.run(shopper())
    assert seen == [([1], True), ([7], True), ([50], False), ([2], True)]


def test_search_that_is_known_to_be_alone_is_answered_in_the_same_turn(traced: Traced):
    batcher, seen = traced
    turns: list[int] = []

    async def shopper() -> None:
        asyncio.get_running_loop().call_soon(turns.append, 1)
        assert await batcher.ask(1, is_alone=True) == 1
        with pytest.raises(ValueError, match="seven"):
            await batcher.ask(7, is_alone=True)
        assert not turns
        assert await batcher.ask(50, is_alone=True) == 50
        assert turns

    asyncio.run(shopper())
    assert seen == [([1], True), ([7], True), ([50], False)]


def test_searches_that_come_together_are_left_to_the_thread_until_one_is_alone(traced: Traced):
    batcher, seen = traced

    async def shoppers() -> None:
        await asyncio.gather(batcher.ask(1), batcher.ask(2))
        await batcher.ask(3)  # the last batch was larger
        await batcher.ask(4)

    asyncio.run(shoppers())
    assert seen == [([1, 2], False), ([3], False), ([4], True)]


def test_loop_is_held_up_by_one_slow_search_and_by_no_second(traced: Traced):
    batcher, seen = traced

    async def shopper() -> None:
        for one in (100, 101, 1, 2):
            await batcher.ask(one)

    asyncio.run(shopper())
    assert seen == [([100], True), ([101], False), ([1], False), ([2], True)]


def test_loop_leaves_a_search_to_a_thread_that_is_at_work(traced: Traced):
    batcher, seen = traced

    async def shopper() -> None:
        slow = asyncio.ensure_future(batcher.ask(50))
        while not seen:
            await asyncio.sleep(0)
        with batcher._answering:  # as the thread holds it
            quick = asyncio.ensure_future(batcher.ask(1))
            await asyncio.sleep(0.02)
            assert not quick.done()
        assert await asyncio.gather(slow, quick) == [50, 1]

    asyncio.run(shopper())
    assert seen == [([50], False), ([1], False)]


def test_what_comes_to_a_loop_after_closing_or_beyond_the_end_is_refused(held: Callable[..., Slow]):
    batcher, go, batches = held(max_waiting=2)

    async def shoppers() -> list[object]:
        first = asyncio.ensure_future(batcher.ask(0))
        await asyncio.sleep(0)
        await asyncio.to_thread(begun, batches)
        rest = [asyncio.ensure_future(batcher.ask(number)) for number in (1, 2, 3)]
        await asyncio.sleep(0.01)
        assert batcher.waiting == 2
        go.set()
        told = await asyncio.gather(first, *rest, return_exceptions=True)
        batcher.close()
        return [*told, *await asyncio.gather(batcher.ask(4), return_exceptions=True)]

    told = asyncio.run(shoppers())
    assert told[:3] == [0, 2, 4]
    assert [str(error).split(";")[0] for error in told[3:]] == [
        "2 searches wait already",
        "The service stops.",
    ]
