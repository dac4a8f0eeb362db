"""What a training frees is kept while it runs, and given back afterwards."""

import resource
import sys
from collections.abc import Iterator
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


@pytest.fixture(autouse=True)
def pages_of_one_size() -> Iterator[None]:
    with no_huge_pages():
        yield


def test_pages_are_brought_once_in_the_block_and_each_time_outside():
    assert faults(5) >= 5 * _PAGES
    with kept_memory():
        np.full(40 * 2**20, 1, np.uint8)
        assert faults(5) < _PAGES
    assert faults(5) >= 5 * _PAGES


def test_what_was_kept_is_given_back():
    before = resident()
    with kept_memory():
        np.full(200 * 2**20, 1, np.uint8)
        assert resident() - before > 150 * 2**20
    assert resident() - before < 50 * 2**20


def test_it_ends_with_an_error_too():
    with pytest.raises(ValueError, match="broken"), kept_memory():
        raise ValueError("broken")
    assert faults(5) >= 5 * _PAGES
