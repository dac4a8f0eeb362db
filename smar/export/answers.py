"""What smar answers: queries with their vectors and the items that every engine has to find.

Shapes: Q queries, N items, k results, D embedding length.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.data.negation import DENIALS
from smar.export.encoding import EncodedQuery, encoded
from smar.export.items import vector_parts
from smar.export.source import Source
from smar.index.hybrid import HybridIndex
from smar.index.sought import search_sought
from smar.models.encode import encode_queries

DEPTH = 10
_NEXT = 10  # items behind the last place, for ties
_DENYING = 5  # queries that are made to leave something out


def expected_answers(source: Source, most: int) -> dict[str, Any]:
    """Return expected.json: at most `most` test queries, encoded, with their best items.

    Among them are some that deny a word, made of the others, where the index leaves out what a
    query denies. The items are the best of all, compared one by one, also where smar's own index is
    approximate; `same_as_index` tells in how many of the queries that index finds the same, and
    `same_as_search` in how many smar does whose words exclude each other.
    """
    index, texts = source.index, source.queries()
    chosen = np.linspace(0, len(texts) - 1, min(most, len(texts))).astype(int)
    typed = index.read([texts[place] for place in chosen])
    typed += [text for text in _denying(typed, index) if text not in typed]
    asked = [index.sought(text) for text in typed]
    embeddings = encode_queries(source.model, [one.text for one in asked])
    queries = encoded(index, asked, embeddings)
    columns, ids = index.words.vocabulary, index.item_ids
    depth = min(DEPTH, len(ids))
    searched = [index, replace(index, exclusive=source.exclusive)]
    found = [search_sought(each, asked, embeddings, depth)[1] for each in searched]
    found_best = _best(source, queries, [one.rows for one in asked])
    entries, same = [], [0, 0]
    for place, (text, query) in enumerate(zip(typed, queries, strict=True)):
        best = found_best[place]
        for number, rows in enumerate(found):
            same[number] += {row for row, _ in best[:depth]} == {*rows[place].tolist()} - {-1}
        top = [{"item_id": ids[row], "score": score} for row, score in best]
        entry = {"query": text} | query.as_dict(columns)
        entries.append(entry | {"top": top[:depth], "next": top[depth:]})
    return {"same_as_index": same[0], "same_as_search": same[1], "queries": entries}


def _denying(texts: list[str], index: HybridIndex) -> list[str]:
    """Return a few queries that deny the first word of others, as the index's language does."""
    denials = DENIALS.get(index.words.stemmer)
    if denials is None:
        return []
    parted = [text.partition(" ") for text in texts]
    made = [f"{rest} {denials.one[0]} {first}" for first, _, rest in parted if rest]
    return [text for text in made if len(index.sought(text).rows)][:_DENYING]


def _best(
    source: Source, queries: list[EncodedQuery], left_out: list[NDArray[np.int64]]
) -> list[list[tuple[int, float]]]:
    """Return rows and scores of each query's best items, best first, ties by row.

    Args:
        source: Has the items.
        queries: The queries, [Q].
        left_out: Rows that each leaves out, [Q].
    """
    words = [source.index.words.shares(query.query) for query in queries]
    best: list[list[tuple[int, float]]] = [[] for _ in queries]
    for start, vectors in vector_parts(source.index):
        stop = start + len(vectors)
        for place, query in enumerate(queries):
            similarity = (np.atleast_2d(query.vector) @ vectors.T).max(0).astype(np.float64)
            share = query.word_share
            scores = (1 - share) * similarity + share * words[place][start:stop]
            gone = left_out[place]
            scores[gone[(gone >= start) & (gone < stop)] - start] = -np.inf
            best[place] = _merged(best[place], start, scores)
    return best


def _merged(
    best: list[tuple[int, float]], start: int, scores: NDArray[np.float64]
) -> list[tuple[int, float]]:
    """Return the best of those found before and of further rows."""
    order = np.argsort(-scores, kind="stable")[: DEPTH + _NEXT]
    more = [(start + int(row), float(scores[row])) for row in order if scores[row] > -np.inf]
    return sorted([*best, *more], key=lambda pair: (-pair[1], pair[0]))[: DEPTH + _NEXT]
