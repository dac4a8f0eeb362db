"""Memory that a process keeps, for what needs the same again and again.

What a training step computes, some hundred megabytes, is forgotten at its end. The C library gives
pieces of that size back to the system, which has to fill each page with zeros when it is asked
again: a fifth of a step's time.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_FROM, _MAP_FROM = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
_NEVER = -1
_MIB = 2**20
_LARGEST = (
    256 * _MIB
)  # of a piece that is kept: gaps of the size of larger ones would cost too much
_AFTER = {_MAP_FROM: 32 * _MIB, _TRIM_FROM: 64 * _MIB}
"""glibc's own where it has seen large pieces: what it was before cannot be asked."""


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep what this process frees while the block runs, and give it back afterwards.

    Nothing happens where the C library is another one than glibc.
    """
    library = ctypes.CDLL(None)
    set_option, give_back = (getattr(library, name, None) for name in ("mallopt", "malloc_trim"))
    if set_option is None or give_back is None:
        yield
        return
    set_option(_MAP_FROM, _LARGEST)
    set_option(_TRIM_FROM, _NEVER)
    try:
        yield
    finally:
        for option, value in _AFTER.items():
            set_option(option, value)
        give_back(0)
