"""The fields that items can be filtered, counted, collapsed and sorted by.

These are the columns of the item table, `attributes.NAME` for every named attribute, `more.NAME`
for every further column of the feed that ingest kept, and `category.lvl0`, `category.lvl1` and so
on: the category down to a level. NAME alone will do where no other field is called so.

Shapes: N items.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from smar.data.arrow_numbers import numbers_of
from smar.errors import Problem, near_match
from smar.index.allowed import Allowed
from smar.service.answer import Facet
from smar.service.columns import (
    Column,
    LevelColumn,
    Mask,
    NumberColumn,
    TextColumn,
    levels_of,
    seconds_of,
)
from smar.service.filters import All, AnyOf, Between, Either, Filter, Not
from smar.service.request import RELEVANCE, SearchRequest

_NESTED = ("attributes", "more")
_WITHOUT = {"image_ids", *_NESTED}
_CATEGORY = "category"
# Of the last searches, for many ask for the same: a page of a category, or all that there is.
_FILTERS = 8  # what they allow takes up to 10 bytes an item
_FACETS = 256
_ORDERS = 4  # 8 bytes an item


class Fields:
    """The fields of a release's items; a column is made when it is first asked for.

    Args:
        table: The items, with the columns of `schema.ITEMS`, [N].
        nested: What `nested` gives, where it is known already.
    """

    def __init__(self, table: pa.Table, nested: Mapping[str, Any] | None = None) -> None:
        self._table = table
        self._columns: dict[str, Column] = {}
        self._lock = Lock()
        self._given = nested
        self.allowed = lru_cache(_FILTERS)(self._allowed)
        self.facet = lru_cache(_FACETS)(self._facet)
        self.order = lru_cache(_ORDERS)(self._order)

    @cached_property
    def nested(self) -> Mapping[str, Any]:
        """The texts of every named attribute and further column, [N] each, "" where unknown.

        To read them takes as long as a hundred searches: whoever filters by nothing does without.
        """
        if self._given is not None:
            return self._given
        return {
            f"{column}.{name}": pa.array(texts, pa.string())
            for column, read in (("attributes", _attributes), ("more", _more))
            for name, texts in _spread(self._table, column, read).items()
        }

    @cached_property
    def names(self) -> list[str]:
        """The names of all fields."""
        return [*self._plain, *self.nested]

    @cached_property
    def _plain(self) -> list[str]:
        levels = [f"{_CATEGORY}.lvl{level}" for level in range(_depth(self._table))]
        return [*(name for name in self._table.schema.names if name not in _WITHOUT), *levels]

    @cached_property
    def _short(self) -> dict[str, str]:
        """The name alone of every nested field that no other has."""
        short: dict[str, list[str]] = {}
        for name in self.nested:
            short.setdefault(name.partition(".")[2], []).append(name)
        taken = set(self._plain)
        return {name: of[0] for name, of in short.items() if len(of) == 1 and name not in taken}

    def __len__(self) -> int:
        return len(self._table)

    def column(self, name: str) -> Column:
        """Return a field by its name, which must be known."""
        with self._lock:
            if name not in self._plain and name not in self.nested:
                name = self._short.get(name, name)
            if name not in self._columns:
                self._columns[name] = self._make(name)
            return self._columns[name]

    def _allowed(self, condition: Filter) -> Allowed:
        """Return what a filter allows, remembered; its fields must be known."""
        mask = self.mask(condition)
        mask.flags.writeable = False
        return Allowed(mask)

    def _facet(self, condition: Filter, name: str, most: int) -> Facet:
        """Return how often each value of a field is among what a filter allows, remembered."""
        return self.column(name).facet(self.allowed(condition).mask, most)

    def order_of(self, sort: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the order of rows by a field; equals stay as they are, unknown ones come last.

        Args:
            sort: A field of numbers, such as "price"; "-price" from large to small.
            rows: [k].
        """
        numbers = self.column(sort.removeprefix("-")).as_numbers().take(rows)
        if sort.startswith("-"):
            numbers = -numbers
        return np.argsort(numbers, kind="stable")  # NaN is sorted to the end

    def _order(self, sort: str) -> NDArray[np.int64]:
        """Return the order of all rows by a field, remembered, [N]."""
        order = self.order_of(sort, np.arange(len(self)))
        order.flags.writeable = False
        return order

    def mask(self, condition: Filter) -> Mask:
        """Return which items a filter allows, [N]; its fields must be known."""
        match condition:
            case AnyOf(field=field, values=values):
                return self.column(field).any_of(values)
            case Between(field=field):
                return self.column(field).between(condition)
            case Not(of=inner):
                return ~self.mask(inner)
            case All(of=parts):
                found = np.ones(len(self), bool)
                for part in parts:
                    found &= self.mask(part)
                return found
            case Either(of=parts):
                found = np.zeros(len(self), bool)
                for part in parts:
                    found |= self.mask(part)
                return found

    def problems(self, request: SearchRequest) -> list[Problem]:
        """Return what of a request these items cannot do."""
        found = self.problems_of(request.filters)
        for name in request.facets:
            found += self._of_name(name, "facets")
        if request.collapse:
            found += self._of_name(request.collapse, "collapse")
        if request.sort != RELEVANCE:
            name = request.sort.removeprefix("-")
            unknown = list(self._of_name(name, "sort"))
            if not unknown and not self.column(name).is_numeric:
                text = f"'{name}' is a text, expected {RELEVANCE} or a field of numbers"
                unknown.append(Problem("sort", text))
            found += unknown
        return found

    def problems_of(self, condition: Filter) -> list[Problem]:
        """Return what of a filter these items cannot do."""
        return list(self._of_filter(condition))

    def _of_filter(self, condition: Filter) -> Iterator[Problem]:
        match condition:
            case Not(of=inner):
                yield from self._of_filter(inner)
            case All(of=parts) | Either(of=parts):
                for part in parts:
                    yield from self._of_filter(part)
            case AnyOf(field=field, values=values):
                unknown = list(self._of_name(field, "filters"))
                yield from unknown
                if not unknown and (wrong := self.column(field).problem(values)):
                    yield Problem(f"filters.{field}", wrong)
            case Between(field=field):
                unknown = list(self._of_name(field, "filters"))
                yield from unknown
                if not unknown and (wrong := self._of_range(condition)):
                    yield Problem(f"filters.{field}", wrong)

    def _of_range(self, ends: Between) -> str:
        column = self.column(ends.field)
        if not column.is_numeric:
            return "is a text and has no range, expected a value or a list of values"
        given = [end for end in (ends.gte, ends.gt, ends.lte, ends.lt) if end is not None]
        is_text = isinstance(column, TextColumn)
        if is_text and any(isinstance(end, str) for end in given):
            return f"{given}, expected numbers"
        return column.problem(given)

    def _of_name(self, name: str, at: str) -> Iterator[Problem]:
        if name in self._plain or name in self.nested or name in self._short:
            return
        known = [*self.names, *self._short]
        match = near_match(name, known) or f" There are {_listed(known)}."
        yield Problem(f"{at}.{name}", f"there is no such field.{match}")

    def _make(self, name: str) -> Column:
        if name not in self._plain:
            return TextColumn(_whole(self.nested[name]))
        if name == _CATEGORY:
            return LevelColumn(_whole(self._table.column(name)))
        if name not in self._table.schema.names:
            return TextColumn(_cut(self._table.column(_CATEGORY), int(name[-1])))
        column = _whole(self._table.column(name))
        if pa.types.is_timestamp(column.type):
            return NumberColumn(seconds_of(column), is_time=True)
        if pa.types.is_floating(column.type):
            return NumberColumn(numbers_of(column).astype(np.float64))
        return TextColumn(column)


def _whole(column: Any) -> Any:
    """Return a column in one piece; one that is stays where it is, mapped or not."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _spread(table: pa.Table, column: str, read: Any) -> dict[str, list[str]]:
    """Return the texts of every name that a column of names and values has, [N] each."""
    spread: dict[str, list[str]] = {}
    for row, text in enumerate(table.column(column).to_pylist()):
        for name, value in read(text) if text else ():
            if name not in spread:
                spread[name] = [""] * len(table)
            spread[name][row] = str(value)
    return spread


def _more(text: str) -> Any:
    return orjson.loads(text).items()


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of "name: value; name: value"; a value may hold "; "."""
    name, value = "", ""
    for part in text.split("; "):
        key, is_named, rest = part.partition(": ")
        if is_named:
            if name:
                yield name, value
            name, value = key, rest
        elif name:
            value = f"{value}; {part}"
    if name:
        yield name, value


def _depth(table: pa.Table) -> int:
    """Return how many levels categories have, at most 10."""
    categories = table.column(_CATEGORY).combine_chunks().dictionary_encode().dictionary
    return min(10, max((len(levels_of(text)) for text in categories.to_pylist()), default=0))


def _cut(categories: pa.ChunkedArray, level: int) -> Any:
    """Return categories down to a level, "" where they do not reach it."""
    encoded = categories.combine_chunks().dictionary_encode()
    levels = [levels_of(text) for text in encoded.dictionary.to_pylist()]
    cut = pa.array([of[level] if level < len(of) else "" for of in levels], pa.string())
    return cut.take(encoded.indices)


def _listed(names: list[str], most: int = 30) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
