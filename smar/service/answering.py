"""From requests to answers, over one release."""

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from smar.data.schema import normalize_query
from smar.errors import Problem, RequestError
from smar.index.allowed import Allowed
from smar.index.clock import Clock
from smar.index.explain import explain
from smar.index.reasons import WordReason, reasons_of
from smar.index.sought import Sought, as_written
from smar.models.embeddings import QueryEmbeddings
from smar.service.answer import Answer, Facet, Shares
from smar.service.filters import EVERYTHING, Filter, without
from smar.service.finding import Finder, Parts, Queries, Ranked
from smar.service.hits import Hit, Page, Place, Why
from smar.service.request import SearchRequest


def answer_all(parts: Parts, requests: Sequence[SearchRequest]) -> list[Answer]:
    """Return the answer to each request.

    Equal queries are encoded once, different ones in one batch, and requests with equal filters and
    settings are searched together.

    Raises:
        RequestError: If the items cannot do what a request asks for; holds all problems.
    """
    start = time.perf_counter()
    problems = [problem for request in requests for problem in _problems(parts, request)]
    if problems:
        raise RequestError(problems)
    clock = Clock()
    queries = _encoded(parts, requests, clock)
    answers: dict[int, Answer] = {}
    for (condition, word_share, wish), numbers in _together(requests, queries).items():
        own = Clock()
        own.milliseconds |= clock.milliseconds
        group = _Group(_with_share(parts, word_share), condition, wish, own)
        found = group.answers([requests[number] for number in numbers], queries.some(numbers))
        answers |= dict(zip(numbers, found, strict=True))
    spent = (time.perf_counter() - start) * 1e3
    return [_timed(answers[number], spent) for number in range(len(requests))]


def _encoded(parts: Parts, requests: Sequence[SearchRequest], clock: Clock) -> Queries:
    typed = [normalize_query(request.query) for request in requests]
    with clock("encode"):
        read = zip(requests, typed, parts.index.read(typed), strict=True)
        mended = [right if request.correct else text for request, text, right in read]
    pairs = zip(typed, mended, strict=True)
    corrected = [right if parts.index.is_mended(text, right) else "" for text, right in pairs]
    each = zip(requests, mended, strict=True)
    wishes = [parts.index.sought(text) if one.correct else Sought(text) for one, text in each]
    for number, wish in enumerate(wishes):
        if wish.left_out and not corrected[number]:  # else it is told how the query was read
            written = as_written(wish.left_out, typed[number], mended[number])
            wishes[number] = replace(wish, left_out=written)
    texts = [wish.text for wish in wishes]
    place = {text: row for row, text in enumerate(dict.fromkeys(text for text in texts if text))}
    with clock("encode"):
        encoded = parts.encode(list(place)) if place else None
    rows = [place.get(text, -1) for text in texts]
    tried = {n: request.gate for n, request in enumerate(requests) if request.gate is not None}
    if encoded is not None and tried:  # then each request has a row of its own
        vector, gate = encoded.vector[rows], encoded.gate[rows].copy()
        gate[list(tried)] = list(tried.values())
        encoded = QueryEmbeddings(vector, gate)
        rows = [number if text else -1 for number, text in enumerate(texts)]
    return Queries(texts, encoded, rows, corrected, wishes)


def _with_share(parts: Parts, word_share: float | None) -> Parts:
    """Return what answers requests that give the words a share, None for the release's own."""
    if word_share is None:
        return parts
    return replace(parts, index=replace(parts.index, word_share=float(word_share), unseen=None))


class _Group:
    """Requests that allow the same items.

    Args:
        parts: What answers are made of.
        condition: Of the items.
        wish: Says which of them are left out.
        clock: Is told where the time goes.
    """

    def __init__(self, parts: Parts, condition: Filter, wish: Sought, clock: Clock) -> None:
        self._parts, self._wish, self._clock = parts, wish, clock
        with clock("filter"):
            self._allowed = self._allowed_by(condition)
        self._finder = Finder(parts, self._allowed, clock)

    def answers(self, requests: Sequence[SearchRequest], queries: Queries) -> Iterator[Answer]:
        """Yield the answer to each request."""
        found = self._finder.ranked(requests, queries)
        for number, (request, ranked) in enumerate(zip(requests, found, strict=True)):
            with self._clock("facets"):
                asked = queries.some([number])
                facets = {n: self._facet(request, ranked, asked, n) for n in request.facets}
            page = self._page(request, ranked)
            hits: Sequence[Hit] = page
            reasons: list[WordReason] = []
            if request.explain and queries.texts[number]:
                with self._clock("explain"):
                    hits = self._explained(page, queries.some([number]))
                    text = queries.texts[number]
                    reasons = reasons_of(self._parts.index, [text], self._parts.encode)[0]
            gate = queries.gate(number)
            yield Answer(
                query_id=request.query_id or str(uuid.uuid4()),
                query=request.query,
                release=self._parts.release,
                total=ranked.total,
                offset=request.offset,
                limit=request.limit,
                hits=hits,
                facets=facets,
                gate=gate or 0.0,
                shares=Shares(0.0, 0.0, 0.0)
                if gate is None
                else Shares.of(gate, self._parts.index.share_of(queries.texts[number])),
                milliseconds=dict(self._clock.milliseconds),
                reasons=reasons,
                corrected=queries.corrected[number],
                left_out=self._wish.left_out,
                best_relevance=ranked.best_relevance,
            )

    def _facet(self, request: SearchRequest, ranked: Ranked, query: Queries, name: str) -> Facet:
        """Return a facet of what matches, its own filters passed over where that is asked for."""
        column, most = self._parts.fields.column(name), request.facet_values
        rest = without(request.filters, name) if request.facets_apart else request.filters
        if ranked.matching is None and not self._wish.left_out:
            return self._parts.fields.facet(rest, name, most)
        if rest == request.filters:
            return column.facet(ranked.among(self._finder.mask), most)
        others = Finder(self._parts, self._allowed_by(rest), Clock())
        if ranked.matching is None:
            return column.facet(others.mask, most)
        plain = SearchRequest(limit=0, min_relevance=request.min_relevance)
        ranked = others.ranked([plain], query)[0]
        return column.facet(ranked.among(others.mask), most)

    def _allowed_by(self, condition: Filter) -> Allowed | None:
        """Return the items that a condition allows and the wish does not leave out."""
        parts = self._parts
        allowed = None if condition == EVERYTHING else parts.fields.allowed(condition)
        return self._wish.among(allowed, len(parts.index.item_ids))

    def _page(self, request: SearchRequest, ranked: Ranked) -> Page:
        page = slice(request.offset, request.offset + request.limit)
        return Page(
            self._parts.items,
            ranked.rows[page],
            ranked.scores[page],
            None if ranked.relevance is None else ranked.relevance[page],
            request.offset,
            ranked.others,
        )

    def _explained(self, hits: Page, query: Queries) -> Sequence[Hit]:
        rows = hits.rows
        if query.encoded is None or not len(rows):
            return hits
        why = explain(self._parts.index, query.texts[0], query.encoded_of([0]), rows, self._allowed)
        return [
            replace(
                hit,
                why=Why(
                    text=float(why.text[place]),
                    picture=float(why.picture[place]),
                    words=float(why.words[place]),
                    by_vectors=_place(why.by_vectors, why.similarity, place),
                    by_words=_place(why.by_words, why.share, place)
                    if why.by_words[place]
                    else None,
                    matched=why.matched[place],
                    pictured=why.pictured[place],
                    searched=why.searched[place],
                    excluded=why.excluded[place],
                ),
            )
            for place, hit in enumerate(hits)
        ]


def _place(ranks: NDArray[np.int64], scores: NDArray[np.float64], place: int) -> Place | None:
    return Place(int(ranks[place]), float(scores[place])) if ranks[place] else None


def _problems(parts: Parts, request: SearchRequest) -> Iterable[Problem]:
    if request.release not in {"", parts.release}:
        text = f"'{request.release}' is asked for, and '{parts.release}' is what answers"
        yield Problem("release", text)
    if request.min_relevance and parts.relevance is None:
        text = f"{request.min_relevance} is asked for, and this release has no calibration"
        yield Problem("min_relevance", text)
    yield from parts.fields.problems(request)


def _together(
    requests: Sequence[SearchRequest], queries: Queries
) -> dict[tuple[Filter, float | None, Sought], list[int]]:
    """Return the numbers of the requests that are searched together."""
    groups: dict[tuple[Filter, float | None, Sought], list[int]] = {}
    for number, (request, wish) in enumerate(zip(requests, queries.sought, strict=True)):
        alike = wish if wish.left_out else Sought("")
        groups.setdefault((request.filters, request.word_share, alike), []).append(number)
    return groups


def _timed(answer: Answer, total: float) -> Answer:
    """Return an answer whose own milliseconds are rounded, with the time of all of its batch."""
    spent = answer.milliseconds
    spent["total"] = total
    for part, milliseconds in spent.items():
        spent[part] = round(milliseconds, 3)
    return answer
