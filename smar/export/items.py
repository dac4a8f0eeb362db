"""The items of a release with their vectors and words, as one parquet file.

Shapes: N items, D embedding length, V words.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from smar.data import schema
from smar.export.source import Source
from smar.index.hybrid import HybridIndex
from smar.index.sought import held

_AT_ONCE = 4096  # items of a row group
_FIELDS = pa.schema([field for field in schema.ITEMS if field.name != "image_ids"])


def items_schema(width: int) -> pa.Schema:
    """Return the columns: row, the fields of `schema.ITEMS`, pictures, vector, words, what it has.

    Args:
        width: Length of a vector, 2 D.
    """
    return pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),
            *_FIELDS,
            pa.field("pictures", pa.list_(pa.string()), nullable=False),  # SHA-256 of each file
            pa.field("vector", pa.list_(pa.float32(), width), nullable=False),
            pa.field("word_ids", pa.list_(pa.int32()), nullable=False),
            pa.field("word_weights", pa.list_(pa.float32()), nullable=False),
            pa.field("has_ids", pa.list_(pa.int32()), nullable=False),
        ]
    )


def write_items(path: Path, source: Source) -> None:
    """Write every item in the order of the index, a part at a time."""
    index, table, shas = source.index, source.items(), source.pictures()
    words = index.words.item_weights().tocsr().sorted_indices()
    has = held(index.words)
    columns = items_schema(index.vectors.length)
    with pq.ParquetWriter(path, columns, compression="zstd") as writer:
        for start, vectors in vector_parts(index):
            stop = start + len(vectors)
            part, rows, surely = table.iloc[start:stop], words[start:stop], has[start:stop]
            fields = pa.Table.from_pandas(part[_FIELDS.names], schema=_FIELDS, preserve_index=False)
            offsets = pa.array(rows.indptr.astype(np.int32))
            pictures = [shas[ids].tolist() for ids in part["image_ids"]]
            parts = {
                "row": pa.array(np.arange(start, stop)),
                **{name: fields[name] for name in _FIELDS.names},
                "pictures": pa.array(pictures, pa.list_(pa.string())),
                "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
                "word_ids": pa.ListArray.from_arrays(offsets, rows.indices.astype(np.int32)),
                "word_weights": pa.ListArray.from_arrays(offsets, rows.data.astype(np.float32)),
                "has_ids": pa.ListArray.from_arrays(
                    pa.array(surely.indptr.astype(np.int32)), surely.indices.astype(np.int32)
                ),
            }
            writer.write_table(pa.table(parts).cast(columns))


def vector_parts(index: HybridIndex) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield where each part of the items begins, and its vectors `[S_t ; S_m]`, [n, 2 D]."""
    for start in range(0, len(index.item_ids), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(index.item_ids)))
        yield start, index.vectors.gathered(rows)
