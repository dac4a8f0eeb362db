"""Pairs as they are drawn, item after item: what is written, what is kept, and what both share.

Shapes: n items, P pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smar.data import schema
from smar.data.membership import in_one_piece

SPLITS = ("train", "validation")
DROPPED = ("stems of a held-out query", "repeated for the item", "no word")
HELD_OUT = 0  # its place in DROPPED
MADE = pa.schema(
    [
        pa.field("query", pa.string(), nullable=False),
        pa.field("kind", pa.int8(), nullable=False),  # number of the generator
        pa.field("split", pa.int8(), nullable=False),  # place in SPLITS
        pa.field("bag", pa.uint64(), nullable=False),  # `number_of` its stems
    ]
)
WRITTEN = schema.coded(schema.SYNTHETIC, ("kind", "split"))
"""`schema.SYNTHETIC`, as batches hold it."""


@dataclass(frozen=True)
class Drawn:
    """What was drawn for some items.

    Args:
        pairs: As in `MADE`, those of an item side by side, [P].
        counts: Pairs of each item, [n].
        dropped: Draws of each that were left out, by `DROPPED`, [n, 3].
    """

    pairs: pa.Table
    counts: NDArray[np.int64]
    dropped: NDArray[np.int64]


def number_of(bag: str, seed: int) -> int:
    """Return a number below 2**64 for a bag of stems, by which it is split, and known again."""
    return int.from_bytes(blake2b(f"{seed}/{bag}".encode(), digest_size=8).digest(), "big")


def as_batch(item_ids: pa.Array, drawn: Drawn, kinds: Sequence[str]) -> pa.RecordBatch:
    """Return pairs as in `WRITTEN`.

    Args:
        item_ids: Ids of the items, [n].
        drawn: Their pairs.
        kinds: Names of the generators.
    """
    owner = pa.array(np.repeat(np.arange(len(item_ids)), drawn.counts))
    columns = {
        "query": in_one_piece(drawn.pairs["query"]),
        "item_id": in_one_piece(item_ids).take(owner),
        "kind": _named(drawn.pairs["kind"], kinds),
        "split": _named(drawn.pairs["split"], SPLITS),
    }
    return pa.RecordBatch.from_arrays([columns[n] for n in WRITTEN.names], schema=WRITTEN)


def _named(numbers: pa.ChunkedArray, names: Sequence[str]) -> pa.DictionaryArray:
    """Return numbers as the texts that they stand for."""
    return pa.DictionaryArray.from_arrays(in_one_piece(numbers), pa.array(names, pa.string()))


def bags(pairs: pa.Table) -> Iterator[NDArray[np.uint64]]:
    """Yield the numbers of the stems of pairs, a view for each chunk; there are no nulls."""
    for chunk in pairs["bag"].chunks:
        yield np.frombuffer(chunk.buffers()[1], np.uint64)[chunk.offset :][: len(chunk)]
