"""Fields of items as columns that are filtered, counted and sorted by.

Shapes: N items, V different values of a field.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smar.service.answer import Facet, Stats
from smar.service.filters import Between, Value

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]

_LEVELS = " > "


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
        values = encoded.dictionary.to_pylist()
        order = np.argsort(np.array(values, object)) if values else np.empty(0, np.int64)
        place = np.empty(len(values), np.int32)
        place[order] = np.arange(len(values), dtype=np.int32)
        self.values: list[str] = [values[code] for code in order]
        indices = encoded.indices.to_numpy(zero_copy_only=False)
        self.codes: NDArray[np.int32] = place[indices] if values else np.empty(0, np.int32)
        self._code_of = {value: code for code, value in enumerate(self.values)}

    @cached_property
    def _number_of(self) -> Numbers:
        """The number of each value, NaN for "" and for a text, [V]."""
        return np.array([_number_or_nan(value) for value in self.values])

    @cached_property
    def is_numeric(self) -> bool:
        """As `Column`."""
        is_number = ~np.isnan(self._number_of)
        return bool(is_number.any()) and int(is_number.sum()) == sum(map(bool, self.values))

    def as_numbers(self) -> Numbers:
        """As `Column`."""
        return self._number_of[self.codes]

    def problem(self, values: Sequence[Value]) -> str:
        """As `Column`."""
        return ""

    def any_of(self, values: Sequence[Value]) -> Mask:
        """As `Column`; numbers are looked for as they are written: 42 is the text "42"."""
        wanted = np.zeros(len(self.values), bool)
        for value in values:
            wanted[self._codes_of("" if value is None else _as_text(value))] = True
        return wanted.take(self.codes)

    def between(self, ends: Between) -> Mask:
        """As `Column`."""
        return _within(self._number_of, ends).take(self.codes)

    def facet(self, mask: Mask, most: int) -> Facet:
        """As `Column`."""
        found = np.bincount(_of(self.codes, mask), minlength=len(self.values))
        unknown = int(found[self._code_of[""]]) if "" in self._code_of else 0
        counts = self._added_up(found)
        stats = _stats(self._number_of, found) if self.is_numeric else None
        return Facet(_most_frequent(counts, most), len(counts), unknown, stats)

    def keys(self) -> NDArray[np.int64]:
        """As `Column`."""
        return self._keys

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        return np.where(self.codes == self._code_of.get("", -1), -1, self.codes.astype(np.int64))

    def _codes_of(self, value: str) -> list[int]:
        return [self._code_of[value]] if value in self._code_of else []

    def _added_up(self, found: NDArray[np.int64]) -> dict[str, int]:
        """Return the count of each value but "" that was found, in the order of the values."""
        there = np.flatnonzero(found)
        counted = zip(there.tolist(), found[there].tolist(), strict=True)
        return {self.values[code]: count for code, count in counted if self.values[code]}


class LevelColumn(TextColumn):
    """Categories with levels, "A > B > C": an item is in each level above its own, too."""

    @cached_property
    def _below(self) -> dict[str, list[int]]:
        """The codes at and below each level."""
        below: dict[str, list[int]] = {}
        for code, value in enumerate(self.values):
            for level in levels_of(value):
                below.setdefault(level, []).append(code)
        return below

    def _codes_of(self, value: str) -> list[int]:
        return self._below.get(value, [])

    def _added_up(self, found: NDArray[np.int64]) -> dict[str, int]:
        counts = ((level, int(found[codes].sum())) for level, codes in self._below.items())
        return {level: count for level, count in sorted(counts) if level and count}


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
        best = there[np.argsort(-found[there], kind="stable")[:most]]
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
    micros = times.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return np.asarray(micros, np.float64) / 1e6


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


def _most_frequent(counts: dict[str, int], most: int) -> dict[str, int]:
    # Sorting is stable: equals stay in the order of the values.
    return dict(sorted(counts.items(), key=lambda entry: -entry[1])[:most])


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
