"""From requests to answers, over one release.

Shapes: N items, k results.
"""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from smar.data.schema import normalize_query
from smar.errors import Problem, RequestError
from smar.index.allowed import Allowed
from smar.index.clock import Clock
from smar.index.hybrid import HybridIndex
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import QueryEmbeddings, encode_queries
from smar.service.answer import Answer, Facet, Hit, Shares
from smar.service.fields import Fields
from smar.service.filters import EVERYTHING, Filter, without
from smar.service.items import ItemTable
from smar.service.request import RELEVANCE, SearchRequest


@dataclass
class _Ranked:
    """The ranking of one request.

    Args:
        rows: Item rows, best first, as many as the request can show.
        scores: Of each row.
        total: Hits on all pages.
        others: By row, what collapsing put behind it.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    total: int
    others: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """What answers are made of.

    Args:
        model: Encodes queries.
        index: Finds rows.
        items: Their fields, in the order of the index.
        fields: The same as columns.
        release: Version, "" for the working tree.
    """

    model: DualEncoder
    index: HybridIndex
    items: ItemTable
    fields: Fields
    release: str


def answer_all(parts: Parts, requests: Sequence[SearchRequest]) -> list[Answer]:
    """Return the answer to each request.

    Equal queries are encoded once, different ones in one batch, and requests with equal filters are
    searched together.

    Raises:
        RequestError: If the items cannot do what a request asks for; holds all problems.
    """
    start = time.perf_counter()
    problems = [problem for request in requests for problem in _problems(parts, request)]
    if problems:
        raise RequestError(problems)
    clock = Clock()
    texts = [normalize_query(request.query) for request in requests]
    distinct = [text for text in dict.fromkeys(texts) if text]
    with clock("encode"):
        encoded = encode_queries(parts.model, distinct) if distinct else None
    place = {text: number for number, text in enumerate(distinct)}
    answers: list[Answer | None] = [None] * len(requests)
    for condition, numbers in _by_filter(requests).items():
        own = Clock()
        own.milliseconds |= clock.milliseconds
        with own("filter"):
            allowed = _allowed(parts.fields, condition)
        some = [requests[number] for number in numbers]
        queries = None
        if encoded is not None:
            rows = [place.get(texts[number], -1) for number in numbers]
            queries = _Queries([texts[number] for number in numbers], encoded, rows)
        group = _Group(parts, allowed, own)
        for number, answer in zip(numbers, group.answers(some, queries), strict=True):
            answers[number] = answer
    spent = (time.perf_counter() - start) * 1e3
    found = [answer for answer in answers if answer is not None]
    return [replace(a, milliseconds=_rounded(a.milliseconds | {"total": spent})) for a in found]


@dataclass(frozen=True)
class _Queries:
    """The queries of some requests as the model sees them.

    Args:
        texts: Normalised, one per request; "" browses.
        encoded: All different ones.
        rows: Where each stands among them, -1 for none.
    """

    texts: list[str]
    encoded: QueryEmbeddings
    rows: list[int]

    def some(self, numbers: Sequence[int]) -> tuple[list[str], QueryEmbeddings]:
        """Return texts and embeddings of some requests, all of which have a query."""
        rows = [self.rows[number] for number in numbers]
        encoded = QueryEmbeddings(self.encoded.vector[rows], self.encoded.gate[rows])
        return [self.texts[number] for number in numbers], encoded


class _Group:
    """Requests that allow the same items.

    Args:
        parts: What answers are made of.
        allowed: The items, None for all.
        clock: Is told where the time goes.
    """

    def __init__(self, parts: Parts, allowed: Allowed | None, clock: Clock) -> None:
        self._parts, self._allowed, self._clock = parts, allowed, clock
        everything = np.ones(len(parts.items), bool)
        self._mask = everything if allowed is None else allowed.mask
        self._size = len(parts.items) if allowed is None else len(allowed)

    def answers(
        self, requests: Sequence[SearchRequest], queries: _Queries | None
    ) -> Iterable[Answer]:
        """Yield the answer to each request."""
        asked = [n for n in range(len(requests)) if queries is not None and queries.texts[n]]
        found = self._search(requests, queries, asked)
        for number, request in enumerate(requests):
            ranked = found.get(number) or self._browse(request)
            gate = 0.0
            shares = Shares(0.0, 0.0, 0.0)
            if queries is not None and number in found:
                gate = float(queries.encoded.gate[queries.rows[number]])
                shares = Shares.of(gate, self._parts.index.word_share)
            with self._clock("facets"):
                facets = {name: self._facet(request, name) for name in request.facets}
            with self._clock("fetch"):
                hits = self._hits(request, ranked)
            yield Answer(
                query_id=request.query_id or str(uuid.uuid4()),
                query=request.query,
                release=self._parts.release,
                total=ranked.total,
                offset=request.offset,
                limit=request.limit,
                hits=hits,
                facets=facets,
                gate=gate,
                shares=shares,
                milliseconds=dict(self._clock.milliseconds),
            )

    def _search(
        self, requests: Sequence[SearchRequest], queries: _Queries | None, asked: list[int]
    ) -> dict[int, _Ranked]:
        """Return the ranking of each request with a query, by its number."""
        if queries is None or not asked:
            return {}
        depth = max(_depth(requests[number]) for number in asked)
        scores, rows = self._found(queries, asked, depth)
        ranked = {}
        for number, row_scores, own_rows in zip(asked, scores, rows, strict=True):
            ranked[number] = self._ranked(queries, number, requests[number], row_scores, own_rows)
        return ranked

    def _found(
        self, queries: _Queries, numbers: Sequence[int], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        if not self._size or not k:
            none = np.empty((len(numbers), 0))
            return none.astype(np.float32), none.astype(np.int64)
        texts, encoded = queries.some(numbers)
        return self._parts.index.search(texts, encoded, k, self._allowed, self._clock)

    def _ranked(
        self,
        queries: _Queries,
        number: int,
        request: SearchRequest,
        scores: NDArray[np.float32],
        rows: NDArray[np.int64],
    ) -> _Ranked:
        """Return what is left of the best rows after sorting and collapsing."""
        scores, rows = scores[: _depth(request)], rows[: _depth(request)]
        scores, rows = scores[rows >= 0], rows[rows >= 0]
        total = self._size
        if request.sort != RELEVANCE:
            order = self._order(request.sort, rows)
            return self._collapsed(request, rows[order], scores[order], len(rows), rows)
        if not request.collapse:
            return _Ranked(rows, scores, total)
        wanted, depth = request.offset + request.limit, len(rows)
        keys = self._parts.fields.column(request.collapse).keys()
        while len(rows) < self._size and len(_firsts(keys, rows)) < wanted:
            depth = min(4 * max(depth, wanted), self._size)
            found_scores, found = self._found(queries, [number], depth)
            scores, rows = found_scores[0][found[0] >= 0], found[0][found[0] >= 0]
            if depth == self._size:
                break
        return self._collapsed(request, rows, scores, total, self._all_rows())

    def _browse(self, request: SearchRequest) -> _Ranked:
        """Return the ranking without a query: the catalogue's order, or that of a field."""
        rows = self._all_rows()
        if request.sort != RELEVANCE:
            with self._clock("ranking"):
                rows = rows[self._order(request.sort, rows)]
        return self._collapsed(request, rows, np.zeros(len(rows), np.float32), len(rows), rows)

    def _all_rows(self) -> NDArray[np.int64]:
        if self._allowed is not None:
            return self._allowed.rows
        return np.arange(len(self._parts.items))

    def _order(self, sort: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the order of rows by a field; equals stay as they are, unknown ones come last."""
        values = self._parts.fields.column(sort.removeprefix("-")).as_numbers()[rows]
        if sort.startswith("-"):
            values = -values
        return np.argsort(values, kind="stable")  # NaN is sorted to the end

    def _collapsed(
        self,
        request: SearchRequest,
        rows: NDArray[np.int64],
        scores: NDArray[np.float32],
        total: int,
        matching: NDArray[np.int64],
    ) -> _Ranked:
        """Return a ranking with every value of the field to collapse by once.

        Args:
            request: Says which field, "" for none.
            rows: The ranking.
            scores: Its scores.
            total: Hits without collapsing.
            matching: All rows that match, of which the ranking may be the beginning.
        """
        if not request.collapse:
            return _Ranked(rows, scores, total)
        with self._clock("ranking"):
            keys = self._parts.fields.column(request.collapse).keys()
            first = _firsts(keys, rows)
            named = keys[matching][keys[matching] >= 0]
            values, sizes = np.unique(named, return_counts=True)
            total = len(values) + int((keys[matching] < 0).sum())
            shown = rows[first][request.offset : request.offset + request.limit]
            place = np.searchsorted(values, keys[shown])
            others = {
                int(row): int(sizes[at]) - 1
                for row, at in zip(shown, place, strict=True)
                if keys[row] >= 0
            }
        return _Ranked(rows[first], scores[first], total, others)

    def _facet(self, request: SearchRequest, name: str) -> Facet:
        column = self._parts.fields.column(name)
        mask = (
            np.ones(len(self._parts.items), bool) if self._allowed is None else self._allowed.mask
        )
        if request.facets_apart:
            rest = without(request.filters, name)
            if rest != request.filters:
                mask = self._parts.fields.mask(rest)
        return column.facet(mask, request.facet_values)

    def _hits(self, request: SearchRequest, ranked: _Ranked) -> list[Hit]:
        page = slice(request.offset, request.offset + request.limit)
        rows, scores = ranked.rows[page], ranked.scores[page].tolist()
        items = self._parts.items
        found = zip(items.read(rows), rows.tolist(), scores, strict=True)
        return [
            Hit(
                rank=rank,
                score=round(score, 6),
                item=item,
                pictures=items.pictures_of(row),
                others=ranked.others.get(row, 0),
            )
            for rank, (item, row, score) in enumerate(found, start=request.offset + 1)
        ]


def _problems(parts: Parts, request: SearchRequest) -> Iterable[Problem]:
    if request.release not in {"", parts.release}:
        text = f"'{request.release}' is asked for, and '{parts.release}' is what answers"
        yield Problem("release", text)
    yield from parts.fields.problems(request)


def _by_filter(requests: Sequence[SearchRequest]) -> dict[Filter, list[int]]:
    groups: dict[Filter, list[int]] = {}
    for number, request in enumerate(requests):
        groups.setdefault(request.filters, []).append(number)
    return groups


def _allowed(fields: Fields, condition: Filter) -> Allowed | None:
    return None if condition == EVERYTHING else Allowed(fields.mask(condition))


def _depth(request: SearchRequest) -> int:
    """Return how many of the most relevant items a request needs, at first."""
    if request.sort != RELEVANCE:
        return request.sort_among
    return request.offset + request.limit if request.limit else 0


def _firsts(keys: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the first row with each key, and of all without one, ascending."""
    of_rows = keys[rows]
    first = np.unique(of_rows, return_index=True)[1]
    return np.union1d(first[of_rows[first] >= 0], np.flatnonzero(of_rows < 0))


def _rounded(milliseconds: dict[str, float]) -> dict[str, float]:
    return {part: round(spent, 3) for part, spent in milliseconds.items()}
