"""What a training frees is kept while it runs, and given back afterwards."""

import resource
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from smar.huge_pages import no_huge_pages
from smar.kept_memory import kept_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
_PAGES = 40 * 2**20 // resource.getpagesize()  # of a piece of 40 MiB


def faults(times: int) -> int:
    """Return how many pages the system had to bring to fill a piece of memory so many times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.full(40 * 2**20, 1, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    """Return the bytes of memory that this process has."""
    statistics = Path("/proc/self/statm").read_text(encoding="ascii")
    return int(statistics.split()[1]) * resource.getpagesize()


def outside_and_within() -> tuple[int, int, int]:
    """Return the pages that are brought before the block, within and after it."""
    with no_huge_pages():
        before = faults(5)
        with kept_memory():
            np.full(40 * 2**20, 1, np.uint8)
            within = faults(5)
        return before, within, faults(5)


def held_and_left() -> tuple[int, int]:
    """Return the bytes that a piece of 200 MiB leaves within the block, and after it."""
    before = resident()
    with no_huge_pages():
        with kept_memory():
            np.full(200 * 2**20, 1, np.uint8)
            held = resident() - before
        return held, resident() - before


def after_an_error() -> int:
    """Return the pages that are brought after a block that ended with an error."""
    with no_huge_pages():
        with suppress(ValueError), kept_memory():
            raise ValueError("broken")
        return faults(5)


@pytest.fixture
def fresh() -> Iterator[ProcessPoolExecutor]:
    """A process of its own: what others freed there may serve a piece, and no page is brought."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def test_pages_are_brought_once_in_the_block_and_each_time_outside(fresh: ProcessPoolExecutor):
    before, within, after = fresh.submit(outside_and_within).result()
    assert before >= 5 * _PAGES
    assert within < _PAGES
    assert after >= 5 * _PAGES


def test_what_was_kept_is_given_back(fresh: ProcessPoolExecutor):
    held, left = fresh.submit(held_and_left).result()
    assert held > 150 * 2**20
    assert left < 50 * 2**20


def test_it_ends_with_an_error_too(fresh: ProcessPoolExecutor):
    assert fresh.submit(after_an_error).result() >= 5 * _PAGES
