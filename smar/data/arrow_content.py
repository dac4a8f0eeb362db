"""What Arrow arrays hold, as bytes that do not depend on where they lie, and digests of it."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128

from smar.data.membership import in_one_piece


def digest_of(values: pa.Array | pa.ChunkedArray) -> str:
    """Return what stands for texts, lists of them, or numbers of 64 bits, in their order.

    128 bits of XXH3, at ten times the speed of SHA-256: they tell what changed, and nothing about
    who changed it.
    """
    known = xxh3_128()
    for part in content_of(in_one_piece(values)):
        known.update(part)
    return known.hexdigest()


def content_of(values: pa.Array) -> Iterator[bytes | memoryview]:
    """Yield what texts, lists of them, or numbers of 64 bits are, wherever they lie."""
    count, first = len(values), values.offset
    is_there = values.is_valid().to_numpy(False) if values.null_count else np.ones(count, bool)
    yield np.packbits(is_there).data
    if not count:
        return
    if pa.types.is_string(values.type) or pa.types.is_list(values.type):
        offsets = np.frombuffer(values.buffers()[1], np.int32)[first : first + count + 1]
        yield np.diff(offsets).data
        start, end = int(offsets[0]), int(offsets[-1])
        if pa.types.is_list(values.type):
            yield from content_of(values.values.slice(start, end - start))
        elif end > start:
            yield memoryview(values.buffers()[2])[start:end]
    else:
        yield np.ascontiguousarray(pc.fill_null(values.view(pa.int64()), 0).to_numpy()).data
