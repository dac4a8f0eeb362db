"""The rows that answer a request, in their order: searched, sorted, collapsed, cut by relevance.

Shapes: N items, k rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smar.index.allowed import Allowed
from smar.index.clock import Clock
from smar.index.hybrid import HybridIndex
from smar.index.sought import Sought
from smar.models.embeddings import QueryEmbeddings
from smar.service.fields import Fields
from smar.service.items import ItemTable
from smar.service.request import RELEVANCE, SearchRequest

Relevance = Callable[[str, NDArray[np.float32]], NDArray[np.float64]]
"""Of a normalised query and scores [k]: the probability of relevance, [k]; grows with the score."""

Encode = Callable[[Sequence[str]], QueryEmbeddings]
"""Of normalised query texts, at least one: their embeddings and gates."""
TORCH, ONNX = "torch", "onnx"

_RARE = 20  # of so many rows one is allowed
_LEAST = 1000  # rows that are looked at in the order of a field
_FEW = 10_000  # rows whose keys are sorted faster than a place is held for every key
_MORE = 4  # times as deep as before a search goes that did not find enough


@dataclass(frozen=True)
class QueryTower:
    """What encodes queries.

    Args:
        runtime: What runs it, "torch" or "onnx".
        encode: Makes embeddings and gates of normalised query texts, at least one.
    """

    runtime: str
    encode: Encode


@dataclass(frozen=True)
class Parts:
    """What answers are made of.

    Args:
        encode: Makes embeddings and gates of normalised query texts, at least one.
        index: Finds rows.
        items: Their fields, in the order of the index.
        fields: The same as columns.
        release: Version, "" for the working tree.
        relevance: Makes probabilities of scores, None where nothing is calibrated.
    """

    encode: Encode
    index: HybridIndex
    items: ItemTable
    fields: Fields
    release: str
    relevance: Relevance | None = None


@dataclass(frozen=True)
class Queries:
    """The queries of some requests as the model sees them.

    Args:
        texts: Normalised and as they are searched, one per request; "" browses.
        encoded: All different ones, None where there is none.
        rows: Where each stands among them, -1 for "".
        corrected: Of a text that is not what was typed itself, else "".
        sought: What each text is of: it says which items are left out.
    """

    texts: list[str]
    encoded: QueryEmbeddings | None
    rows: list[int]
    corrected: list[str]
    sought: list[Sought]

    def some(self, numbers: Sequence[int]) -> "Queries":
        """Return the queries of some of the requests."""
        return Queries(
            [self.texts[number] for number in numbers],
            self.encoded,
            [self.rows[number] for number in numbers],
            [self.corrected[number] for number in numbers],
            [self.sought[number] for number in numbers],
        )

    def encoded_of(self, numbers: Sequence[int]) -> QueryEmbeddings:
        """Return the embeddings of some requests that all have a query."""
        if self.encoded is None:
            raise ValueError("there is no query")
        rows = [self.rows[number] for number in numbers]
        return QueryEmbeddings(self.encoded.vector[rows], self.encoded.gate[rows])

    def gate(self, number: int) -> float | None:
        """Return P(q) of a request, None without a query."""
        if self.encoded is None or self.rows[number] < 0:
            return None
        return float(self.encoded.gate[self.rows[number]])


@dataclass
class Ranked:
    """The ranking of one request.

    Args:
        rows: Item rows, best first, as many as the request can show.
        scores: Of each row.
        total: Hits on all pages.
        others: By row, what collapsing put behind it.
        relevance: Of each row, None where nothing is calibrated.
        matching: Rows that are relevant enough; None for all that the filters allow.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    total: int
    others: dict[int, int] = field(default_factory=dict)
    relevance: NDArray[np.float64] | None = None
    matching: NDArray[np.int64] | None = None

    @property
    def best_relevance(self) -> float | None:
        """The relevance of the most relevant row, None where none has one."""
        if self.relevance is None or not len(self.relevance):
            return None
        return float(self.relevance.max())

    def among(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of the items in `mask` are relevant enough."""
        if self.matching is None:
            return mask
        relevant = np.zeros(len(mask), bool)
        relevant[self.matching] = True
        return mask & relevant


class Finder:
    """Finds the rows of requests that allow the same items.

    Args:
        parts: What answers are made of.
        allowed: The items, None for all.
        clock: Is told where the time goes.
    """

    def __init__(self, parts: Parts, allowed: Allowed | None, clock: Clock) -> None:
        self._parts, self._allowed, self._clock = parts, allowed, clock
        among = parts.items.everything if allowed is None else allowed
        self.mask, self._rows = among.mask, among.rows

    def ranked(self, requests: Sequence[SearchRequest], queries: Queries) -> list[Ranked]:
        """Return the ranking of each request; one search finds the rows of all with a query."""
        asked = [number for number, text in enumerate(queries.texts) if text]
        depth = max((_depth(requests[number]) for number in asked), default=0)
        scores, rows = self._search(queries, asked, depth)
        found = dict(zip(asked, zip(scores, rows, strict=True), strict=True))
        return [
            self._of_query(request, queries.some([number]), *_cut(*found[number], _depth(request)))
            if number in found
            else self._of_catalogue(request)
            for number, request in enumerate(requests)
        ]

    def _search(
        self, queries: Queries, numbers: Sequence[int], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        if not (len(self._rows) and k and len(numbers)):
            return np.empty((len(numbers), 0), np.float32), np.empty((len(numbers), 0), np.int64)
        texts = [queries.texts[number] for number in numbers]
        encoded = queries.encoded_of(numbers)
        return self._parts.index.search(texts, encoded, k, self._allowed, self._clock)

    def _deeper(self, query: Queries, depth: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        scores, rows = self._search(query, [0], depth)
        return _cut(scores[0], rows[0], depth)

    def _of_query(
        self,
        request: SearchRequest,
        query: Queries,
        scores: NDArray[np.float32],
        rows: NDArray[np.int64],
    ) -> Ranked:
        """Return the ranking of a request whose best rows are known, as deep as they are."""
        matching, likely = self._rows, None if request.is_tried else self._parts.relevance
        if request.min_relevance and likely is not None:
            scores, rows = self._relevant(request.min_relevance, query, scores, rows)
            matching = rows
        elif request.sort == RELEVANCE and request.collapse:
            scores, rows = self._of_groups(request, query, scores, rows)
        shown = matching
        if request.sort != RELEVANCE:
            rows, scores = rows[: request.sort_among], scores[: request.sort_among]
            shown = rows
            order = self._parts.fields.order_of(request.sort, rows)
            rows, scores = rows[order], scores[order]
        ranked = self._collapsed(request, rows, scores, shown)
        if likely is not None:
            ranked.relevance = likely(query.texts[0], ranked.scores)
        if request.min_relevance:
            ranked.matching = matching
        return ranked

    def _of_catalogue(self, request: SearchRequest) -> Ranked:
        """Return the ranking without a query: the catalogue's order, or that of a field."""
        rows = self._rows
        if request.sort != RELEVANCE:
            with self._clock("ranking"):
                wanted = len(rows) if request.collapse else request.offset + request.limit
                rows = self._first_by(request.sort, wanted)
        return self._collapsed(request, rows, np.zeros(len(rows), np.float32), self._rows)

    def _relevant(
        self,
        least: float,
        query: Queries,
        scores: NDArray[np.float32],
        rows: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return every row that is relevant enough: the search goes deeper until one is not."""
        likely = self._parts.relevance
        if likely is None:
            return scores, rows
        while True:
            enough = likely(query.texts[0], scores) >= least
            if len(rows) >= len(self._rows) or not enough.all():
                return scores[enough], rows[enough]
            scores, rows = self._deeper(query, min(_MORE * max(len(rows), 50), len(self._rows)))

    def _of_groups(
        self,
        request: SearchRequest,
        query: Queries,
        scores: NDArray[np.float32],
        rows: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the best rows, so many that they have as many different groups as are shown."""
        wanted = request.offset + request.limit
        keys = self._parts.fields.column(request.collapse).keys()
        while len(rows) < len(self._rows) and len(_firsts(keys, rows)) < wanted:
            scores, rows = self._deeper(query, min(_MORE * max(len(rows), wanted), len(self._rows)))
        return scores, rows

    def _first_by(self, sort: str, wanted: int) -> NDArray[np.int64]:
        """Return the first allowed rows in the order of a field, as many as are wanted or more."""
        fields, size = self._parts.fields, len(self._rows)
        if size < len(self.mask) // _RARE:  # to sort them is faster than to look for them
            return self._rows[fields.order_of(sort, self._rows)]
        order = fields.order(sort)
        if size == len(order):
            return order[:wanted]
        # As far as so many are to be expected; where a field goes with the filter, further.
        end = _LEAST + 2 * wanted * len(order) // max(1, size)
        while True:
            first = order[:end]
            first = first[self.mask.take(first)]
            if len(first) >= min(wanted, size):
                return first
            end *= _MORE

    def _collapsed(
        self,
        request: SearchRequest,
        rows: NDArray[np.int64],
        scores: NDArray[np.float32],
        matching: NDArray[np.int64],
    ) -> Ranked:
        """Return a ranking with every value of the field to collapse by once.

        Args:
            request: Says which field, "" for none.
            rows: The ranking.
            scores: Its scores.
            matching: All rows that match, of which the ranking may be the beginning.
        """
        if not request.collapse:
            return Ranked(rows, scores, len(matching))
        with self._clock("ranking"):
            keys = self._parts.fields.column(request.collapse).keys()
            first = _firsts(keys, rows)
            sizes = np.bincount(keys.take(matching) + 1)  # of each value; first of no value
            total = int(np.count_nonzero(sizes[1:])) + int(sizes[:1].sum())
            shown = rows[first][request.offset : request.offset + request.limit]
            shown = shown[keys[shown] >= 0]
            further = sizes[keys[shown] + 1] - 1
        others = dict(zip(shown.tolist(), further.tolist(), strict=True))
        return Ranked(rows[first], scores[first], total, others)


def _depth(request: SearchRequest) -> int:
    """Return how many of the most relevant items a request needs, at first."""
    if request.sort != RELEVANCE:
        return request.sort_among
    # Without hits to show the least relevant one may still have to be found.
    return request.offset + request.limit if request.limit else int(request.min_relevance > 0)


def _cut(
    scores: NDArray[np.float32], rows: NDArray[np.int64], depth: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the first rows of a search that are items."""
    scores, rows = scores[:depth], rows[:depth]
    return scores[rows >= 0], rows[rows >= 0]


def _firsts(keys: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the first row with each key, and of all without one, ascending."""
    of_rows = keys.take(rows)
    places = np.arange(len(rows))
    if len(rows) < _FEW:
        first = np.unique(of_rows, return_index=True)[1]
        return np.union1d(first[of_rows[first] >= 0], places[of_rows < 0])
    first = np.empty(int(of_rows.max(initial=-1)) + 2, np.int64)
    first[of_rows[::-1]] = places[::-1]  # of several the last that is put stays
    return np.flatnonzero((of_rows < 0) | (first[of_rows] == places))
