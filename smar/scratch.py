"""Arrays too large for memory, in files without a name that go with the process."""

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def scratch(folder: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an array of zeros to be filled; the system writes it out where memory is short.

    Args:
        folder: Where there is room for it; made if it is not there.
        dtype: Of the array.
        shape: Its shape; an array without a number needs no file.

    Raises:
        OSError: If there is no room: later a write to the array would end the process.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if not size:
        return np.zeros(shape, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):  # not every system has it
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, mode="w+", shape=shape).view(np.ndarray)


def written(folder: Path, dtype: DTypeLike, blocks: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return an array of blocks of rows, one after the other, as `scratch` has it.

    To write a block costs the system less than to have its pages filled one by one.

    Args:
        folder: Where there is room for it; made if it is not there.
        dtype: Of the array.
        blocks: Its rows in their order, at least one block, each [n, ...].

    Raises:
        OSError: If there is no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, shape = 0, tuple[int, ...]()
    with TemporaryFile(dir=folder) as file:
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype).data)
            rows, shape = rows + len(block), block.shape[1:]
        if not rows or 0 in shape:
            return np.zeros((rows, *shape), dtype)
        file.flush()
        return np.memmap(file, dtype, mode="r+", shape=(rows, *shape)).view(np.ndarray)
