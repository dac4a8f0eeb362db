"""What Arrow arrays hold, as bytes that do not depend on where they lie, and digests of it."""

from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from smar.data.membership import in_one_piece


def digest_of(values: pa.Array | pa.ChunkedArray) -> str:
    """Return what stands for texts, lists of them, or numbers of 64 bits, in their order."""
    known = sha256()
    for part in content_of(in_one_piece(values)):
        known.update(part)
    return known.hexdigest()


def content_of(values: pa.Array) -> Iterator[bytes | memoryview]:
    """Yield what texts, lists of them, or numbers of 64 bits are, wherever they lie."""
    count, first = len(values), values.offset
    yield np.packbits(values.is_valid().to_numpy(zero_copy_only=False)).data
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
