"""Fields of items as columns that are filtered, counted and sorted by.

Shapes: N items, V different values of a field.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smar.data.arrow_numbers import numbers_of
from smar.service.answer import Facet, Stats
from smar.service.filters import Between, Value
from smar.service.sorted_texts import SortedTexts

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]

_LEVELS = " > "
_BLOCK = 10_000  # values that are objects at once


class Column(Protocol):
    """A field of all items."""

    @property
    def is_numeric(self) -> bool:
        """Whether every value is a number or a time."""

    def as_numbers(self) -> Numbers:
        """Return the field as numbers, NaN where unknown and where it is a text, [N]."""

    def problem(self, values: Sequence[Value]) -> str:
        """Return what is wrong with values that are looked for, "" for nothing."""

    def any_of(self, values: Sequence[Value]) -> Mask:
        """Return which items have one of some values, [N]; None stands for having none."""

    def between(self, ends: Between) -> Mask:
        """Return which items lie in a range, [N]; none of those without a number."""

    def facet(self, mask: Mask, most: int) -> Facet:
        """Return how often each value is among some items, of which `mask` [N] is true."""

    def keys(self) -> NDArray[np.int64]:
        """Return a number for every value, below 0 for items without one, [N]."""


class TextColumn:
    """A field of texts, "" where unknown; ranges and stats where all of them are numbers.

    Args:
        texts: One per item, [N].
    """

    def __init__(self, texts: Any) -> None:
        encoded = texts.dictionary_encode()
        # Where all are different the dictionary is a copy, and the texts may be mapped.
        is_copy = encoded is not texts and len(encoded.dictionary) == len(texts)
        self._values = SortedTexts(texts if is_copy else encoded.dictionary)
        place = np.empty(len(self._values), np.int32)
        place[self._values.order] = np.arange(len(place), dtype=np.int32)
        indices = numbers_of(encoded.indices)
        self.codes: NDArray[np.int32] = place[indices] if len(place) else np.empty(0, np.int32)
        self._unknown = self._values.place("")

    def _all_values(self) -> Iterator[str]:
        """Yield the values in their order."""
        for start in range(0, len(self._values), _BLOCK):
            yield from self._values.at(np.arange(start, min(start + _BLOCK, len(self._values))))

    @cached_property
    def _number_of(self) -> Numbers:
        """The number of each value, NaN for "" and for a text, [V]."""
        return np.array([_number_or_nan(value) for value in self._all_values()])

    @cached_property
    def is_numeric(self) -> bool:
        """As `Column`."""
        first = next((value for value in self._all_values() if value), "")
        if math.isnan(_number_or_nan(first)):  # of a million texts one is enough
            return False
        return int((~np.isnan(self._number_of)).sum()) == len(self._values) - (self._unknown >= 0)

    def as_numbers(self) -> Numbers:
        """As `Column`."""
        return self._number_of[self.codes]

    def problem(self, values: Sequence[Value]) -> str:
        """As `Column`."""
        return ""

    def any_of(self, values: Sequence[Value]) -> Mask:
        """As `Column`; numbers are looked for as they are written: 42 is the text "42"."""
        wanted = np.zeros(len(self._values), bool)
        for value in values:
            wanted[self._codes_of("" if value is None else _as_text(value))] = True
        return wanted.take(self.codes)

    def between(self, ends: Between) -> Mask:
        """As `Column`."""
        return _within(self._number_of, ends).take(self.codes)

    def facet(self, mask: Mask, most: int) -> Facet:
        """As `Column`."""
        found = np.bincount(_of(self.codes, mask), minlength=len(self._values))
        unknown = int(found[self._unknown]) if self._unknown >= 0 else 0
        stats = _stats(self._number_of, found) if self.is_numeric else None
        return Facet(*self._counted(found, most), unknown, stats)

    def keys(self) -> NDArray[np.int64]:
        """As `Column`."""
        return self._keys

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        return np.where(self.codes == self._unknown, -1, self.codes.astype(np.int64))

    def _codes_of(self, value: str) -> list[int]:
        code = self._values.place(value)
        return [] if code < 0 else [code]

    def _counted(self, found: NDArray[np.int64], most: int) -> tuple[dict[str, int], int]:
        """Return the most frequent of the values but "" that were found, and how many were."""
        there = np.flatnonzero(found)
        there = there[there != self._unknown]
        best = _most_frequent(found[there], most)
        counts = zip(self._values.at(there[best]), found[there[best]].tolist(), strict=True)
        return dict(counts), len(there)


class LevelColumn(TextColumn):
    """Categories with levels, "A > B > C": an item is in each level above its own, too."""

    @cached_property
    def _below(self) -> dict[str, list[int]]:
        """The codes at and below each level."""
        below: dict[str, list[int]] = {}
        for code, value in enumerate(self._all_values()):
            for level in levels_of(value):
                below.setdefault(level, []).append(code)
        return below

    def _codes_of(self, value: str) -> list[int]:
        return self._below.get(value, [])

    def _counted(self, found: NDArray[np.int64], most: int) -> tuple[dict[str, int], int]:
        counts = ((level, int(found[codes].sum())) for level, codes in self._below.items())
        there = [(level, count) for level, count in sorted(counts) if level and count]
        best = _most_frequent(np.array([count for _, count in there], np.int64), most)
        return dict(there[row] for row in best.tolist()), len(there)


class NumberColumn:
    """A field of numbers or times.

    Args:
        numbers: NaN where unknown, [N].
        is_time: Whether they are seconds since 1970 and may be asked for as ISO 8601.
    """

    def __init__(self, numbers: Numbers, *, is_time: bool = False) -> None:
        self.is_numeric = True
        self._numbers, self._is_time = numbers, is_time

    def as_numbers(self) -> Numbers:
        """As `Column`."""
        return self._numbers

    def problem(self, values: Sequence[Value]) -> str:
        """As `Column`."""
        for value in values:
            try:
                self._number(value)
            except ValueError:
                kind = "a time (ISO 8601)" if self._is_time else "a number"
                return f"{value!r}, expected {kind}"
        return ""

    def any_of(self, values: Sequence[Value]) -> Mask:
        """As `Column`."""
        found = np.isin(self._numbers, [self._number(v) for v in values if v is not None])
        return found | np.isnan(self._numbers) if None in values else found

    def between(self, ends: Between) -> Mask:
        """As `Column`."""
        given = {name: getattr(ends, name) for name in ("gte", "gt", "lte", "lt")}
        numbers = {name: self._number(end) for name, end in given.items() if end is not None}
        return _within(self._numbers, Between(ends.field, **numbers))

    def facet(self, mask: Mask, most: int) -> Facet:
        """As `Column`."""
        values, keys = self._ordered
        found = np.bincount(_of(keys, mask) + 1, minlength=len(values) + 1)
        unknown, found = int(found[0]), found[1:]
        there = np.flatnonzero(found)
        best = there[_most_frequent(found[there], most)]
        counted = zip(values[best].tolist(), found[best].tolist(), strict=True)
        counts = {_as_text(value): count for value, count in counted}
        return Facet(counts, len(there), unknown, _stats(values, found))

    def keys(self) -> NDArray[np.int64]:
        """As `Column`."""
        return self._ordered[1]

    @cached_property
    def _ordered(self) -> tuple[Numbers, NDArray[np.int64]]:
        """Its different numbers, ascending, [V], and the place of each item's, -1 for none, [N]."""
        is_known = ~np.isnan(self._numbers)
        values, places = np.unique(self._numbers[is_known], return_inverse=True)
        keys = np.full(len(self._numbers), -1, np.int64)
        keys[is_known] = places
        return values, keys

    def _number(self, value: Value) -> float:
        if isinstance(value, str):
            return _seconds(value) if self._is_time else _number(value)
        return math.nan if value is None else float(value)


def levels_of(category: str) -> list[str]:
    """Return a category and all above it, the highest first: "A", "A > B", "A > B > C"."""
    parts = category.split(_LEVELS)
    return [_LEVELS.join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def seconds_of(times: Any) -> Numbers:
    """Return Arrow times as seconds since 1970, NaN where unknown."""
    return numbers_of(times.cast(pa.timestamp("us")).cast(pa.int64())).astype(np.float64) / 1e6


def _of(values: NDArray[Any], mask: Mask) -> NDArray[Any]:
    """Return the values of some items; to index by the mask itself takes five times as long."""
    return values.take(np.flatnonzero(mask))


def _within(numbers: Numbers, ends: Between) -> Mask:
    found = ~np.isnan(numbers)
    for end, holds in (
        (ends.gte, np.greater_equal),
        (ends.gt, np.greater),
        (ends.lte, np.less_equal),
        (ends.lt, np.less),
    ):
        if end is not None:
            found &= holds(numbers, float(end))
    return found


def _stats(values: Numbers, found: NDArray[np.int64]) -> Stats | None:
    """Return the stats of values [V] that were found so often; None if no number was."""
    is_there = (found > 0) & ~np.isnan(values)
    if not is_there.any():
        return None
    values, found = values[is_there], found[is_there]
    total = int(found.sum())
    mean = float((values * found).sum() / total)
    return Stats(total, float(values.min()), float(values.max()), mean)


def _most_frequent(counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the places of the largest counts, largest first; equals stay in their order."""
    rows = np.arange(len(counts))
    if len(counts) > most:
        least = np.partition(counts, len(counts) - most)[len(counts) - most]
        rows = np.flatnonzero(counts >= least)
    return rows[np.argsort(-counts[rows], kind="stable")[:most]]


def _as_text(value: str | float) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _number_or_nan(text: str) -> float:
    try:
        return _number(text)
    except ValueError:
        return math.nan


def _seconds(text: str) -> float:
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
