"""Memory in small pages, for what fills tables once and forgets them.

Arrow and NumPy ask the system for pages of 2 MB. Where files fill the memory it has to move others
aside for each, in the time of the process that asks: tables of a million items took 1.2 to 1.9 s
of the system's time to read so, and .3 to .4 s in pages of 4 KB.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_SET, _GET = 41, 42  # PR_SET_THP_DISABLE, PR_GET_THP_DISABLE of Linux


@contextmanager
def no_huge_pages() -> Iterator[None]:
    """Give this process, and those that it starts, small pages alone while the block runs.

    Nothing happens where the system is another one than Linux, or where they are off already.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None or prctl(_GET, 0, 0, 0, 0) != 0 or prctl(_SET, 1, 0, 0, 0) != 0:
        yield
        return
    try:
        yield
    finally:
        prctl(_SET, 0, 0, 0, 0)
