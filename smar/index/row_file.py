"""A Faiss file of inverted lists with whole vectors, written past Faiss, and not by it.

    head     what Faiss writes of the lists, and of a flat index of so many rows
    rows     `[S_t ; S_m]`, as they are put together
    tail     by how many the finds are refined

Faiss would have all rows in memory to write them. Here they go from where they lie into the file,
which is hashed on the way; it has no name until it is put where it belongs, so that nothing of it
stays of a process that ends before.

Shapes: N items, D embedding length.
"""

import errno
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path
from struct import pack_into
from typing import Any
from weakref import finalize

import faiss
import numpy as np

from smar.index.item_rows import ItemRows
from smar.index.lists import Lists
from smar.index.settings import apply

logger = logging.getLogger(__name__)

_ROWS_AT, _NUMBERS_AT = 8, 37  # where a flat index says how many rows, and numbers, it has
_FLOAT = 4  # bytes
_STEP = 2**19  # bytes that are asked for at once: of more a system may read some alone
_OF_MEMORY = 1 / 4  # above which a file that is asked for may not stay there
_OPEN = "/proc/self/fd"


@dataclass(frozen=True, eq=False)
class RowFile:
    """A file without a name.

    Args:
        descriptor: By which it is open.
        size: In bytes.
        sha256: Of its content.
        settings: What the index in it is set to.
    """

    descriptor: int
    size: int
    sha256: str
    settings: dict[str, int]

    def index(self) -> Any:
        """Return the Faiss index in it, its vectors mapped."""
        ask_for(self.descriptor)  # part of it may have gone from memory
        return faiss.read_index(f"{_OPEN}/{self.descriptor}", faiss.IO_FLAG_MMAP_IFC)

    def put(self, target: Path) -> dict[str, Any] | None:
        """Give it a name, and return its size and SHA-256; None where it cannot have that one."""
        try:
            folder = os.open(_OPEN, os.O_RDONLY)
        except OSError:
            return None
        try:
            os.link(str(self.descriptor), target, src_dir_fd=folder)  # follows to the file itself
        except OSError as error:  # another file system, or one without links
            logger.info("%s: written once more, for it cannot be linked (%s)", target, error)
            return None
        finally:
            os.close(folder)
        return {"bytes": self.size, "sha256": self.sha256}


def ask_for(descriptor: int) -> None:
    """Ask the system to have a file in memory that Faiss will map, and that is needed all over.

    Faiss has the system read mapped files page by page as they are touched: of a file that is on a
    disk alone this takes it thirty times as long. Files above a quarter of the memory are left as
    they are, and so is every file where the system cannot be asked.
    """
    size = os.fstat(descriptor).st_size
    if not hasattr(os, "posix_fadvise") or size > _OF_MEMORY * _memory():
        return
    with suppress(OSError):  # a file system that is not asked
        for start in range(0, size, _STEP):
            os.posix_fadvise(descriptor, start, _STEP, os.POSIX_FADV_WILLNEED)


def _memory() -> int:
    """Return how many bytes of memory the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def written(lists: Lists, rows: ItemRows, settings: dict[str, int], folder: Path) -> RowFile | None:
    """Return the file that Faiss would write of lists filled with item rows, None where it cannot.

    That is where the system has no files without a name, or the index is of another kind than
    inverted lists whose finds are refined by whole vectors.

    Args:
        lists: Where the lists have the rows.
        rows: The item rows, [N, 2 D].
        settings: What the index is set to.
        folder: Where there is room, of the file system that the file shall have its name in.

    Raises:
        OSError: If there is no room.
    """
    index = lists.filled(None)
    apply(index, settings)
    around = _around(index, rows.shape)
    if around is None or not (hasattr(os, "O_TMPFILE") and Path(_OPEN).is_dir()):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o666)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            return None
        raise
    known, size = sha256(), 0
    with os.fdopen(os.dup(descriptor), "wb") as file:  # blocks are above its buffer: not copied
        head, tail = around
        blocks: Iterable[Any] = rows.blocks()
        for part in chain([head], blocks, [tail]):
            known.update(part)
            size += file.write(part)
    found = RowFile(descriptor, size, known.hexdigest(), settings)
    finalize(found, os.close, descriptor)
    return found


def _around(index: Any, shape: tuple[int, int]) -> tuple[bytes, bytes] | None:
    """Return what stands before and after the rows in the file of an index that lacks them.

    Args:
        index: Inverted lists with all items, and none of the vectors that refine what is found.
        shape: N and 2 D of these.
    """
    whole: Any = faiss.downcast_index(index)
    refined = getattr(whole, "refine_index", None)
    flat: Any = refined and faiss.downcast_index(refined)
    if not isinstance(flat, faiss.IndexFlat) or flat.ntotal:
        return None
    whole.ntotal = shape[0]
    found, empty = (faiss.serialize_index(each).tobytes() for each in (whole, flat))
    start = found.rindex(empty)
    filled = _flat_of(empty, shape)
    return (found[:start] + filled, found[start + len(empty) :]) if filled else None


def _flat_of(empty: bytes, shape: tuple[int, int]) -> bytes | None:
    """Return how the file of a flat index of so many rows begins; None if Faiss has another form.

    Faiss is asked for an index of one row, which has to be the same by what is known of its form.
    """
    one = faiss.IndexFlat(shape[1], faiss.METRIC_INNER_PRODUCT)
    one.add(np.zeros((1, shape[1]), np.float32))
    size = _FLOAT * shape[1]
    if _begun(empty, 1, shape[1]) != faiss.serialize_index(one).tobytes()[:-size]:
        logger.warning("Faiss writes flat indexes in another form: all vectors go through memory")
        return None
    return _begun(empty, *shape)


def _begun(empty: bytes, rows: int, length: int) -> bytes:
    begun = bytearray(empty)
    pack_into("<q", begun, _ROWS_AT, rows)
    pack_into("<Q", begun, _NUMBERS_AT, rows * length)
    return bytes(begun)
