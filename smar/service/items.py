"""The items of a release by column, so that a page of hits is a few slices and no data frame.

Shapes: N items, k rows.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from smar.data.arrow_numbers import numbers_of
from smar.index.allowed import Allowed
from smar.service.kept_items import KeptItems, bytes_of, piece_of
from smar.service.sorted_texts import SortedTexts

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PICTURES = "image_ids"
_MORE = "more"

_Cells = Callable[[NDArray[np.int64]], list[Any]]


class ItemTable:
    """Items in the order of the index.

    Args:
        table: The items, with the columns of `schema.ITEMS`, [N].
        pictures: SHA-256 by image id of the table, "" for a picture that is not at hand; empty
            where none is.
        kept: The same items as a service keeps them, None where none does.
    """

    def __init__(
        self, table: pa.Table, pictures: Sequence[str] = (), kept: KeptItems | None = None
    ) -> None:
        self.table = table.combine_chunks()
        self.pictures = pictures
        self.kept = kept
        names = [name for name in table.schema.names if name != _PICTURES]
        self._cells = {name: _cells(_chunk(self.table, name)) for name in names}
        if _MORE in self._cells:
            texts = self._cells[_MORE]
            self._cells[_MORE] = lambda rows: [orjson.loads(c) if c else {} for c in texts(rows)]
        self._pieces = None if kept is None else _parts(kept.pieces)

    @classmethod
    def of_kept(cls, kept: KeptItems) -> "ItemTable":
        """Return the table of items that are kept."""
        return cls(kept.table, kept=kept)

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def everything(self) -> Allowed:
        """All items, for searches without a filter."""
        return Allowed(np.ones(len(self), bool))

    @cached_property
    def _sorted_ids(self) -> SortedTexts:
        return SortedTexts(_chunk(self.table, "item_id"))

    @cached_property
    def _images(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The image ids of all items one after the other, and where those of each begin."""
        lists = _chunk(self.table, _PICTURES)
        return numbers_of(lists.values), numbers_of(lists.offsets)

    def row(self, item_id: str) -> int:
        """Return the row of an item, -1 for one that is not there."""
        place = self._sorted_ids.place(item_id)
        return int(self._sorted_ids.order[place]) if place >= 0 else -1

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the ids of the items at rows [k]."""
        return self._cells["item_id"](rows)

    def read(self, rows: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Return the items at rows [k] in plain types, as `Hit` says."""
        columns = [cells(rows) for cells in self._cells.values()]
        names = list(self._cells)
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def pieces(self, rows: NDArray[np.int64]) -> list[bytes | memoryview]:
        """Return the items at rows [k] as `piece_of` does."""
        if self._pieces is not None:
            return self._pieces(rows)
        found = zip(self.read(rows), rows.tolist(), strict=True)
        return [piece_of(item, self.pictures_of(row)) for item, row in found]

    def pictures_of(self, row: int) -> list[str]:
        """Return the SHA-256 of an item's pictures, main one first, without those not at hand."""
        if self.kept is not None:
            return list(self.kept.pictures[row].as_py())
        if not self.pictures:
            return []
        image_ids, first = self._images
        ids = image_ids[first[row] : first[row + 1]]
        return [sha for image_id in ids.tolist() if (sha := self.pictures[image_id])]

    def to_keep(self, nested: Mapping[str, Any]) -> KeptItems:
        """Return what a service keeps of the items.

        Args:
            nested: As `KeptItems` has it.
        """
        return KeptItems(self.table, nested, *bytes_of(self.table, self.read, self.pictures_of))

    def frame(self, place: Mapping[str, int]) -> "pd.DataFrame":
        """Return the items as a data frame by item id, their image_ids of a picture store.

        Args:
            place: Row of the store by SHA-256; has every picture that is at hand.
        """
        import pandas as pd

        frame = self.table.to_pandas().set_index("item_id", drop=False)
        ids = [[place[sha] for sha in self.pictures_of(row)] for row in range(len(self))]
        arrays = [np.array(of_item, np.int64) for of_item in ids]
        return frame.assign(image_ids=pd.Series(arrays, frame.index, dtype=object))


def _chunk(table: pa.Table, name: str) -> Any:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _cells(column: Any) -> _Cells:
    """Return what reads some cells of a column in plain types."""
    if column.null_count == len(column):
        return lambda rows: [None] * len(rows)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _texts(column)
    if pa.types.is_timestamp(column.type):
        micros = numbers_of(column.cast(pa.int64()))
        return lambda rows: [_time(value) for value in micros[rows].tolist()]
    numbers = numbers_of(column)
    # NaN stands for what is unknown, and is the one number that is not itself.
    return lambda rows: [value if value == value else None for value in numbers[rows].tolist()]  # noqa: PLR0124


def _texts(column: Any) -> _Cells:
    """Return what reads texts where Arrow holds them: its own `take` costs ten times as much."""
    parts = _parts(column)
    return lambda rows: [str(part, "utf-8") for part in parts(rows)]


def _parts(column: Any) -> Callable[[NDArray[np.int64]], list[Any]]:
    """Return what gives the bytes of some cells of a column of texts or bytes, not copied."""
    _, offsets, data = column.buffers()
    is_large = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    width = np.int64 if is_large else np.int32
    starts = np.frombuffer(offsets, width)[column.offset : column.offset + len(column) + 1]
    if not len(column) or starts[0] == starts[-1]:  # many fields are there for some shops alone
        return lambda rows: [b""] * len(rows)
    held = memoryview(data)

    def read(rows: NDArray[np.int64]) -> list[Any]:
        ends = starts[rows + 1].tolist()
        return [held[a:b] for a, b in zip(starts[rows].tolist(), ends, strict=True)]

    return read


def _time(micros: float) -> str | None:
    """Return a time as ISO 8601, None for NaN."""
    if micros != micros:  # noqa: PLR0124 - NaN
        return None
    return (_EPOCH + timedelta(microseconds=int(micros))).isoformat()
